"""Claims: every kind of key proves its owner, and nothing proves anybody by a key of another kind."""

import time

import pytest

from node.metrics import PROOFS
from node.proving.authenticator import Authenticator
from node.proving.claim import Claim, read_claim
from node.proving.guessing import MAX_ACCOUNT_DELAY_S, MAX_DELAY_S, MAX_UNDER_WAY_PER_SOURCE
from node.proving.pool import CpuPool
from protocols.handle import proof
from protocols.handle.authentication import ChallengeAnswer
from protocols.handle.codec import decode
from protocols.handle.macs import MD5, mac
from protocols.message import Operation, Outcome, Principal
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.holdings import Holdings
from tests.node.parts import PREFIX, SEALER, make_store, put
from tests.node.proving.accounts import (
    CONTENT,
    PASS_PHRASE,
    PUBLIC_KEYS,
    RSA_DATA,
    SECRET,
    SIGN,
    USER,
    Clock,
    claim,
    make,
    peer,
    secret_proof,
)
from tests.vectors.handle_vectors import bytes_of

CODES = [0x02, 0x03, 0x12, 0x13, 0x22]
FAILED = Outcome.AUTHENTICATION_FAILED


def count_of(kind: str, result: str) -> float:
    return PROOFS.labels(kind, result)._value.get()


# right ones


@pytest.mark.parametrize("code", CODES)
async def test_a_mac_under_the_secret_names_the_principal(code: int) -> None:
    assert await make().prove(claim(300, secret_proof(code)), peer()) == Principal(USER, 300)


@pytest.mark.parametrize("index", PUBLIC_KEYS)
async def test_a_signature_by_the_key_at_the_index_names_the_principal(index: int) -> None:
    assert await make().prove(claim(index, SIGN[index](CONTENT)), peer()) == Principal(USER, index)


@pytest.mark.parametrize("code", CODES)
async def test_whoever_hashes_his_pass_phrase_proves_himself_by_the_kept_hash(code: int) -> None:
    digits = b"abf7aad6438836dbe526aa231abde2d0eef74d42"
    assert proof.hashlib.sha1(PASS_PHRASE).hexdigest().encode() == digits
    authenticator = make()
    assert await authenticator.prove(claim(301, secret_proof(code, digits)), peer()) == Principal(
        USER, 301
    )
    assert await authenticator.prove(claim(301, secret_proof(code, PASS_PHRASE)), peer()) is FAILED


VECTOR_USER = "20.500.99999/USER"
ANSWERS = [
    *(("answer_hs_seckey_alg_" + code, "challenge_402") for code in ("02", "03", "12", "13")),
    ("answer_hs_seckey_pbkdf2", "challenge_402"),
    ("answer_hs_pubkey_rsa_sha256", "challenge_402"),
]


def vector_holdings(key_type: str) -> Holdings:
    store = make_store()
    put(store, "0.NA/20.500.99999", (), Operation.HOST)
    data = {
        "HS_SECKEY": Value(300, "HS_SECKEY", b"s3cret", permissions=SECRET_PERMISSIONS),
        "HS_PUBKEY": Value(300, "HS_PUBKEY", bytes_of("data_hs_pubkey_rsa")),
    }
    put(store, VECTOR_USER, [data[key_type]], Operation.PUT)
    return Holdings(store.reader(), SEALER)


@pytest.mark.parametrize(("name", "challenge"), ANSWERS)
async def test_challenge_answers_of_other_implementations_are_right_once_and_for_their_challenge(
    name: str, challenge: str
) -> None:
    answer, asked = decode(bytes_of(name)).body, decode(bytes_of(challenge))
    content = proof.challenge_content(asked.body.nonce, asked.digest.value)
    read = read_claim(answer, content)
    other = "HS_PUBKEY" if answer.authentication_type == "HS_SECKEY" else "HS_SECKEY"
    clock = Clock()
    right = Authenticator(vector_holdings(answer.authentication_type), lambda: 0.0, clock.sleep)
    wrong = Authenticator(vector_holdings(other), lambda: 0.0, clock.sleep)
    assert await right.prove(read, peer()) == Principal(VECTOR_USER, 300)
    assert await wrong.prove(read, peer()) is FAILED
    another = read._replace(content=content[:-1] + bytes([content[-1] ^ 1]))
    assert await right.prove(another, peer()) is FAILED


# wrong ones


@pytest.mark.parametrize("code", CODES)
async def test_a_wrong_secret_or_another_content_fails(code: int) -> None:
    authenticator = make()
    for made in (secret_proof(code, b"s3creT"), secret_proof(code, content=CONTENT + b"\0")):
        assert await authenticator.prove(claim(300, made), peer()) is FAILED
    assert authenticator.failed_count == 2


