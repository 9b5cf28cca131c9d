"""Answers out of byte streams: in any pieces the same, and what cannot be an answer is told."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.http_reader import MAX_ANSWER_BYTES, BadAnswer, HttpReader
from bench.load.native_reader import BadStream, NativeReader
from bench.load.questions import native_question
from tests.bench.load.servers import LATER, right_answer

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\ncontent-length: 5\r\n\r\nhello"
EMPTY = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
)
TRAILED = CHUNKED[:-2] + b"X-Sum: 1\r\n\r\n"
NOTHING = b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"
STREAM = PLAIN + CHUNKED + EMPTY + TRAILED + NOTHING + PLAIN
BODIES = [b"hello", b"abc0123456789abcdef", b"", b"abc0123456789abcdef", b"", b"hello"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_http_answers_are_the_same_in_any_pieces(cuts):
    places = [0, *sorted(cuts), len(STREAM)]
    reader, found = HttpReader(), []
    for begin, end in pairwise(places):
        found += reader.feed(STREAM[begin:end])
    assert [answer.body for answer in found] == BODIES
    assert [answer.status for answer in found] == [200, 200, 404, 200, 304, 200]


def test_http_answers_are_the_same_one_byte_at_a_time():
    reader = HttpReader()
    found = [answer for byte in STREAM for answer in reader.feed(bytes([byte]))]
    assert [answer.body for answer in found] == BODIES


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_http_answer_is_told(data):
    with pytest.raises(BadAnswer):
        HttpReader().feed(data)


def test_an_http_answer_without_end_is_told():
    reader = HttpReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_ANSWER_BYTES - 30))
    with pytest.raises(BadAnswer, match="too long"):
        reader.feed(b"x" * 30)


def test_the_server_says_that_it_closes():
    reader = HttpReader()
    reader.feed(PLAIN)
    assert not reader.is_closing
    reader.feed(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert reader.is_closing


ANSWERS = [
    right_answer(bytes(native_question(f"88.118/{n}".encode(), LATER, is_miss=False).data))
    for n in range(3)
]
JOINED = b"".join(ANSWERS)


@given(st.lists(st.integers(0, len(JOINED)), max_size=8))
def test_native_answers_are_the_same_in_any_pieces(cuts):
    places = [0, *sorted(cuts), len(JOINED)]
    reader, found = NativeReader(), []
    for begin, end in pairwise(places):
        found += reader.feed(JOINED[begin:end])
    assert found == ANSWERS


@pytest.mark.parametrize("length", [0, 23, 262_145, 0xFFFF_FFFF])
def test_a_length_that_cannot_be_is_told(length):
    with pytest.raises(BadStream):
        NativeReader().feed(ANSWERS[0][:16] + length.to_bytes(4) + ANSWERS[0][20:])
