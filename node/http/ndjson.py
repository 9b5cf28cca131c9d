"""NDJSON: lines out of a byte stream, in any pieces, with bounded memory. Pure."""

from typing import NamedTuple

MAX_LINE_BYTES = 1_048_576
"""A record of 250,000 bytes fits, base64 and escapes included."""


class Line(NamedTuple):
    """One line that is not blank."""

    number: int
    """From 1; blank lines count."""
    text: bytes
    """Without its end; empty when it was too long."""
    is_too_long: bool = False


class LineSplitter:
    """Keeps the unfinished line; of one that is too long nothing but its number."""

    __slots__ = ("_number", "_partial", "_skipping")

    def __init__(self) -> None:
        self._number = 0
        self._partial = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[Line]:
        """The lines that ``data`` completes."""
        lines: list[Line] = []
        first, *others = data.split(b"\n")
        self._take(first)
        if others:
            self._finish(lines)
            last = others.pop()
            for number, text in enumerate(others, self._number + 1):
                if len(text) > MAX_LINE_BYTES:
                    lines.append(Line(number, b"", is_too_long=True))
                elif text := text.strip():
                    lines.append(Line(number, text))
            self._number += len(others)
            self._take(last)
        return lines

    def end(self) -> list[Line]:
        """The last line when no newline ends it."""
        lines: list[Line] = []
        if self._partial or self._skipping:
            self._finish(lines)
        return lines

    def _take(self, piece: bytes) -> None:
        if self._skipping:
            return
        if len(self._partial) + len(piece) > MAX_LINE_BYTES:
            self._skipping = True
            self._partial.clear()
        else:
            self._partial += piece

    def _finish(self, lines: list[Line]) -> None:
        self._number += 1
        if self._skipping:
            lines.append(Line(self._number, b"", is_too_long=True))
        elif text := bytes(self._partial).strip():
            lines.append(Line(self._number, text))
        self._partial.clear()
        self._skipping = False
