"""A TCP stream is cut into messages at any cut of its bytes, bounded by what came, and ends at the first violation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.handle.stream import MAX_QUESTION_BYTES, MessageStream
from tests.fuzz.memory import peak_of, tracing
from tests.vectors.handle_vectors import ENCRYPTED, MESSAGES, bytes_of

QUESTION = bytes_of("udp_resolution_request")
DELETE = bytes_of("delete_request")


def long_message(op_code: int, payload_bytes: int) -> bytes:
    envelope = b"\2\x0b\2\x0b" + bytes(12) + payload_bytes.to_bytes(4)
    return envelope + op_code.to_bytes(4) + bytes(payload_bytes - 4)


@given(
    st.lists(st.sampled_from([*MESSAGES, ENCRYPTED]), max_size=6),
    st.lists(st.integers(1, 400), max_size=20),
)
def test_messages_come_out_the_same_at_any_cut(names: list[str], cuts: list[int]) -> None:
    sent, stream, got, start = b"".join(map(bytes_of, names)), MessageStream(), [], 0
    for size in [*cuts, len(sent)]:
        got += stream.receive(sent[start : start + size])
        start += size
    assert got == [bytes_of(name) for name in names]
    assert stream.buffered_bytes == 0


def test_an_unfinished_message_waits_for_its_rest() -> None:
    stream = MessageStream()
    assert stream.receive(QUESTION + DELETE[:50]) == [QUESTION]
    assert stream.buffered_bytes == 50
    assert stream.receive(DELETE[50:]) == [DELETE]


@pytest.mark.parametrize("op_code", [1, 2])
def test_a_question_may_have_8_kib_and_no_more(op_code: int) -> None:
    fitting = long_message(op_code, MAX_QUESTION_BYTES)
    assert MessageStream().receive(fitting) == [fitting]
    stream = MessageStream()
    big = long_message(op_code, MAX_QUESTION_BYTES + 1)
    assert stream.receive(big[:43]) == []
    assert stream.failure is None
    assert stream.receive(big[43:44]) == []  # refused as soon as the header is whole
    assert isinstance(stream.failure, TooLarge)
    assert stream.failed_head.header.op_code == op_code
    assert stream.buffered_bytes == 0


def test_other_operations_and_answers_may_be_long() -> None:
    create = long_message(100, 262_144)
    assert MessageStream().receive(create) == [create]
    answer = long_message(1, 100_000)
    assert MessageStream(limits={}).receive(answer) == [answer]


def test_a_message_above_262144_bytes_is_refused_on_its_envelope() -> None:
    stream = MessageStream()
    assert stream.receive(long_message(100, 262_145)[:20]) == []
    assert isinstance(stream.failure, TooLarge)
    assert stream.failed_head is None


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Unsupported),
        (b"\x16\x03\x01\x02\x00\x01" + bytes(40), Unsupported),
        (b"\2\x0b\2\x0b" + bytes(12) + (23).to_bytes(4), Malformed),
        (b"\2\x0b\x42\x0b" + bytes(12) + (31).to_bytes(4), Malformed),
        (b"\2\x0b\2\x0b" + bytes(12) + b"\xff\xff\xff\xff", TooLarge),
    ],
)
def test_the_first_violation_ends_the_stream(first: bytes, error: type) -> None:
    stream = MessageStream()
    assert stream.receive(QUESTION + first) == [QUESTION]  # what came whole before is delivered
    assert isinstance(stream.failure, error)
    assert stream.receive(QUESTION) == []
    assert stream.buffered_bytes == 0


def test_a_length_field_reserves_nothing() -> None:
    with tracing():
        stream = MessageStream()
        start = b"\2\x0b\2\x0b" + bytes(12) + (262_144).to_bytes(4)
        assert peak_of(lambda: stream.receive(start)) < 8192
        assert stream.buffered_bytes == 20


def test_a_slow_sender_costs_what_it_sent() -> None:
    message = long_message(100, 60_000)
    with tracing():
        stream = MessageStream()

        def trickle() -> None:
            for at in range(0, 50_000, 100):
                stream.receive(message[at : at + 100])

        assert peak_of(trickle) < 2 * 50_000 + 16_384
    assert stream.buffered_bytes == 50_000
