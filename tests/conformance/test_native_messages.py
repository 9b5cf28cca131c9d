"""Requests and proofs of the suite's client are those that Java clients make, byte for byte."""

import pytest

from conformance.asking import FULL
from conformance.native_messages import (
    Exchange,
    Fields,
    challenge_of,
    make_request,
    payload_of,
    read_answer,
    request_bytes,
    sign_challenge,
)
from conformance.native_session import GROUP_1024, GROUP_2048, Session
from conformance.outcome import Failed
from conformance.target import Account
from protocols.handle.administration import HandleRequest
from protocols.handle.authentication import ChallengeAnswer
from protocols.handle.codec import decode, encode, encode_payload
from protocols.handle.codes import OpCode
from protocols.handle.macs import HMAC_SHA256
from protocols.handle.proof import decode_secret_proof, secret_is_right
from protocols.handle.resolution import ResolveRequest
from protocols.handle.signing import mac_is_right

RESOLUTION_REQUEST = bytes.fromhex(
    "020b020b000000001122334400000000000000380000000100000000190000 00ffff00006a0000000000001c"
    "0000001032302e3530302e39393939392f41623100000000 00000000 00000000".replace(" ", "")
)
"""``20.500.99999/Ab1``, as the Handle.Net 9.2 client encodes it."""
CHALLENGE = bytes.fromhex(
    "020b020b000000050000000700000000000000510000006400000192"
    "19800000000100006a00000000000035"
    "03be87fe75a93b190470d20286170ab2c6000a734d1509146fa31cac6e9bca7b7f"
    "00000010a0a1a2a3a4a5a6a7a8a9aaabacadaeaf00000000"
)  # fmt: skip
"""RC 402 to a create."""


def test_a_question_is_the_java_clients_byte_for_byte() -> None:
    fields = Fields(request_id=0x11223344, expiration_s=0x6A000000)
    made = request_bytes(OpCode.RESOLVE, ResolveRequest(b"20.500.99999/Ab1"), fields)
    assert made == RESOLUTION_REQUEST


def test_the_payload_is_header_and_body_alone() -> None:
    message = make_request(OpCode.RESOLVE, ResolveRequest(b"0"), Fields(surplus=b"more"))
    assert payload_of(encode(message)) == encode_payload(message)


def test_a_login_may_end_after_its_body() -> None:
    made = request_bytes(OpCode.RESOLVE, ResolveRequest(b"0"), Fields(has_credential_length=False))
    assert not decode(made).has_credential_length


def test_what_is_signed_is_nonce_and_digest() -> None:
    exchange = Exchange(RESOLUTION_REQUEST, decode(CHALLENGE), CHALLENGE)
    assert challenge_of(exchange).hex() == (
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
        "be87fe75a93b190470d20286170ab2c6000a734d1509146fa31cac6e9bca7b7f"
    )


def test_proofs_by_secret_are_right_by_default_and_by_choice() -> None:
    who = Account(b"0.NA/88.118", 300, b"s3cret")
    for code in (None, HMAC_SHA256):
        answer = sign_challenge(who, b"content", mac_code=code)
        assert isinstance(answer, ChallengeAnswer)
        proof = decode_secret_proof(answer.signed_response)
        assert secret_is_right(proof, b"s3cret", b"content")
        assert not secret_is_right(proof, b"other", b"content")


def test_messages_of_a_session_count_and_have_its_mac() -> None:
    session = Session(77, bytes(range(32)))
    for counter in (1, 2):
        sent = decode(encode(session.message(OpCode.DELETE, HandleRequest(b"a/b"), FULL)))
        assert sent.envelope.session_id == 77
        assert sent.credential is not None
        assert sent.credential.counter == counter
        assert mac_is_right(sent.credential, session.key, sent.envelope, sent.received)


def test_the_groups_are_safe_primes_of_their_length() -> None:
    assert GROUP_1024.p.bit_length() == 1024
    assert GROUP_2048.p.bit_length() == 2048
    for group in (GROUP_1024, GROUP_2048):
        assert pow(2, group.p - 1, group.p) == 1
        assert pow(2, (group.p - 1) // 2 - 1, (group.p - 1) // 2) == 1


def test_a_request_is_not_taken_for_an_answer() -> None:
    with pytest.raises(Failed, match="response code 0"):
        read_answer(RESOLUTION_REQUEST)
