"""Chunk sizes that lie: the counter of requests must always move on, whatever number a client writes.

A negative size once sent it backwards, and one request of a hundred bytes held the worker for ever.
"""

import pytest

from node.http.framing import Framing

HEAD = b"PUT /api/handles/88.118/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LIES = [b"-6", b"-1", b"-0", b"+5", b"0x5", b"1_0", b"5 5", b"", b";", b"g", b"\xc2\xb2", b"f" * 17]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("size", LIES)
def test_a_chunk_size_that_is_no_hexadecimal_number_leaves_the_request_unfinished(
    size: bytes,
) -> None:
    framing = Framing()
    framing.feed(HEAD + size + b"\r\nXXXX\r\n0\r\n\r\n" + b"GET / HTTP/1.1\r\n\r\n")
    assert framing.completed == 0
    assert not framing.is_between  # so its deadline goes on and ends it


@pytest.mark.parametrize("size", [b"4", b"0004", b"4;name=value", b"4 ", b"4\t;x"])
def test_chunk_sizes_as_they_are_written_are_counted(size: bytes) -> None:
    framing = Framing()
    framing.feed(HEAD + size + b"\r\nXXXX\r\n0\r\n\r\n")
    assert framing.completed == 1
    assert framing.is_between
