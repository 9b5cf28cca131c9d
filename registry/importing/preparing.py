"""From rows to what is registered: suffix and public value list of every good row, and a reason for every other one.

The value list is put together from constant parts in the wire form of ``protocols.values.value`` (a test holds it to
``encode_values``): building Value objects for each row would cost as much as all the rest. Timestamps are 0, the
registrar sets them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.identifier import MAX_IDENTIFIER_BYTES, fold_suffix
from protocols.values.value import (
    DEFAULT_PERMISSIONS,
    DEFAULT_TTL_S,
    FIXED,
    MAX_DATA_BYTES,
    TTL_RELATIVE,
)
from protocols.values.value_list import MAX_RECORD_BYTES
from registry.importing.checks import CHECKS, Check
from registry.importing.mapping import MappedValue, Mapping
from registry.importing.rows import NOT_ENCODED, Block, Fault
from registry.importing.seen import Seen
from registry.importing.template import Render, bind, place_of

COLUMN_COUNT, EMPTY_SUFFIX, NO_VALUE = "column count", "empty suffix", "no value"
DUPLICATE, SUFFIX_TOO_LONG, TOO_LARGE = "duplicate", "suffix too long", "too large"
MAX_BATCH_BYTES = 4_000_000
"""A template may make much out of little; batches stay well below what one load may hold."""
_NO_REFERENCES = b"\0\0\0\0"


class Reject(NamedTuple):
    """One refused row, as it goes to the reject file."""

    line: int
    field: str
    reason: str
    detail: str
    row: str


class Batch(NamedTuple):
    """What one stretch of rows became."""

    read: int
    """Rows, blank lines not counted."""
    rows: list[tuple[bytes, bytes]]
    """Suffix as spelled and public value list, of the good rows."""
    positions: list[int]
    """Where in the block each of ``rows`` came from."""
    rejects: list[Reject]
    end: int
    """Where in the block the next batch begins."""


class Shape(NamedTuple):
    """The columns of a file."""

    columns: Sequence[str]
    may_be_short: bool
    """Rows may leave trailing columns off. So do files without a header; with one, a short row is a damaged row."""


class Preparer:
    """Prepares the rows of one file; keeps what it has seen."""

    def __init__(
        self, mapping: Mapping, shape: Shape, seen: Seen, *, is_case_sensitive: bool
    ) -> None:
        self._mapping, self._shape, self._seen = mapping, shape, seen
        self._keeps_case = fold_suffix(mapping.prefix, b"a", is_case_sensitive) == b"a"
        columns = shape.columns
        self._suffix = bind(mapping.suffix, columns)
        self._values: list[tuple[bytes, Render]] = [
            (_constant_part(value), bind(value.template, columns)) for value in mapping.values
        ]
        self._checks: list[tuple[Check, int, str]] = [
            (CHECKS[check.name], place_of(check.column, columns), check.column)
            for check in mapping.checks
        ]
        self._max_suffix_bytes = MAX_IDENTIFIER_BYTES - len(mapping.prefix) - 1
        used = [place_of(column, columns) for column in mapping.columns]
        self._least_columns = max(used) + 1 if shape.may_be_short else len(columns)

    def prepare(self, block: Block, start: int, most: int) -> Batch:
        """The rows of a block from ``start`` on, at most ``most`` and ``MAX_BATCH_BYTES``, but at least one."""
        good: list[tuple[bytes, bytes]] = []
        positions: list[int] = []
        rejects: list[Reject] = []
        least_columns, most_columns = self._least_columns, len(self._shape.columns)
        rows, make = block.rows, self._make
        position, end, size, blank = start, min(start + most, len(rows)), 0, 0
        while position < end and size < MAX_BATCH_BYTES:
            row = rows[position]
            if least_columns <= len(row) <= most_columns:
                made = make(row)
            elif row or position in block.bad:
                made = self._make_odd(row, block.bad.get(position))
            else:
                blank += 1
                position += 1
                continue
            if isinstance(made, Fault):
                rejects.append(reject(block, position, made))
            else:
                good.append(made)
                positions.append(position)
                size += len(made[1])
            position += 1
        return Batch(position - start - blank, good, positions, rejects, position)

    def _make(self, row: Sequence[str]) -> tuple[bytes, bytes] | Fault:
        """One row of enough columns. The hot path of every import: measured, not guessed."""
        parts = [b""]
        try:
            suffix = self._suffix(row).encode()
            if self._checks and suffix and (fault := self._failed_check(row)):
                return fault
            for constant, render in self._values:
                text = render(row)
                if text:
                    data = text.encode()
                    parts += (constant, len(data).to_bytes(4), data, _NO_REFERENCES)
        except UnicodeEncodeError:
            return Fault(NOT_ENCODED, "half a surrogate pair")
        count = len(parts) // 4
        parts[0] = count.to_bytes(4)
        values = b"".join(parts)
        if (
            not (suffix and count)
            or len(suffix) > self._max_suffix_bytes
            or len(values) > MAX_DATA_BYTES
        ):
            flaw = self._flaw(row, suffix, count, values)
            if flaw is not None:
                return flaw
        if not self._seen.add(suffix if self._keeps_case else suffix.upper()):
            return Fault(
                DUPLICATE, "an earlier row has the same suffix", self._mapping.suffix.columns[0]
            )
        return suffix, values

    def _failed_check(self, row: Sequence[str]) -> Fault | None:
        for check, place, column in self._checks:
            if reason := check(row[place].encode()):
                return Fault(reason, repr(row[place]), column)
        return None

    def _flaw(self, row: Sequence[str], suffix: bytes, count: int, values: bytes) -> Fault | None:
        if not suffix:
            columns = self._mapping.suffix.columns
            empty = [name for name in columns if not row[self._shape.columns.index(name)]]
            return Fault(EMPTY_SUFFIX, "the column is empty", empty[0])
        if not count:
            return Fault(NO_VALUE, "every mapped column is empty")
        if len(suffix) > self._max_suffix_bytes:
            return Fault(SUFFIX_TOO_LONG, f"{len(suffix)} bytes, at most {self._max_suffix_bytes}")
        return self._too_large(row, values)

    def _make_odd(self, row: Sequence[str], fault: Fault | None) -> tuple[bytes, bytes] | Fault:
        """A row the parser refused, or one of too few or too many columns."""
        if fault is not None:
            return fault
        columns = len(self._shape.columns)
        if self._shape.may_be_short and len(row) < columns:
            return self._make([*row, *[""] * (columns - len(row))])
        return Fault(COLUMN_COUNT, f"{len(row)} columns, {columns} expected")

    def _too_large(self, row: Sequence[str], values: bytes) -> Fault | None:
        for mapped, (_, render) in zip(self._mapping.values, self._values, strict=True):
            size = len(render(row).encode())
            if size > MAX_DATA_BYTES:
                columns = mapped.template.columns
                return Fault(
                    TOO_LARGE,
                    f"value {mapped.index} has {size} bytes, at most {MAX_DATA_BYTES}",
                    columns[0] if columns else "",
                )
        if len(values) > MAX_RECORD_BYTES:
            return Fault(TOO_LARGE, f"record of {len(values)} bytes, at most {MAX_RECORD_BYTES}")
        return None


def reject(block: Block, position: int, fault: Fault) -> Reject:
    """The line for the reject file."""
    return Reject(
        block.lines[position], fault.field, fault.reason, fault.detail, block.raw(position)
    )


def _constant_part(value: MappedValue) -> bytes:
    """Everything of a value on the wire before the length of its data."""
    fixed = FIXED.pack(value.index, 0, TTL_RELATIVE, DEFAULT_TTL_S, DEFAULT_PERMISSIONS)
    type_ = value.type.encode()
    return fixed + len(type_).to_bytes(4) + type_
