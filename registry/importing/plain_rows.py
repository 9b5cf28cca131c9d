"""Rows of formats with one row a line: TSV without any quoting, and NDJSON.

A TSV column is exactly the bytes between two tabs. In NDJSON (one JSON object a line) the columns are the object's
names: text stands for itself, numbers keep the digits they were written with, null is empty.
"""

import json
from collections.abc import Sequence

from registry.importing.lines import Lines
from registry.importing.rows import Block, Fault, Text, decode_lines

NOT_JSON, NOT_OBJECT, NOT_TEXT = "not JSON", "not an object", "not text"
JsonField = str | bool | None | dict[str, object] | list[object]


class TsvRows:
    """Parses one block of lines after another."""

    def __init__(self, codec: str) -> None:
        self._codec = codec

    def parse(self, lines: Lines, *, is_last: bool) -> Block:  # noqa: ARG002  rows never span lines
        """One row for each line."""
        text = decode_lines(lines, self._codec)
        rows = [line.split("\t") if line else [] for line in _split_lines(text)]
        return Block(text, rows, range(text.first_line, text.first_line + len(rows)), {})


class NdjsonRows:
    """Parses one block of lines after another into rows of ``columns``; a name an object lacks is empty."""

    def __init__(self, codec: str, columns: Sequence[str]) -> None:
        self._codec = codec
        self._columns = columns

    def parse(self, lines: Lines, *, is_last: bool) -> Block:  # noqa: ARG002  rows never span lines
        """One row for each line."""
        text = decode_lines(lines, self._codec)
        bad: dict[int, Fault] = {}
        rows: list[list[str]] = []
        for position, line in enumerate(_split_lines(text)):
            row: list[str] | Fault = [] if not line.strip() else self._row(line)
            if isinstance(row, Fault):
                bad[position] = row
                row = []
            rows.append(row)
        return Block(text, rows, range(text.first_line, text.first_line + len(rows)), bad)

    def _row(self, line: str) -> list[str] | Fault:
        fields = read_object(line)
        if isinstance(fields, Fault):
            return fields
        row = []
        for column in self._columns:
            value = fields.get(column)
            if not isinstance(value, str):
                if isinstance(value, dict | list):
                    return Fault(NOT_TEXT, "an object or list cannot be a value", column)
                value = "" if value is None else "true" if value else "false"
            row.append(value)
        return row


def read_object(line: str) -> dict[str, JsonField] | Fault:
    """One line of NDJSON. Numbers come as the text they were written with."""
    try:
        fields = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return Fault(NOT_JSON, f"{error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:
        return Fault(NOT_JSON, str(error))
    if not isinstance(fields, dict):
        return Fault(NOT_OBJECT, f"a {type(fields).__name__}, not an object")
    return fields


def _refuse_constant(name: str) -> str:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)


def _split_lines(text: Text) -> list[str]:
    lines = text.text.replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
