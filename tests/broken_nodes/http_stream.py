"""HTTP on the wire for the node in between: where requests end in a stream of bytes, and answers read and written.

Requests that a strict parser refuses are no requests here either: from there on all bytes are passed on as they are.
"""

import asyncio
import re

from tests.broken_nodes.breakage import Answered, Asked, Scene

MOST_HEAD_BYTES = 16_384
"""Longer heads are passed on unread; only checks of limits send such."""
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,9})[ \t]*\r?$")
_UNUSUAL = re.compile(rb"(?im)^(transfer-encoding|expect|upgrade)[ \t]*:")
_LINE = re.compile(rb"[A-Z]+ [^ \r\n]+ HTTP/1\.[01]\r\n")
_NO_BODY = frozenset({204, 304})


class Requests:
    """Feed it what a client sends; it says which requests are whole."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.pending = b""
        """Of the request that is not whole yet."""
        self.is_odd = False
        """No more requests are told apart."""

    def feed(self, data: bytes) -> list[Asked]:
        """The requests that these bytes complete."""
        self.pending += data
        whole: list[Asked] = []
        while not self.is_odd and (end := self._end()):
            whole.append(Asked(self.pending[:end], self._scene))
            self.pending = self.pending[end:]
        return whole

    def _end(self) -> int:
        """Where the first request ends; 0 = not yet."""
        head, separator, _ = self.pending.partition(b"\r\n\r\n")
        if not separator:
            self.is_odd = len(self.pending) > MOST_HEAD_BYTES
            return 0
        lengths = _LENGTH.findall(head)
        declared = head.lower().count(b"\ncontent-length")
        self.is_odd = (
            not _LINE.match(self.pending)
            or _UNUSUAL.search(head) is not None
            or declared != len(lengths)
            or declared > 1
        )
        if self.is_odd:
            return 0
        end = len(head) + 4 + (int(lengths[0]) if lengths else 0)
        return end if len(self.pending) >= end else 0


async def read_answer(reader: asyncio.StreamReader, *, is_head: bool) -> Answered | None:
    """One answer; None at the end of the connection, or when it breaks off."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.rstrip("\r\n").split("\r\n")
        status = int(line.split(" ")[1])
        fields = tuple((n, v.strip()) for n, _, v in (x.partition(":") for x in lines))
        answered = Answered(status, fields)
        if is_head or status in _NO_BODY or status < 200:
            return answered
        return answered._replace(body=await _read_body(reader, answered))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _read_body(reader: asyncio.StreamReader, answered: Answered) -> bytes:
    if "chunked" not in answered.field("Transfer-Encoding").lower():
        length = answered.field("Content-Length")
        return await (reader.readexactly(int(length)) if length else reader.read())
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def write_answer(answered: Answered, *, is_head: bool) -> bytes:
    """The answer's bytes, with a length that fits the body."""
    framing = {"transfer-encoding", "content-length"}
    has_body = not (is_head or answered.status in _NO_BODY or answered.status < 200)
    kept = [(n, v) for n, v in answered.fields if is_head or n.lower() not in framing]
    if has_body:
        kept.append(("Content-Length", str(len(answered.body))))
    lines = [f"HTTP/1.1 {answered.status} Told", *(f"{name}: {value}" for name, value in kept)]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + answered.body if has_body else head
