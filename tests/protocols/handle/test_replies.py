"""An answer copies what it must from its request, has our version, and names the request when asked to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.handle.administration import Done
from protocols.handle.authentication import Challenge
from protocols.handle.codec import decode, decode_head, encode
from protocols.handle.digest import digest_matches
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import ResolveAnswer
from tests.protocols.handle.messages import VERSIONS, messages_of
from tests.vectors.handle_vectors import bytes_of, payload_of

NOW = 1_778_384_896


def answer(request: str, code: int, body: object, **given_: int):
    return reply(decode(bytes_of(request)), code, body, serial=1, expiration_s=NOW, **given_)


def test_a_resolution_answer_equals_the_reference_but_for_the_primary_flag() -> None:
    expected = decode(bytes_of("udp_resolution_response"))
    body = ResolveAnswer(expected.body.handle, expected.body.values)
    got = encode(answer("udp_resolution_request", 1, body))
    reference = bytes_of("udp_resolution_response")
    assert got[:28] + reference[28:29] + got[29:] == reference
    assert got[28] == reference[28] | 0x80


def test_an_error_with_digest_equals_the_reference() -> None:
    request = decode(bytes_of("resolution_request_filtered_auth_rrdg"))
    got = error_reply(request, 100, "HANDLE NOT FOUND", serial=1, expiration_s=NOW)
    assert encode(got) == bytes_of("error_100_with_request_digest")


def test_a_challenge_equals_the_reference_but_for_the_primary_flag() -> None:
    nonce = decode(bytes_of("challenge_402")).body.nonce
    message = answer("create_request_overwrite", 402, Challenge(nonce), session_id=5)
    message = message._replace(header=message.header._replace(op_flags=0x19800000))
    assert encode(message) == bytes_of("challenge_402")


def test_the_captured_login_challenge_digest_is_made_again() -> None:
    expected = decode(bytes_of("sdk_e2e_login_challenge"))
    message = answer("sdk_e2e_login_2001_request", 402, expected.body)
    assert message.digest == expected.digest
    assert message.envelope == expected.envelope._replace(length=0)


@given(data=st.data(), version=st.sampled_from(VERSIONS), op_code=st.sampled_from((1, 100, 105)))
def test_every_answer_can_be_decoded_and_names_its_request(
    data: st.DataObject, version: tuple[int, int], op_code: int
) -> None:
    sent = encode(data.draw(messages_of(op_code, 0, version)))
    request = decode(sent)
    got = decode(encode(error_reply(request, 2, "no", serial=9, expiration_s=NOW)))
    assert got.header.op_code == op_code
    assert got.envelope.request_id == request.envelope.request_id
    assert got.envelope.session_id == request.envelope.session_id
    assert (got.envelope.flags, got.envelope.sequence) == (0, 0)
    assert (2, 1) <= got.envelope.version <= max(version, (2, 11))
    assert got.header.op_flags & 0x90000000 == 0x90000000
    assert got.header.op_flags & ~0x90000000 == request.header.op_flags & 0x69900000
    assert (got.header.site_serial, got.header.expiration_s) == (9, NOW)
    assert (got.digest is not None) == bool(request.header.op_flags & 0x00800000)
    if got.digest:
        assert digest_matches(got.digest, request.received)


def test_a_request_with_a_bad_body_is_answered_from_its_head() -> None:
    data = bytearray(bytes_of("resolution_request_filtered_auth_rrdg"))
    data[44:48] = b"\xff\xff\xff\xff"
    got = error_reply(decode_head(bytes(data)), 4, "handle runs past", serial=1, expiration_s=NOW)
    assert decode(encode(got)).body.text == "handle runs past"
    assert digest_matches(got.digest, bytes(data[20:-4]))
    assert not digest_matches(got.digest, payload_of("resolution_request_filtered_auth_rrdg"))


@pytest.mark.parametrize(("version", "code"), [((2, 4), 303), ((2, 5), 7), ((2, 11), 7)])
def test_codes_are_spelled_for_the_version_of_the_answer(
    version: tuple[int, int], code: int
) -> None:
    request = decode(bytes(version * 2) + bytes_of("delete_request")[4:])
    assert reply(request, 7, Done(), serial=1, expiration_s=NOW).header.response_code == code
