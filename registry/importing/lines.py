"""Whole lines out of a stream of bytes, in bounded memory: of a line that never ends only the beginning is kept."""

from typing import NamedTuple

MAX_ROW_BYTES = 1_048_576
"""No row of a real export comes near it; the largest record is 250,000 bytes."""
KEPT_OF_OVERLONG_BYTES = 200
"""As much of an overlong line as a person needs to find it."""


class Lines(NamedTuple):
    """Bytes that end with a line end (or with the file), and where in the file they begin."""

    first_line: int
    """Line number of the first line, from 1."""
    data: bytes
    overlong: tuple[int, ...] = ()
    """Line numbers of lines in ``data`` that were over ``MAX_ROW_BYTES``; only their beginnings are there."""


class LineCutter:
    """Feed it chunks of at most ``MAX_ROW_BYTES``; it gives back whole lines and keeps the unfinished one."""

    def __init__(self) -> None:
        self._rest = b""
        self.next_line = 1
        """Line number of whatever is fed next."""
        self._is_skipping = False

    def feed(self, chunk: bytes) -> Lines | None:
        """The lines that are whole now; None when there is none."""
        if self._is_skipping:
            _, newline, chunk = chunk.partition(b"\n")
            if not newline:
                return None
            return self._after_overlong(chunk)
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._keep(self._rest + chunk)
            return None
        data, rest = self._rest + chunk[:cut], chunk[cut:]
        overlong: tuple[int, ...] = ()
        if (
            len(data) > MAX_ROW_BYTES
        ):  # only the first line can be too long: the others lie within one chunk
            end = data.find(b"\n")
            if end > MAX_ROW_BYTES:
                data, overlong = _beginning(data) + data[end:], (self.next_line,)
        self._keep(rest)
        return self._lines(data, overlong)

    def finish(self) -> Lines | None:
        """What is left when the file does not end with a line end."""
        data, self._rest = self._rest, b""
        overlong = (self.next_line,) if self._is_skipping else ()
        return self._lines(data, overlong) if data else None

    def _after_overlong(self, chunk: bytes) -> Lines:
        cut = chunk.rfind(b"\n") + 1
        data = self._rest + b"\n" + chunk[:cut]
        self._is_skipping = False
        self._keep(chunk[cut:])
        return self._lines(data, (self.next_line,))

    def _keep(self, rest: bytes) -> None:
        self._is_skipping = len(rest) > MAX_ROW_BYTES
        self._rest = _beginning(rest) if self._is_skipping else rest

    def _lines(self, data: bytes, overlong: tuple[int, ...]) -> Lines:
        lines = Lines(self.next_line, data, overlong)
        self.next_line += data.count(b"\n")
        return lines


def _beginning(line: bytes) -> bytes:
    # Without its quotes: an open one must not swallow the lines that follow.
    return line[:KEPT_OF_OVERLONG_BYTES].replace(b'"', b"'")
