"""Proving who one is: challenge, answer, and what must not pass (RFC 3652 §3.5)."""

import secrets

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conformance.asking import FULL, HEARTBEAT, resolve
from conformance.check import Check, Need, add, check
from conformance.expectations import NOTHING_THERE, describe, expect_challenge, expect_code
from conformance.native_client import Client
from conformance.native_messages import (
    Exchange,
    challenge_of,
    payload_of,
    request_bytes,
    sign_challenge,
)
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.target import Account
from conformance.visit import KEY_INDEX, Visit
from protocols.handle.administration import HandleRequest
from protocols.handle.authentication import (
    SECRET_KEY,
    Challenge,
    ChallengeAnswer,
    VerifyAnswer,
    VerifyRequest,
)
from protocols.handle.codec import Body
from protocols.handle.codes import RRDG, OpCode, ResponseCode
from protocols.handle.digest import SHA1 as SHA1_DIGEST
from protocols.handle.digest import SHA256, digest_matches, request_digest
from protocols.handle.macs import HMAC_SHA1, HMAC_SHA256, PBKDF2_HMAC_SHA1, SHA1, mac
from protocols.handle.macs import SHA256 as MAC_SHA256
from protocols.handle.proof import (
    Derivation,
    SecretProof,
    challenge_content,
    derive_key,
    encode_secret_proof,
)
from protocols.handle.versions import OWN
from protocols.values.value import Value

CHALLENGE, ANSWER, VERIFY = "RFC 3652 §3.5.1", "RFC 3652 §3.5.2", "RFC 3652 §3.5.3"
MANUAL = "Handle.Net Technical Manual 9, authentication"
COST_BOMB = 2**31 - 1
LEAST_NONCE_BYTES = 16
NOT_PROVED = (
    ResponseCode.AUTHENTICATION_FAILED,
    ResponseCode.INVALID_CREDENTIAL,
    ResponseCode.AUTHENTICATION_TIMEOUT,
    ResponseCode.AUTHENTICATION_ERROR,
)
"""How a proof that proves nothing may be answered."""
REFUSED = (
    *NOT_PROVED,
    ResponseCode.ERROR,
    ResponseCode.PROTOCOL_ERROR,
    ResponseCode.NOT_SUPPORTED,
    ResponseCode.HANDLE_NOT_FOUND,
    ResponseCode.NOT_ADMINISTRATOR,
    ResponseCode.INSUFFICIENT_PERMISSIONS,
    ResponseCode.SESSION_TIMEOUT,
    ResponseCode.AUTHENTICATION_NEEDED,
)
"""What is not success, whatever it is called."""


def unknown_handle(visit: Visit) -> Body:
    """A deletion that has nothing to delete: it needs a proof and does no harm."""
    return HandleRequest(visit.free_name())


def challenged(visit: Visit, client: Client) -> Exchange:
    """Ask for a deletion without a proof; the challenge."""
    came = client.ask(OpCode.DELETE, unknown_handle(visit), FULL)
    expect_challenge(came)
    return came


def answer(client: Client, first: Exchange, body: Body) -> Exchange:
    """Op 200 with this body to the challenge in ``first``."""
    fields = FULL._replace(session_id=first.answer.envelope.session_id)
    return client.ask(OpCode.CHALLENGE_ANSWER, body, fields)


def expect_proved(came: Exchange) -> None:
    """The deletion was tried: the proof was right."""
    expect_code(came, ResponseCode.HANDLE_NOT_FOUND)


@check("native.auth.challenge", CHALLENGE, Need.TCP, Need.ADMIN)
def a_challenge_has_its_shape(visit: Visit) -> None:
    """A request that needs a proof is answered with RC 402, its own op code, RRDG, a digest and a nonce of 16 bytes."""
    came = challenged(visit, visit.tcp())
    body, header, digest = came.answer.body, came.answer.header, came.answer.digest
    assert isinstance(body, Challenge)
    expect(len(body.nonce) >= LEAST_NONCE_BYTES, "16 bytes or more", len(body.nonce))
    expect_equal("op code", int(OpCode.DELETE), header.op_code)
    expect(header.op_flags & RRDG, "RRDG", f"{header.op_flags:#010x}")
    assert digest is not None
    expect_equal("digest type", SHA256, digest.type)
    expect(digest_matches(digest, came.sent_payload), "the digest of the request", digest.value)


@check("native.auth.challenge-has-an-id", CHALLENGE, Need.TCP, Need.ADMIN)
def a_challenge_has_an_id(visit: Visit) -> None:
    """A challenge has a session id, by which its answer is recognised."""
    session_id = challenged(visit, visit.tcp()).answer.envelope.session_id
    expect(session_id != 0, "a session id", session_id)