@pytest.mark.parametrize("index", PUBLIC_KEYS)
async def test_a_signature_over_another_content_or_of_another_handle_fails(index: int) -> None:
    authenticator = make()
    assert await authenticator.prove(claim(index, SIGN[index](CONTENT[1:])), peer()) is FAILED
    made = claim(index, SIGN[index](CONTENT), f"{PREFIX}/small")
    assert await authenticator.prove(made, peer()) is FAILED


# algorithm confusion


@pytest.mark.parametrize("index", PUBLIC_KEYS)
@pytest.mark.parametrize("code", CODES)
async def test_the_bytes_of_a_public_key_are_no_secret(index: int, code: int) -> None:
    made = secret_proof(code, PUBLIC_KEYS[index])
    assert await make().prove(claim(index, made), peer()) is FAILED


async def test_a_secret_that_looks_like_a_public_key_verifies_no_signature() -> None:
    authenticator = make()
    assert await authenticator.prove(claim(302, SIGN[310](CONTENT)), peer()) is FAILED
    assert await authenticator.prove(claim(302, secret_proof(0x13, RSA_DATA)), peer()) == Principal(
        USER, 302
    )


@pytest.mark.parametrize("index", PUBLIC_KEYS)
async def test_a_signature_by_the_key_at_another_index_fails(index: int) -> None:
    others = {
        other
        for other in PUBLIC_KEYS
        if SIGN[other](CONTENT) != SIGN[index](CONTENT) and {index, other} != {313}
    }
    authenticator = make()
    for other in others:
        assert await authenticator.prove(claim(other, SIGN[index](CONTENT)), peer()) is FAILED


@pytest.mark.parametrize("index", [0, 1, 400, 0xFFFF_FFFF])
async def test_an_index_without_a_key_and_index_zero_prove_nothing(index: int) -> None:
    authenticator = make()
    assert await authenticator.prove(claim(index, secret_proof(0x13)), peer()) is FAILED
    assert await authenticator.prove(claim(index, SIGN[310](CONTENT)), peer()) is FAILED
    assert await authenticator.authenticate(USER, index, SECRET, peer()) is FAILED


@pytest.mark.parametrize("code", [MD5, 0x00, 0x21, 0x44, 0xFF])
async def test_a_mac_that_is_not_accepted_fails_and_is_no_exception(code: int) -> None:
    before = count_of("secret", "not-accepted")
    made = proof.SecretProof(code, mac(MD5, SECRET, CONTENT))
    assert await make().prove(claim(300, made), peer()) is FAILED
    assert count_of("secret", "not-accepted") == before + 1


@pytest.mark.parametrize("name", [b"MD5", b"", b"SHA-1024", b"none", b"HMAC-SHA256"])
async def test_a_hash_that_is_not_accepted_fails_and_is_no_exception(name: bytes) -> None:
    shown = proof.decode_signature_proof(SIGN[310](CONTENT))._replace(hash_name=name)
    assert await make().prove(Claim(USER, 310, shown, CONTENT), peer()) is FAILED


async def test_a_costly_derivation_fails_before_it_is_computed() -> None:
    bomb = proof.SecretProof(0x22, bytes(20), proof.Derivation(b"salt", 0xFFFF_FFFF, 160))
    began_s = time.process_time()
    assert await make().prove(claim(300, bomb), peer()) is FAILED
    assert time.process_time() - began_s < 20.0  # computed, it would take a quarter of an hour


@pytest.mark.parametrize("handle", ["", "/", "0.NA/", "\ud800", f"{PREFIX}/" + "x" * 3000])
async def test_what_is_no_handle_proves_nothing(handle: str) -> None:
    authenticator = make()
    for made in (secret_proof(0x22), SIGN[310](CONTENT), SIGN[319](CONTENT)):
        assert await authenticator.prove(claim(300, made, handle), peer()) is FAILED


# what a challenge answer may hold


@pytest.mark.parametrize(
    "answer",
    [
        ChallengeAnswer("HS_SECKEY", b"a/b", 300, bytes([MD5]) + bytes(16)),
        ChallengeAnswer("HS_SECKEY", b"a/b", 300, b""),
        ChallengeAnswer("HS_PUBKEY", b"a/b", 300, b"\0\0\0\7SHA-256\0\0"),
        ChallengeAnswer("HS_SECKEY", b"\xff", 300, b"\x13" + bytes(32)),
        ChallengeAnswer("HS_ADMIN", b"a/b", 300, b"\x13" + bytes(32)),
        ChallengeAnswer("", b"a/b", 300, b"\x13" + bytes(32)),
    ],
)
def test_an_answer_that_cannot_be_right_is_no_claim(answer: ChallengeAnswer) -> None:
    assert read_claim(answer, CONTENT) is None


def test_an_answer_is_read_by_its_type_in_any_case() -> None:
    answer = ChallengeAnswer("hs_seckey", USER.encode(), 300, b"\x13" + bytes(32))
    shown = proof.SecretProof(0x13, bytes(32))
    assert read_claim(answer, CONTENT) == Claim(USER, 300, shown, CONTENT)


