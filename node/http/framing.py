"""Framing: where requests begin and end in the bytes of one connection (RFC 9112 §2.1, §6, §7.1).

aiohttp parses requests; this only counts them, so that a deadline can start with the first byte of a request and end
with its last, and so that plain requests are answered ahead of aiohttp between two requests only. There the two must
agree: what is taken for the end too early lets the body of one request speak as the next (RFC 9112 §11.2).
"""

import re

MAX_HEAD_BYTES = 32_768
"""Request line and header fields. The longest identifier, percent-encoded, takes 6 KiB; browsers' cookies the rest."""
MAX_LINE_BYTES = 4096
"""A chunk-size or trailer line; nobody sends more than a few dozen bytes."""

_HEAD_END = b"\r\n\r\n"
_CONTENT_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]+)[ \t]*\r?$")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:[^\r\n]*chunked")
_ENDLESS = 2**63
"""In place of lengths with more digits: nobody sends so much, and aiohttp would wait for it."""
_HEX = re.compile(rb"[0-9A-Fa-f]{1,16}")
_HEAD, _BODY, _CHUNK_SIZE, _CHUNK_DATA, _TRAILERS = range(5)


class Framing:
    """Feed it every byte received, in any pieces; ``completed`` counts whole requests."""

    __slots__ = (
        "_head",
        "_left",
        "_line",
        "_state",
        "completed",
        "is_between",
        "is_broken",
        "is_too_long",
    )

    def __init__(self) -> None:
        self.completed = 0
        self.is_between = True
        """No request has begun that is not complete."""
        self.is_too_long = False
        """A head is above ``MAX_HEAD_BYTES``, or a chunk line above ``MAX_LINE_BYTES``."""
        self.is_broken = False
        """A chunk has no size: there is no telling where this request ends."""
        self._state = _HEAD
        self._head = bytearray()
        self._line = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> None:
        """Count what the next bytes complete."""
        if (
            self.is_between
            and data.startswith((b"GET ", b"HEAD "))
            and data.find(_HEAD_END) == len(data) - 4
            and len(data) <= MAX_HEAD_BYTES
            and b"content-length" not in (lower := data.lower())
            and b"transfer-encoding" not in lower
        ):  # nearly every read is one whole question; spare it the state machine
            self.completed += 1
            return
        offset = 0
        while offset < len(data) and not (self.is_too_long or self.is_broken):
            offset = self._step(data, offset)

    def _step(self, data: bytes, offset: int) -> int:
        """Consume part of ``data`` from ``offset`` in the present state; returns the new offset."""
        match self._state:
            case 0:  # _HEAD
                return self._take_head(data, offset)
            case 1 | 3:  # _BODY, _CHUNK_DATA
                taken = min(self._left, len(data) - offset)
                self._left -= taken
                if not self._left:
                    self._end_of_data()
                return offset + taken
            case _:  # _CHUNK_SIZE, _TRAILERS
                return self._take_line(data, offset)

    def _take_head(self, data: bytes, offset: int) -> int:
        head = self._head
        if not head:
            while offset < len(data) and data[offset] in b"\r\n":  # RFC 9112 §2.2: empty lines
                offset += 1
            if offset == len(data):
                return offset
            self.is_between = False
        searched = max(0, len(head) - 3)
        room = MAX_HEAD_BYTES + 1 - len(head)
        piece = data[offset : offset + room]
        before = len(head)
        head += piece
        end = head.find(_HEAD_END, searched)
        if end < 0 or end + 4 > MAX_HEAD_BYTES:
            self.is_too_long = len(head) > MAX_HEAD_BYTES
            return offset + len(piece)
        del head[end + 4 :]
        self._begin_body(bytes(head))
        head.clear()
        return offset + end + 4 - before

    def _begin_body(self, head: bytes) -> None:
        if _CHUNKED.search(head):
            self._state = _CHUNK_SIZE
            return
        length = _CONTENT_LENGTH.search(head)
        digits = length[1].lstrip(b"0") if length else b""
        self._left = int(digits or b"0") if len(digits) <= 18 else _ENDLESS
        self._state = _BODY
        if not self._left:
            self._end_of_data()

    def _end_of_data(self) -> None:
        if self._state == _BODY:
            self._end_of_request()
        else:
            self._state = _CHUNK_SIZE

    def _take_line(self, data: bytes, offset: int) -> int:
        newline = data.find(b"\n", offset)
        end = len(data) if newline < 0 else newline + 1
        self._line += data[offset:end]
        if len(self._line) > MAX_LINE_BYTES:
            self.is_too_long = True
        elif newline >= 0:
            line = bytes(self._line).strip()
            self._line.clear()
            if self._state == _TRAILERS:
                if not line:
                    self._end_of_request()
            else:
                self._begin_chunk(line)
        return end

    def _begin_chunk(self, line: bytes) -> None:
        text = line.partition(b";")[0].strip()
        if not _HEX.fullmatch(text):  # int() alone takes "-6", which would send us back for ever
            self.is_broken = True
            return
        size = int(text, 16)
        self._left = size + 2  # and its CRLF
        self._state = _CHUNK_DATA if size else _TRAILERS

    def _end_of_request(self) -> None:
        self.completed += 1
        self._state = _HEAD
        self.is_between = True
