"""Finding: the identifiers whose values meet all terms, in order of the folded identifier, page by page.

What is rare is found by what is rare about it: a whole text or a beginning that few values have, else three characters
in a row. What is common is found by walking through the identifiers in their order, which then need not go far. Which
of these is tried is decided by looking, not by estimates. Whatever finds a candidate, ``_CELL`` conditions decide.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from node.search.cells import Term
from node.search.layout import PLACES
from node.search.marks import mark_of
from node.search.patterns import TRIGRAM, Pattern

MAX_LIMIT = 100_000
"""Identifiers in one answer; whoever asks for more gets as many, as from the servlet of EUDAT."""
MOST_CANDIDATES = 300_000
"""Numbers of records held in memory, 15 MB; of more than these a page is found by walking."""
MOST_TRIGRAMS = 48
"""Of one question; more find nothing more exactly, and each is a list to be read."""


class Asked(NamedTuple):
    """One question."""

    terms: tuple[Term, ...]
    limit: int
    skip: int = 0
    after: str = ""
    """Folded identifier behind which to go on."""
    prefix: str = ""
    """Folded; "" = below all prefixes."""
    hidden_prefixes: tuple[str, ...] = ()
    """Folded; nothing below them is told."""


class Effort(NamedTuple):
    """What counts as rare."""

    few: int = 2000
    """Records with one text, or one beginning, that are looked at one by one."""
    sample: int = 5000
    """Records that are looked up to see how common it is what is looked for."""
    steps_for_each: float = 4.0
    """Records walked past in the time in which one is looked up and sorted."""


USUAL = Effort()


class Hit(NamedTuple):
    """One identifier."""

    key: str
    """Folded."""
    spelling: str


class _Sql:
    """A piece of SQL and what its question marks stand for."""

    def __init__(self, text: str, values: Iterable[object] = ()) -> None:
        self.text, self.values = text, tuple(values)

    def __add__(self, other: "_Sql") -> "_Sql":
        return _Sql(f"{self.text} {other.text}", (*self.values, *other.values))


def find(connection: sqlite3.Connection, asked: Asked, effort: Effort = USUAL) -> list[Hit]:
    """One page, the same whatever ``effort`` is. Raises ``sqlite3.Error``, also when the progress handler ends it."""
    types = dict(connection.execute("SELECT name, id FROM type"))
    numbered = [(types[term.type], term) for term in asked.terms if term.type in types]
    if len(numbered) < len(asked.terms):
        return []  # no value has that type
    conditions = _meets(numbered) + _visible(asked)
    source = _rare_marks(connection, numbered, effort.few) or _grams(asked.terms)
    if source is not None:
        most = effort.sample
        numbers = _candidates(connection, source, conditions, most)
        if len(numbers) > most and not _should_walk(connection, numbers, asked, effort):
            most = MOST_CANDIDATES
            numbers = _candidates(connection, source, conditions, most)
        if len(numbers) <= most:
            return _page(connection, numbers, asked)
    return _walk(connection, conditions, asked)


def _should_walk(
    connection: sqlite3.Connection, sample: Sequence[int], asked: Asked, effort: Effort
) -> bool:
    """Whether walking fills the page before all that match would be looked up, as far as a sample tells.

    The sample is the oldest records that match, so the last one's number tells how far apart they are.
    """
    (newest,) = connection.execute("SELECT max(id) FROM record").fetchone()
    apart = max(sample) / len(sample)
    return bool((asked.skip + asked.limit) * apart <= effort.steps_for_each * newest / apart)


def _rare_marks(
    connection: sqlite3.Connection, terms: Sequence[tuple[int, Term]], few: int
) -> _Sql | None:
    """Numbers of the records by a whole text or a beginning that at most ``few`` have; None when there is none."""
    for type_, term in terms:
        for pattern in term.patterns:
            mark = mark_of(type_, pattern)
            if mark is None:
                continue
            rows = _Sql("FROM mark WHERE mark MATCH ?", (mark,))
            count = _Sql("SELECT count(*) FROM (SELECT 1") + rows + _Sql("LIMIT ?)", (few + 1,))
            (found,) = connection.execute(count.text, count.values).fetchone()
            if found <= few:
                return _Sql("SELECT rowid AS id") + rows
    return None


def _grams(terms: Sequence[Term]) -> _Sql | None:
    """Numbers of the records that have all the three characters in a row; None when the patterns have none."""
    found = (trigram for term in terms for one in term.patterns for trigram in one.trigrams())
    trigrams = list(islice(dict.fromkeys(found), MOST_TRIGRAMS))
    if not trigrams:
        return None
    assert all(len(trigram) == TRIGRAM for trigram in trigrams)
    question = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)
    return _Sql("SELECT rowid AS id FROM gram WHERE gram MATCH ?", (question,))


def _candidates(
    connection: sqlite3.Connection, source: _Sql, conditions: _Sql, most: int
) -> list[int]:
    """Numbers of the records from ``source`` that meet everything, one more than ``most`` at most."""
    chosen = _Sql("SELECT record.id FROM (") + source + _Sql(") AS source")
    chosen += _Sql("CROSS JOIN record ON record.id = source.id WHERE 1")
    chosen += conditions + _Sql("LIMIT ?", (most + 1,))
    return [number for (number,) in connection.execute(chosen.text, chosen.values)]


def _page(connection: sqlite3.Connection, numbers: Sequence[int], asked: Asked) -> list[Hit]:
    rows = connection.execute(
        "SELECT key, coalesce(spelling, key) FROM record WHERE id IN (SELECT value FROM json_each(?)) "
        "ORDER BY key LIMIT ? OFFSET ?",
        (json.dumps(numbers), asked.limit, asked.skip),
    )
    return [Hit(*row) for row in rows]


def _walk(connection: sqlite3.Connection, conditions: _Sql, asked: Asked) -> list[Hit]:
    """Identifier by identifier, until the page is full."""
    walk = _Sql("SELECT key, coalesce(spelling, key) FROM record WHERE 1") + conditions
    walk += _Sql("ORDER BY key LIMIT ? OFFSET ?", (asked.limit, asked.skip))
    return [Hit(*row) for row in connection.execute(walk.text, walk.values)]


def _visible(asked: Asked) -> _Sql:
    """Which records may be told."""
    chosen = _Sql("")
    if asked.prefix:
        first = f"{asked.prefix}/"
        chosen += _Sql("AND key >= ? AND key < ?", (first, f"{asked.prefix}0"))  # 0 follows /
    if asked.after:
        chosen += _Sql("AND key > ?", (asked.after,))
    if asked.hidden_prefixes:
        names = json.dumps(asked.hidden_prefixes)
        chosen += _Sql(
            "AND prefix NOT IN (SELECT id FROM prefix WHERE name IN (SELECT value FROM json_each(?)))",
            (names,),
        )
    return chosen


def _meets(terms: Sequence[tuple[int, Term]]) -> _Sql:
    """That the record has a cell for each term."""
    chosen = _Sql("")
    for type_, term in terms:
        chosen += _Sql(
            "AND EXISTS (SELECT 1 FROM cell NOT INDEXED WHERE cell.id "
            f"BETWEEN record.id * {PLACES} AND record.id * {PLACES} + {PLACES - 1} AND type = ?",
            (type_,),
        )
        for pattern in term.patterns:
            chosen += _is_like(pattern)
        chosen += _Sql(")")
    return chosen


def _is_like(pattern: Pattern) -> _Sql:
    if pattern.is_anything:
        return _Sql("")
    uncut = _Sql("" if pattern.is_open else "AND NOT is_cut")
    if pattern.is_exact:
        return uncut + _Sql("AND text = ?", pattern.pieces)
    return uncut + _Sql("AND text GLOB ?", (pattern.as_glob(),))