# what it costs, whoever is there


async def test_an_unknown_handle_costs_the_derivation_of_a_wrong_secret() -> None:
    """Counted, not timed: the thread computes as much, and the clock of a shared machine would lie."""
    for handle, index in ((USER, 300), (USER, 999), (f"{PREFIX}/absent", 300), ("no handle/", 0)):
        authenticator = make()
        made = secret_proof(0x22, b"guess", iterations=100_000)
        began_ns = time.process_time_ns()
        assert await authenticator.prove(claim(index, made, handle), peer()) is FAILED
        computed_ns = time.process_time_ns() - began_ns
        assert computed_ns > 4_000_000  # 100,000 rounds of SHA-1 take 8 ms and more


async def test_guesses_by_proof_and_by_password_slow_each_other() -> None:
    clock = Clock()
    authenticator = make(clock)
    for n in range(4):
        await authenticator.authenticate(USER, 300, b"guess", peer())
        await authenticator.prove(claim(300, secret_proof(0x13, b"guess")), peer())
        await authenticator.prove(claim(310 + n, SIGN[310](b"guess")), peer())
    assert clock.slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert clock.slept[-1] == MAX_DELAY_S


async def test_addresses_of_one_ipv6_customer_are_one_source() -> None:
    clock = Clock()
    authenticator = make(clock)
    for n in range(4):
        handle = f"{PREFIX}/{n}"
        await authenticator.authenticate(handle, 300, b"guess", peer(f"2001:db8:0:1::{n}"))
    await authenticator.authenticate(f"{PREFIX}/5", 300, b"guess", peer("2001:db8:0:2::1"))
    assert clock.slept == [0.1, 0.2, 0.4]


async def test_the_owner_gets_in_however_often_others_guess() -> None:
    clock = Clock()
    authenticator = make(clock)
    for n in range(30):
        wrong = claim(300, secret_proof(0x13, b"guess"))
        assert await authenticator.prove(wrong, peer(f"198.51.100.{n}")) is FAILED
    assert await authenticator.prove(claim(300, secret_proof(0x22)), peer()) == Principal(USER, 300)
    assert clock.slept[-1] == MAX_ACCOUNT_DELAY_S
    waits = len(clock.slept)
    assert await authenticator.prove(claim(300, secret_proof(0x22)), peer()) == Principal(USER, 300)
    assert len(clock.slept) == waits


async def test_a_full_pool_is_busy_and_counts_as_no_failure() -> None:
    authenticator = make(pool=CpuPool(most_waiting=0))
    for made in (secret_proof(0x22), SIGN[310](CONTENT)):
        assert await authenticator.prove(claim(300, made), peer()) is Outcome.BUSY
    assert authenticator.failed_count == 0
    assert authenticator.guesses.remembered == (1, 1)


async def test_one_address_cannot_fill_the_pool() -> None:
    import asyncio

    authenticator = make()
    made = claim(300, secret_proof(0x22))
    tries = [authenticator.prove(made, peer()) for _ in range(MAX_UNDER_WAY_PER_SOURCE + 6)]
    said = await asyncio.gather(*tries, authenticator.prove(made, peer("192.0.2.2")))
    assert said.count(Outcome.BUSY) == 6
    assert said[-1] == Principal(USER, 300)
    assert await authenticator.prove(made, peer()) == Principal(USER, 300)


# for other nodes (op 201)


async def test_another_node_is_told_whether_a_proof_is_right() -> None:
    authenticator = make()
    right, wrong = secret_proof(0x22), secret_proof(0x22, b"guess")
    assert await authenticator.verify(USER, 300, CONTENT, right, peer()) is True
    assert await authenticator.verify(USER, 300, CONTENT, wrong, peer()) is False
    assert await authenticator.verify(f"{PREFIX}/absent", 300, CONTENT, right, peer()) is False
    assert await authenticator.verify(USER, 310, CONTENT, right, peer()) is False
    assert await authenticator.verify("", 300, CONTENT, right, peer()) is False


async def test_another_node_is_told_nothing_about_secrets_kept_elsewhere_nor_about_public_keys() -> (
    None
):
    authenticator = make()
    for handle in ("88.999/user", f"{PREFIX}.7.8/user"):
        said = await authenticator.verify(handle, 300, CONTENT, secret_proof(0x13), peer())
        assert said is (Outcome.NOT_RESPONSIBLE)
    shown = proof.decode_signature_proof(SIGN[310](CONTENT))
    assert await authenticator.verify(USER, 310, CONTENT, shown, peer()) is False
    assert authenticator.failed_count == 0


async def test_guessing_through_other_nodes_is_slowed_as_well() -> None:
    clock = Clock()
    authenticator = make(clock)
    for _ in range(5):
        await authenticator.verify(USER, 300, CONTENT, secret_proof(0x13, b"guess"), peer())
    assert clock.slept == [0.1, 0.2, 0.4, 0.8]