@check("native.auth.nonces-differ", f"{CHALLENGE}; RFC 4086", Need.TCP, Need.ADMIN)
def nonces_differ(visit: Visit) -> None:
    """No two challenges have the same nonce or the same id."""
    client = visit.tcp()
    challenges = [challenged(visit, client).answer for _ in range(5)]
    nonces = {each.body.nonce for each in challenges if isinstance(each.body, Challenge)}
    ids = {each.envelope.session_id for each in challenges}
    expect(
        len(nonces) == len(ids) == len(challenges),
        "5 nonces and 5 ids",
        f"{len(nonces)}, {len(ids)}",
    )


@check("native.auth.reading-needs-none", CHALLENGE, Need.TCP)
def reading_in_public_needs_no_proof(visit: Visit) -> None:
    """A question for public values is never challenged."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT)
    expect_code(came, *NOTHING_THERE)


@check(
    "native.auth.final-op-code",
    "id-pointer-sdk 2.3.1 and Handle.Net 9.2 decoders",
    Need.TCP,
    Need.ADMIN,
)
def the_end_has_the_original_op_code(visit: Visit) -> None:
    """What comes after the proof has the op code of the request that was challenged, not 200."""
    client = visit.tcp()
    came = client.answer_challenge(challenged(visit, client), visit.administrator, FULL)
    expect_equal("op code", int(OpCode.DELETE), came.answer.header.op_code)


@check("native.auth.final-request-id", "RFC 3652 §2.2.1.4", Need.TCP, Need.ADMIN)
def the_end_has_the_answers_request_id(visit: Visit) -> None:
    """What comes after the proof has the request id of the message with the proof."""
    client = visit.tcp()
    came = client.answer_challenge(challenged(visit, client), visit.administrator, FULL)
    expect_equal("request id", came.sent[8:12], came.raw[8:12])


_MACS = (
    ("sha1", SHA1, "SHA-1 over key, challenge, key"),
    ("sha256", MAC_SHA256, "SHA-256 over key, challenge, key"),
    ("hmac-sha1", HMAC_SHA1, "HMAC-SHA-1"),
    ("hmac-sha256", HMAC_SHA256, "HMAC-SHA-256"),
    ("pbkdf2", PBKDF2_HMAC_SHA1, "PBKDF2 and HMAC-SHA-1, what Java clients use"),
)


def _try_mac(visit: Visit, code: int) -> None:
    who = visit.somebody()
    body = HandleRequest(record_of(visit, who))
    came = visit.tcp().ask_as(who, OpCode.DELETE, body, FULL, mac_code=code)
    expect_code(came, ResponseCode.SUCCESS)


for _name, _code, _words in _MACS:
    add(
        Check(
            f"native.auth.secret-{_name}",
            f"A secret is proved by {_words} (code {_code:#04x}).",
            MANUAL,
            frozenset({Need.TCP, Need.ADMIN}),
            lambda visit, code=_code: _try_mac(visit, code),  # type: ignore[misc]
        )
    )


@check("native.auth.pbkdf2-other-parameters", f"{MANUAL}; RFC 8018", Need.TCP, Need.ADMIN)
def pbkdf2_takes_other_parameters(visit: Visit) -> None:
    """The client chooses salt, iterations and key length of PBKDF2, within reason."""
    client, who = visit.tcp(), visit.somebody()
    first = client.ask(OpCode.DELETE, HandleRequest(record_of(visit, who)), FULL)
    derivation = Derivation(secrets.token_bytes(20), 2_000, 256)
    key = derive_key(who.secret or b"", derivation)
    proof = SecretProof(PBKDF2_HMAC_SHA1, mac(HMAC_SHA1, key, challenge_of(first)), derivation)
    came = answer(client, first, by_secret(who, encode_secret_proof(proof)))
    expect_code(came, ResponseCode.SUCCESS)


@check("native.auth.public-key", f"{MANUAL}; RFC 8017", Need.TCP, Need.ADMIN)
def a_public_key_is_proved(visit: Visit) -> None:
    """A private RSA key is proved by its signature with SHA-256 over nonce and digest."""
    who = visit.somebody_with_key()
    came = visit.tcp().ask_as(who, OpCode.DELETE, HandleRequest(record_of(visit, who)), FULL)
    expect_code(came, ResponseCode.SUCCESS)


@check(
    "native.auth.public-key-as-pem",
    "id-pointer-sdk 2.3.1: HS_PUBKEY as PEM text",
    Need.TCP,
    Need.ADMIN,
)
def a_public_key_may_be_pem_text(visit: Visit) -> None:
    """An HS_PUBKEY value may be the bare PEM text of an X.509 public key."""
    who = visit.somebody_with_key()
    assert who.key is not None
    pem = who.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    name = visit.make(Value(KEY_INDEX, "HS_PUBKEY", pem))
    other = Account(name, KEY_INDEX, key=who.key)
    came = visit.tcp().ask_as(other, OpCode.DELETE, HandleRequest(record_of(visit, other)), FULL)
    expect_code(came, ResponseCode.SUCCESS)


@check(
    "native.auth.version-2-1",
    "RFC 3652 §3.5: SHA-1, what clients of 2.1 know",
    Need.TCP,
    Need.ADMIN,
)
def old_clients_prove_themselves(visit: Visit) -> None:
    """A client of version 2.1 is challenged with a SHA-1 digest, and proves a secret by SHA-1."""
    who = visit.somebody()
    fields = FULL._replace(version=(2, 1), suggested=(2, 1))
    client = visit.tcp()
    first = client.ask(OpCode.DELETE, HandleRequest(record_of(visit, who)), fields)
    if first.code == ResponseCode.PROTOCOL_ERROR:
        raise NotOffered("2.1 is not spoken")
    expect_challenge(first)
    assert first.answer.digest is not None
    expect_equal("digest type", SHA1_DIGEST, first.answer.digest.type)
    expect_code(client.answer_challenge(first, who, fields), ResponseCode.SUCCESS)


@check("native.auth.account-elsewhere", f"{MANUAL}; RFC 3651 §3.2.1", Need.TCP, Need.ADMIN)
def any_handle_may_be_an_account(visit: Visit) -> None:
    """Any handle with an HS_SECKEY can be named in HS_ADMIN and prove itself."""
    who = visit.somebody()
    came = visit.tcp().ask_as(who, OpCode.DELETE, HandleRequest(record_of(visit, who)), FULL)
    expect_code(came, ResponseCode.SUCCESS)


@check(
    "native.auth.repeated-answer",
    "Handle.Net 9.2 client: retries with the same bytes",
    Need.TCP,
    Need.ADMIN,
)
def the_same_answer_again_gets_the_same_word(visit: Visit) -> None:
    """The same message with a proof, sent again by a client that heard nothing, gets the same word or is refused."""
    client = visit.tcp()
    came = client.answer_challenge(challenged(visit, client), visit.administrator, FULL)
    again = client.ask_raw(came.sent)
    expect_code(again, came.code, *NOT_PROVED)


@check("native.auth.replayed-challenge", ANSWER, Need.TCP, Need.ADMIN)
def a_challenge_is_good_for_one_answer(visit: Visit) -> None:
    """A challenge that was answered is used up: another message with a proof for it does nothing."""
    client, who = visit.tcp(), visit.administrator
    first = challenged(visit, client)
    for proof_is_used in (False, True):
        body = sign_challenge(who, challenge_of(first))
        came = answer(client, first, body)
        if proof_is_used:
            expect_code(came, *(code for code in REFUSED if code != ResponseCode.HANDLE_NOT_FOUND))
        else:
            expect_proved(came)


@check("native.auth.unknown-challenge", ANSWER, Need.TCP, Need.ADMIN)
def an_answer_without_a_challenge_is_refused(visit: Visit) -> None:
    """A proof for a challenge that was never sent is refused."""
    client, who = visit.tcp(), visit.administrator
    body = sign_challenge(who, secrets.token_bytes(48))
    fields = FULL._replace(session_id=secrets.randbelow(2**31 - 2) + 1)
    came = client.ask(OpCode.CHALLENGE_ANSWER, body, fields)
    codes = (code for code in REFUSED if code != ResponseCode.HANDLE_NOT_FOUND)
    expect_code(came, *codes, ResponseCode.SESSION_FAILED)


@check("native.auth.verified", VERIFY, Need.TCP, Need.ADMIN)
def a_proof_is_verified_for_others(visit: Visit) -> None:
    """Op 201 says of a secret that the node holds whether a proof with it is right: 1, or 0."""
    who = visit.somebody()
    nonce, request = secrets.token_bytes(16), payload_of(request_bytes(OpCode.DELETE, HEARTBEAT))
    for secret, verdict in ((who.secret, 1), (b"wrong secret", 0)):
        came = _verify(visit.tcp(), who, secret or b"", nonce, request)
        body = came.answer.body
        assert isinstance(body, VerifyAnswer)
        expect_equal("verdict", verdict, body.verdict)


def _verify(client: Client, who: Account, secret: bytes, nonce: bytes, request: bytes) -> Exchange:
    digest = request_digest(OWN, request)
    content = challenge_content(nonce, digest.value)
    response = sign_challenge(Account(who.handle, who.index, secret), content).signed_response
    body = VerifyRequest(who.handle, who.index, nonce, digest, response)
    return expect_code(client.ask(OpCode.VERIFY_CHALLENGE, body), ResponseCode.SUCCESS)


def expect_kept(visit: Visit, name: bytes) -> None:
    """The record that was not to be deleted is there."""
    came = resolve(visit.tcp(), name)
    if came.code != ResponseCode.SUCCESS:
        raise Failed("nothing deleted", describe(came))


def record_of(visit: Visit, who: Account) -> bytes:
    """A record that ``who`` administers."""
    return visit.make(Value(1, "URL", b"x"), visit.admin_value(who, index=101))


def by_secret(who: Account, signed_response: bytes) -> ChallengeAnswer:
    """The body of op 200 with a hand-made proof."""
    return ChallengeAnswer(SECRET_KEY, who.handle, who.index, signed_response)
