"""HTTP/1.1 answers out of a byte stream, in any pieces, with bounded memory (RFC 9112). Pure."""

import re

from bench.load.questions import HttpAnswer

MAX_ANSWER_BYTES = 8 * 1_048_576
"""Far above any answer to what the bench asks."""
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_CLOSING = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
_STATUS_AT = slice(9, 12)


class BadAnswer(ValueError):
    """This is no HTTP/1.1 answer, or one that the reader does not take."""


class HttpReader:
    """The answers of one connection, in order."""

    __slots__ = ("_rest", "is_closing")

    def __init__(self) -> None:
        self._rest = b""
        self.is_closing = False
        """The last answer said that the server closes the connection."""

    def feed(self, data: bytes) -> list[HttpAnswer]:
        """The answers that ``data`` completes. Raises ``BadAnswer``."""
        buffer = self._rest + data if self._rest else data
        answers = []
        while buffer:
            found = _read_answer(buffer)
            if found is None:
                if len(buffer) > MAX_ANSWER_BYTES:
                    raise BadAnswer("too long")
                break
            answer, end = found
            answers.append(answer)
            self.is_closing = self.is_closing or _CLOSING.search(answer.head) is not None
            buffer = buffer[end:]
        self._rest = buffer
        return answers


def _read_answer(buffer: bytes) -> tuple[HttpAnswer, int] | None:
    """One answer and where it ends; None while bytes are missing."""
    head_end = buffer.find(b"\r\n\r\n") + 4
    if head_end < 4:
        return None
    head = buffer[: head_end - 2]
    status = head[_STATUS_AT]
    if not head.startswith(b"HTTP/1.") or not status.isdigit():
        raise BadAnswer("no status line")
    length = _LENGTH.search(head)
    if length is not None:
        end = head_end + int(length[1])
        if len(buffer) < end:
            return None
        return HttpAnswer(int(status), head, buffer[head_end:end]), end
    if status in {b"204", b"304"}:
        return HttpAnswer(int(status), head, b""), head_end
    if _CHUNKED.search(head) is None:
        raise BadAnswer("neither Content-Length nor chunks")
    body = _read_chunks(buffer, head_end)
    return None if body is None else (HttpAnswer(int(status), head, body[0]), body[1])


def _read_chunks(buffer: bytes, start: int) -> tuple[bytes, int] | None:
    """The body and where it ends; None while bytes are missing. Trailers are skipped."""
    pieces: list[bytes] = []
    while True:
        line_end = buffer.find(b"\r\n", start)
        if line_end < 0:
            return None
        try:
            size = int(buffer[start:line_end].partition(b";")[0], 16)
        except ValueError:
            raise BadAnswer("no chunk size") from None
        start = line_end + 2
        if size == 0:
            end = (
                start if buffer.startswith(b"\r\n", start) else buffer.find(b"\r\n\r\n", start) + 2
            )
            if end < start or len(buffer) < end + 2:
                return None
            return b"".join(pieces), end + 2
        if len(buffer) < start + size + 2:
            return None
        pieces.append(buffer[start : start + size])
        start += size + 2
