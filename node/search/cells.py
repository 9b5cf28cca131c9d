"""Cells: what of a record can be searched. Nothing but values that anybody may read ever gets into the index.

A value whose data is text (UTF-8 without zero bytes) is found by its text, of a long one by its beginning; any other
value, e.g. HS_ADMIN, only by being there. HS_SECKEY is never among them, whatever its permissions say.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from node.config_sections import SearchSection
from node.search.patterns import Pattern
from protocols.record import NO_VALUES
from protocols.values.value import Value
from protocols.values.value_list import decode_values

NEVER = frozenset({"HS_SECKEY"})
"""Types that are not searched even where somebody made such a value public."""


class Cell(NamedTuple):
    """One searchable value."""

    type: str
    """Upper-case: types are matched without case."""
    text: str | None
    """None when the data is not text."""
    is_cut: bool
    """Whether the value goes on behind ``text``."""


class Scope(NamedTuple):
    """Which values are searchable, by the settings."""

    types: frozenset[str] = frozenset()
    """Upper-case; none = all."""
    text_bytes: int = 2048
    """So much of each value's text."""

    def takes(self, type_: str) -> bool:
        """Whether values of this upper-case type are searchable."""
        return type_ not in NEVER and (not self.types or type_ in self.types)


def scope_of(settings: SearchSection) -> Scope:
    """What the settings say."""
    return Scope(frozenset(name.upper() for name in settings.types), settings.text_bytes)


class Term(NamedTuple):
    """One value of this type must be like all these patterns."""

    type: str
    """Upper-case."""
    patterns: tuple[Pattern, ...]

    def matches(self, cell: Cell) -> bool:
        """Whether this cell is such a value."""
        return cell.type == self.type and all(_is_like(cell, one) for one in self.patterns)


def cells_of(public: bytes, scope: Scope) -> list[Cell]:
    """Of a record's public value list, in its order."""
    if public == NO_VALUES:
        return []
    cells = []
    for value in decode_values(public):
        type_ = value.type.upper()
        if value.is_public and scope.takes(type_):
            cells.append(Cell(type_, *_text_of(value, scope.text_bytes)))
    return cells


def are_met(terms: Iterable[Term], cells: Sequence[Cell]) -> bool:
    """Whether for each term there is a cell; it need not be the same one."""
    return all(any(term.matches(cell) for cell in cells) for term in terms)


def _is_like(cell: Cell, pattern: Pattern) -> bool:
    if pattern.is_anything:
        return True
    if cell.text is None or (cell.is_cut and not pattern.is_open):
        return False
    return pattern.matches(cell.text)


def _text_of(value: Value, most_bytes: int) -> tuple[str | None, bool]:
    data = value.data
    if b"\0" in data:
        return None, False
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None, False
    if len(data) <= most_bytes:
        return text, False
    return data[:most_bytes].decode(errors="ignore"), True
