"""Template: how a suffix or a value is made from the columns of one row, e.g. ``https://x.cn/{barcode}``.

``{column}`` stands for the row's text in that column, exactly as it is in the file; ``{{`` and ``}}`` are braces.
A column that is empty in a row empties the whole template for that row: half a URL is worse than none.
"""

import difflib
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

LEAST_PART = 3
"""Characters of a word from which on a name that contains it counts as near."""

Row = Sequence[str]
Render = Callable[[Row], str]
"""The text a template gives for one row; empty when any of its columns is empty."""


class MappingError(Exception):
    """The mapping cannot be used with this file; nothing was read or written. ``next_step`` says what to do."""

    def __init__(self, reason: str, next_step: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


class Template(NamedTuple):
    """Text and columns in turn: ``literals[0] columns[0] literals[1] … columns[-1] literals[-1]``."""

    source: str
    literals: tuple[str, ...]
    columns: tuple[str, ...]


def parse_template(source: str) -> Template:
    """Raises ``MappingError`` on a brace that is neither doubled nor closed, or on ``{}``."""
    literals, columns, literal, at = [], [], "", 0
    while at < len(source):
        char = source[at]
        if char in "{}" and source[at : at + 2] == char * 2:
            literal += char
            at += 2
        elif char == "{":
            end = source.find("}", at)
            column = source[at + 1 : end] if end > 0 else ""
            if not column or "{" in column:
                raise _bad_brace(source, at)
            literals.append(literal)
            columns.append(column)
            literal, at = "", end + 1
        elif char == "}":
            raise _bad_brace(source, at)
        else:
            literal += char
            at += 1
    return Template(source, (*literals, literal), tuple(columns))


def bind(template: Template, columns: Sequence[str]) -> Render:
    """The template as a function of rows that have ``columns``. Raises ``MappingError`` for a column not there."""
    places = [place_of(column, columns) for column in template.columns]
    if not places:
        constant = template.literals[0]
        return lambda row: constant  # noqa: ARG005  every Render takes the row
    if template.literals == ("", "") and len(places) == 1:
        return itemgetter(places[0])  # the usual case, at C speed
    if len(places) == 1:
        return _bind_one(template, places[0])
    return _bind_many(template, places)


def place_of(column: str, columns: Sequence[str]) -> int:
    """Position of ``column``; raises ``MappingError`` that names the nearest known column and all of them."""
    if column in columns:
        return columns.index(column)
    near = nearest(column, columns)
    raise MappingError(
        f"the file has no column {column!r}; it has: {', '.join(map(repr, columns))}",
        f"did you mean {{{near}}}?" if near else "name one of the columns above",
    )


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word most like ``word``, without regard to case; empty when none is near."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.5)
    if not close and len(word) >= LEAST_PART:
        close = [name for name in by_lower if word.lower() in name]
    return by_lower[close[0]] if close else ""


def _bind_one(template: Template, place: int) -> Render:
    before, after = template.literals

    def render(row: Row) -> str:
        text = row[place]
        return before + text + after if text else ""

    return render


def _bind_many(template: Template, places: Sequence[int]) -> Render:
    first, *others = template.literals
    steps = tuple(zip(places, others, strict=True))

    def render(row: Row) -> str:
        parts = [first]
        for place, literal in steps:
            text = row[place]
            if not text:
                return ""
            parts += (text, literal)
        return "".join(parts)

    return render


def _bad_brace(source: str, at: int) -> MappingError:
    return MappingError(
        f"template {source!r}: the brace at character {at + 1} does not name a column",
        "write {column} for a column, {{ and }} for braces themselves",
    )
