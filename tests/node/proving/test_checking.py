"""Whatever is claimed and whatever stands in the record: a verdict, and never "right" by accident."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.proving.checking import Verdict, check_secret, check_signature
from node.proving.claim import Claim, read_claim
from protocols.handle.authentication import ChallengeAnswer
from protocols.handle.proof import Derivation, SecretProof, SignatureProof, decode_signature_proof
from tests.node.proving.accounts import CONTENT, PUBLIC_KEYS, SIGN, USER, secret_proof

HASH_NAMES = [b"SHA-256", b"SHA1", b"SM3", b"Ed25519", b"MD5", b"SHA-512", b""]
WRONG = {Verdict.WRONG, Verdict.NOT_ACCEPTED}
keys = st.sampled_from(list(PUBLIC_KEYS.values()))
damaged_keys = st.builds(
    lambda key, at, noise: key[: at % len(key)] + noise + key[at % len(key) + len(noise) :],
    keys,
    st.integers(0, 4000),
    st.binary(min_size=1, max_size=3),
)


@given(st.sampled_from(["HS_SECKEY", "HS_PUBKEY"]), st.binary(max_size=120), st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_signed_response_is_no_claim_or_a_wrong_one(
    type_: str, response: bytes, data: bytes
) -> None:
    claim = read_claim(ChallengeAnswer(type_, USER.encode(), 300, response), CONTENT)
    if claim is None:
        return
    if isinstance(claim.proof, SecretProof):
        assert check_secret(claim, claim.proof, data) in WRONG
    else:
        assert check_signature(claim, claim.proof, data) in WRONG


@given(
    keys | damaged_keys | st.binary(max_size=80),
    st.sampled_from(HASH_NAMES),
    st.binary(max_size=300),
)
@settings(max_examples=150, deadline=None)
def test_any_signature_by_any_key_is_wrong_or_not_accepted(
    data: bytes, name: bytes, signature: bytes
) -> None:
    proof = SignatureProof(name, signature)
    assert check_signature(Claim(USER, 310, proof, CONTENT), proof, data) in WRONG


@given(damaged_keys, st.sampled_from(list(SIGN)))
@settings(max_examples=80, deadline=None)
def test_a_right_signature_by_a_damaged_key_never_crashes(data: bytes, index: int) -> None:
    proof = decode_signature_proof(SIGN[index](CONTENT))
    verdict = check_signature(Claim(USER, index, proof, CONTENT), proof, data)
    assert isinstance(verdict, Verdict)


@pytest.mark.parametrize("index", SIGN)
def test_a_key_that_is_not_there_is_never_right(index: int) -> None:
    proof = decode_signature_proof(SIGN[index](CONTENT))
    assert check_signature(Claim(USER, index, proof, CONTENT), proof, None) is Verdict.NO_KEY


@pytest.mark.parametrize("code", [0x02, 0x03, 0x12, 0x13, 0x22])
@pytest.mark.parametrize("secret", [b"", b"the secret of nobody", b"x" * 2000])
def test_a_secret_that_is_not_there_or_no_secret_is_never_right(code: int, secret: bytes) -> None:
    proof = secret_proof(code, secret)
    claim = Claim(USER, 300, proof, CONTENT)
    assert check_secret(claim, proof, None) is Verdict.NO_KEY
    if not 0 < len(secret) <= 1024:
        assert check_secret(claim, proof, secret) is Verdict.NOT_ACCEPTED


def test_a_derivation_that_costs_too_much_is_not_begun_whether_there_is_a_key_or_not() -> None:
    proof = SecretProof(0x22, bytes(20), Derivation(b"salt", 0xFFFF_FFFF))
    claim = Claim(USER, 300, proof, CONTENT)
    assert {check_secret(claim, proof, data) for data in (b"s3cret", None)} == {
        Verdict.NOT_ACCEPTED
    }
