"""CSV rows (RFC 4180, and what spreadsheets make of it): quoted columns may hold separators, quotes and line ends.

A quote that is never closed would swallow the rest of the file. When a row has not ended after ``MAX_ROW_BYTES`` or at
the end of the file, its first line alone is refused and reading goes on with the next one.
"""

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from registry.importing.lines import MAX_ROW_BYTES, Lines
from registry.importing.rows import Block, Fault, Text, decode_lines, line_count

if TYPE_CHECKING:
    from _csv import Reader  # the class has no public name

OPEN_QUOTE, NOT_CSV = "open quote", "not CSV"
_END = "\x1d"
"""A line of our own behind the text (the ASCII group separator): a row that takes it in has not ended."""

csv.field_size_limit(
    2 * MAX_ROW_BYTES
)  # rows are bounded here, where their line is known; the default is 128 KiB


class _Split(NamedTuple):
    rows: list[list[str]]
    starts: list[int]
    """Line on which each row begins, counted from 0 within the text."""
    bad: dict[int, Fault]
    open_line: int = -1
    """Line on which a row begins that does not end within the text; -1 when all of them end."""


class CsvRows:
    """Parses one block of lines after another."""

    def __init__(self, codec: str, delimiter: str) -> None:
        self._codec, self._delimiter = codec, delimiter
        self._open: Text | None = None

    def parse(self, lines: Lines, *, is_last: bool) -> Block:
        """Rows that have ended; an unfinished one waits for the next call unless ``is_last``."""
        text = self._joined(decode_lines(lines, self._codec))
        rows = self._one_row_a_line(text.text)
        if rows is not None:
            return Block(text, rows, range(text.first_line, text.first_line + len(rows)), {})
        split = self._split(text.text, is_last=is_last)
        if split.open_line >= 0:
            text = self._keep_open(text, split.open_line)
        return Block(text, split.rows, [text.first_line + n for n in split.starts], split.bad)

    def _one_row_a_line(self, text: str) -> list[list[str]] | None:
        """All rows at the speed of C, if each takes exactly one line: nearly always. Else None."""
        try:
            rows = list(self._reader(text))
        except csv.Error:
            return None
        if rows.pop() != [_END] or len(rows) != line_count(text):
            return None
        return rows

    def _split(self, text: str, *, is_last: bool) -> _Split:
        rows: list[list[str]] = []
        starts: list[int] = []
        bad: dict[int, Fault] = {}
        begin = 0
        while True:
            open_line = self._read_from(text, begin, rows, starts, bad)
            if open_line < 0:
                return _Split(rows, starts, bad)
            unfinished = _from_line(text, open_line)
            if not is_last and len(unfinished) <= MAX_ROW_BYTES:
                return _Split(rows, starts, bad, open_line)
            bad[len(rows)] = Fault(OPEN_QUOTE, "a quote opens on this line and is never closed")
            rows.append([])
            starts.append(open_line)
            begin = open_line + 1

    def _read_from(
        self, text: str, begin: int, rows: list[list[str]], starts: list[int], bad: dict[int, Fault]
    ) -> int:
        """Read rows from line ``begin`` on; the line on which an open row begins, or -1."""
        rest = _from_line(text, begin)
        reader, count = self._reader(rest), line_count(rest)
        while reader.line_num < count:
            start = begin + reader.line_num
            try:
                row = next(reader)
            except csv.Error as error:
                bad[len(rows)] = Fault(NOT_CSV, str(error).partition(" - ")[0])
                row = []
            if reader.line_num > count:
                return start  # it took in the line behind the text
            rows.append(row)
            starts.append(start)
        return -1

    def _reader(self, text: str) -> "Reader":
        if text and not text.endswith("\n"):
            text += "\n"
        return csv.reader(io.StringIO(text + _END, newline="\n"), delimiter=self._delimiter)

    def _joined(self, text: Text) -> Text:
        before, self._open = self._open, None
        if before is None:
            return text
        return Text(
            before.first_line,
            before.text + text.text,
            self._codec,
            before.overlong + text.overlong,
            before.is_suspect or text.is_suspect,
        )

    def _keep_open(self, text: Text, open_line: int) -> Text:
        """Put the unfinished row by; the text before it."""
        rest = _from_line(text.text, open_line)
        first = text.first_line + open_line
        overlong = tuple(n for n in text.overlong if n >= first)
        self._open = Text(first, rest, self._codec, overlong, text.is_suspect)
        return text._replace(
            text=text.text[: len(text.text) - len(rest)],
            overlong=tuple(n for n in text.overlong if n < first),
        )


def _from_line(text: str, line: int) -> str:
    """``text`` from its line number ``line`` (from 0) on."""
    at = 0
    for _ in range(line):
        at = text.index("\n", at) + 1
    return text[at:]
