"""Where requests end, whatever pieces the bytes come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.framing import MAX_HEAD_BYTES, MAX_LINE_BYTES, Framing

BODIES = st.binary(max_size=40)


def _with_length(body: bytes) -> bytes:
    return b"PUT /x HTTP/1.1\r\ncontent-LENGTH:  %d \r\nHost: n\r\n\r\n%b" % (len(body), body)


def _chunked(chunks: list[bytes]) -> bytes:
    pieces = b"".join(b"%X;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    return (
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + pieces
        + b"0\r\nTrailer: 1\r\n\r\n"
    )


REQUESTS = st.one_of(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n\r\n",
            b"HEAD /a HTTP/1.1\r\nHost: n\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        ]
    ),
    BODIES.map(_with_length),
    st.lists(BODIES, max_size=3).map(_chunked),
)


@given(st.lists(REQUESTS, max_size=5), st.lists(st.integers(1, 30), max_size=60))
def test_requests_are_counted_alike_in_any_pieces(requests, sizes):
    data = b"".join(requests)
    ends, at = set(), 0
    for request in requests:
        at += len(request)
        ends.add(at)
    framing, offset = Framing(), 0
    for size in [*sizes, len(data)]:
        framing.feed(data[offset : offset + size])
        offset = min(len(data), offset + size)
        assert framing.completed == sum(end <= offset for end in ends)
        if (
            framing.is_between
        ):  # right at an end, or in the empty lines that may stand before a request
            last = max((end for end in ends if end <= offset), default=0)
            assert not data[last:offset].strip(b"\r\n")
    assert framing.is_between
    assert not framing.is_too_long


def test_a_question_in_one_piece_is_a_whole_request():
    framing = Framing()
    framing.feed(b"GET /88.118/1 HTTP/1.1\r\nHost: n\r\n\r\n")
    assert (framing.completed, framing.is_between) == (1, True)


@pytest.mark.parametrize(
    "field",
    [b"content-length: 9", b"CONTENT-LENGTH: 9", b"Content-Length: 00000000000000000000009",
     b"Content-Length: 9999999999999999999", b"Transfer-Encoding: chunked", b"TRANSFER-ENCODING:\tCHUNKED"],
)  # fmt: skip
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT"])
def test_a_request_that_announces_a_body_is_not_whole_with_its_head(method, field):
    framing = Framing()
    framing.feed(method + b" /88.118/1 HTTP/1.1\r\nHost: n\r\n" + field + b"\r\n\r\n")
    assert (framing.completed, framing.is_between) == (0, False)


@given(st.integers(0, 50), BODIES)
def test_zeros_before_a_length_mean_nothing(zeros, body):
    framing = Framing()
    length = b"0" * zeros + b"%d" % len(body)
    framing.feed(b"PUT /x HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n" + body)
    assert (framing.completed, framing.is_between) == (1, True)


def test_half_a_head_is_no_request():
    framing = Framing()
    framing.feed(b"GET /88.118/1 HTTP/1.1\r\nHost: n\r\n")
    assert (framing.completed, framing.is_between) == (0, False)


def test_empty_lines_between_requests_begin_nothing():
    framing = Framing()
    framing.feed(b"\r\n\r\n")
    assert framing.is_between


@given(st.integers(1, 4000))
def test_a_head_without_end_is_too_long_at_the_limit_and_kept_no_longer(size):
    framing, fed = Framing(), 0
    while not framing.is_too_long:
        framing.feed(b"A" * size)
        fed += size
        assert fed <= MAX_HEAD_BYTES + size
    assert len(framing._head) <= MAX_HEAD_BYTES + 1


def test_a_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not():
    start = b"GET / HTTP/1.1\r\nA: "
    for extra, is_too_long in ((0, False), (1, True)):
        framing = Framing()
        framing.feed(start + b"x" * (MAX_HEAD_BYTES - len(start) - 4 + extra) + b"\r\n\r\n")
        assert framing.is_too_long is is_too_long


def test_a_chunk_line_without_end_is_too_long():
    framing = Framing()
    framing.feed(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * (MAX_LINE_BYTES + 1)
    )
    assert framing.is_too_long


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_only_ever_count(data, size):
    framing = Framing()
    for at in range(0, len(data), size):
        framing.feed(data[at : at + size])
    assert 0 <= framing.completed <= len(data)
