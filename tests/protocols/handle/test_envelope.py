"""Datagrams are judged on envelope and response code alone; what is no request gets silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed
from protocols.handle.codes import ResponseCode
from protocols.handle.envelope import (
    ACCEPT,
    IGNORE,
    Action,
    Envelope,
    accept,
    decode_envelope,
    encode_envelope,
)
from tests.vectors.handle_vectors import ENCRYPTED, FRAGMENTS, MESSAGES, bytes_of

QUESTION = bytes_of("udp_resolution_request")


def patched(at: int, replacement: bytes) -> bytes:
    return QUESTION[:at] + replacement + QUESTION[at + len(replacement) :]


@given(st.binary(min_size=20, max_size=20))
def test_every_envelope_round_trips(data: bytes) -> None:
    assert encode_envelope(decode_envelope(data)) == data


def test_flags_and_suggested_version_share_byte_two() -> None:
    envelope = decode_envelope(b"\2\x0b\xe2\x0b" + bytes(16))
    assert (envelope.flags, envelope.suggested) == (0xE0, (2, 11))


@pytest.mark.parametrize("size", range(20))
def test_a_short_envelope_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        decode_envelope(bytes(size))


@pytest.mark.parametrize("name", MESSAGES)
def test_requests_are_accepted_and_answers_ignored(name: str) -> None:
    data = bytes_of(name)
    is_request = data[24:28] == bytes(4)
    assert accept(data) is (ACCEPT if is_request else IGNORE)


@pytest.mark.parametrize("size", range(44))
def test_what_cannot_hold_a_header_gets_silence(size: int) -> None:
    assert accept(QUESTION[:size]) is IGNORE


@pytest.mark.parametrize(
    ("datagram", "verdict"),
    [
        (patched(24, (1).to_bytes(4)), IGNORE),
        (patched(24, b"\xff\xff\xff\xff"), IGNORE),
        (patched(12, (1).to_bytes(4)), IGNORE),
        (patched(0, b"\1"), IGNORE),
        (patched(0, b"\x04"), IGNORE),
        (patched(0, b"GET / HTTP/1.1\r\n"), IGNORE),
        (bytes_of(FRAGMENTS[1]), IGNORE),
        (bytes_of(FRAGMENTS[0]), ResponseCode.ERROR),
        (patched(0, b"\2\0"), ResponseCode.PROTOCOL_ERROR),
        (patched(2, b"\x82"), ResponseCode.PROTOCOL_ERROR),
        (patched(2, b"\x42"), ACCEPT),
        (QUESTION + b"\0", ResponseCode.PROTOCOL_ERROR),
        (QUESTION[:-1], ResponseCode.PROTOCOL_ERROR),
        (patched(0, b"\3\0\3\0"), ACCEPT),
        (patched(0, b"\2\1\0\0"), ACCEPT),
    ],
)
def test_each_kind_of_datagram_gets_its_verdict(datagram: bytes, verdict: object) -> None:
    judged = accept(datagram)
    if isinstance(verdict, ResponseCode):
        assert (judged.action, judged.response_code) == (Action.REFUSE, verdict)
        assert judged.reason
    else:
        assert judged is verdict


@pytest.mark.parametrize("cipher", [bytes(4), b"\0\0\0\1", b"\xff" * 4])
def test_an_encrypted_datagram_is_accepted_without_a_look_inside(cipher: bytes) -> None:
    # No response code can be seen through the cipher; whose session it is, and whether it is one, is seen later.
    whole = bytes_of(ENCRYPTED)
    assert accept(whole[:24] + cipher + whole[28:]) is ACCEPT


@given(st.binary(max_size=120))
def test_any_datagram_is_judged_without_an_exception(data: bytes) -> None:
    accept(data)
    accept(b"\2\x0b\2\x0b" + data)


def test_the_default_envelope_is_ours() -> None:
    assert encode_envelope(Envelope(request_id=1))[:12] == b"\2\x0b\2\x0b" + bytes(7) + b"\1"
