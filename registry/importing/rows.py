"""Row blocks: the rows of one stretch of a file, the refused ones named, all with their line numbers.

``rows[i]`` is ``[]`` for a blank line (which is no row at all) and for a refused row, which ``bad[i]`` explains.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from registry.importing.lines import MAX_ROW_BYTES, Lines

NOT_ENCODED, ZERO_BYTE, TOO_LONG = "encoding", "zero byte", "too long"
ESCAPED = "surrogateescape"
"""How undecodable bytes travel through parsing: as lone surrogates, which no encoding read here can produce."""


class Fault(NamedTuple):
    """Why a row is refused: ``reason`` is one of few fixed words, ``detail`` says it of this row."""

    reason: str
    detail: str = ""
    field: str = ""
    """The column, when the trouble is in one."""


class Text(NamedTuple):
    """Decoded lines."""

    first_line: int
    text: str
    codec: str
    overlong: tuple[int, ...] = ()
    is_suspect: bool = False
    """Some row in it is overlong or holds undecodable or zero bytes."""


class Block:
    """Rows in file order with their line numbers, and their raw text for whoever must be shown it."""

    __slots__ = ("_split", "_text", "bad", "lines", "rows")

    def __init__(
        self, text: Text, rows: list[list[str]], lines: Sequence[int], bad: dict[int, Fault]
    ) -> None:
        self.rows, self.lines, self.bad = rows, lines, bad
        self._text = text
        self._split: list[str] = []
        if text.is_suspect:
            self._refuse_damaged()

    def raw(self, position: int) -> str:
        """The row as it stands in the file, damaged bytes as ``\\xNN``; put together only when asked."""
        raw, codec = self._text_of(position), self._text.codec
        if not self._text.is_suspect:
            return raw
        return raw.encode(codec, ESCAPED).decode(codec, "backslashreplace")

    def _text_of(self, position: int) -> str:
        if not self._split:
            self._split = self._text.text.split("\n")
        lines, first = self.lines, self._text.first_line
        end = lines[position + 1] - first if position + 1 < len(lines) else len(self._split)
        return "\n".join(self._split[lines[position] - first : end]).rstrip("\r\n")

    def _refuse_damaged(self) -> None:
        for position in range(len(self.rows)):
            raw = self._text_of(position)
            if not raw.isascii() and (fault := _undecodable(raw, self._text.codec)):
                self._refuse(position, fault)
            elif "\0" in raw:
                self._refuse(position, Fault(ZERO_BYTE, f"at character {raw.index(chr(0)) + 1}"))
        for number in self._text.overlong:
            position = bisect_right(self.lines, number) - 1
            self._refuse(position, Fault(TOO_LONG, f"over {MAX_ROW_BYTES} bytes"))

    def _refuse(self, position: int, fault: Fault) -> None:
        self.rows[position] = []
        self.bad[position] = fault


class RowParser(Protocol):
    """Turns whole lines into rows; may keep an unfinished row for the next call."""

    def parse(self, lines: Lines, *, is_last: bool) -> Block:
        """The rows that have ended; all that are left when ``is_last``."""


def decode_lines(lines: Lines, codec: str) -> Text:
    """Decode what can be decoded; ``Block`` refuses the rows with the rest."""
    try:
        text, is_damaged = lines.data.decode(codec), False
    except UnicodeDecodeError:
        text, is_damaged = lines.data.decode(codec, ESCAPED), True
    is_suspect = is_damaged or bool(lines.overlong) or "\0" in text
    return Text(lines.first_line, text, codec, lines.overlong, is_suspect)


def line_count(text: str) -> int:
    """Lines in ``text``, the last one with or without a line end."""
    return text.count("\n") + (not text.endswith("\n") and bool(text))


def _undecodable(raw: str, codec: str) -> Fault | None:
    try:
        raw.encode()
    except UnicodeEncodeError as error:
        byte = raw[error.start].encode(codec, ESCAPED).hex()
        return Fault(NOT_ENCODED, f"byte {byte} at character {error.start + 1} is not {codec}")
    return None
