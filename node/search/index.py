"""Index: the writing half. Records in, cells and grams out, and how far that is, in one transaction.

What is in the file already is compared with what should be there, so the same record may come again and again; a
record without anything searchable leaves nothing behind.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain

from node.search.cells import Cell, Scope, cells_of
from node.search.layout import PLACES, State, write_state
from node.search.marks import marks_of
from protocols.record import Record

Kept = list[tuple[int, str | None, int]]
"""Type number, text and whether it was cut, of a record's cells in order."""


class Index:
    """Over an open file with the schema in it."""

    def __init__(self, connection: sqlite3.Connection, scope: Scope) -> None:
        self._connection, self._scope = connection, scope
        self._types: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self._last_id = 0
        self._learn_numbers()

    def commit(self, records: Mapping[bytes, Record | None], state: State) -> State:
        """Bring these records up to date (None = it is not there any more) and note ``state``, or change nothing.

        Returns the state with the new counts. Raises ``sqlite3.Error``.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            batch = _Batch(state)
            for key, record in records.items():
                self._take(key.decode(), record, batch)
            batch.carry_out(connection)
            write_state(connection, batch.state)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # of a damaged file; what it said first is raised
                connection.execute("ROLLBACK")
                self._learn_numbers()  # those given in this transaction are free again
            raise
        return batch.state

    def _take(self, key: str, record: Record | None, batch: "_Batch") -> None:
        cells = [] if record is None else cells_of(record.public, self._scope)
        fresh: Kept = [(self._type(cell), cell.text, cell.is_cut) for cell in cells]
        spelling = None if record is None else _other_spelling(key, record)
        found = self._connection.execute(
            "SELECT id, spelling FROM record WHERE key = ?", (key,)
        ).fetchone()
        if found is not None:
            number, old_spelling = found
            old = self._kept(number)
            if old == fresh and old_spelling == spelling:
                return
            batch.remove(number, old)
        if fresh:
            self._last_id += 1
            prefix = self._prefix(key.partition("/")[0])
            batch.add((self._last_id, key, spelling, prefix), fresh)

    def _kept(self, number: int) -> Kept:
        first = number * PLACES
        return self._connection.execute(
            "SELECT type, text, is_cut FROM cell WHERE id BETWEEN ? AND ? ORDER BY id",
            (first, first + PLACES - 1),
        ).fetchall()

    def _type(self, cell: Cell) -> int:
        return self._number("type", self._types, cell.type)

    def _prefix(self, name: str) -> int:
        return self._number("prefix", self._prefixes, name)

    def _number(self, table: str, known: dict[str, int], name: str) -> int:
        number = known.get(name)
        if number is None:
            number = known[name] = len(known) + 1
            self._connection.execute(
                f"INSERT INTO {table} (id, name) VALUES (?, ?)", (number, name)
            )
        return number

    def _learn_numbers(self) -> None:
        run = self._connection.execute
        self._types = dict(run("SELECT name, id FROM type"))
        self._prefixes = dict(run("SELECT name, id FROM prefix"))
        (last,) = run("SELECT max(id) FROM record").fetchone()
        self._last_id = last or 0


class _Batch:
    """What one transaction does; many rows of one kind at once."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._gone: list[tuple[int]] = []
        self._gone_cells: list[tuple[int, int]] = []
        self._gone_texts: list[tuple[int, str, str]] = []
        self._records: list[tuple[int, str, str | None, int]] = []
        self._cells: list[tuple[int, int, str | None, int]] = []
        self._texts: list[tuple[int, str, str]] = []

    def remove(self, number: int, old: Kept) -> None:
        """All of one record."""
        first = number * PLACES
        self._gone.append((number,))
        self._gone_cells.append((first, first + PLACES - 1))
        if any(text is not None for _, text, _ in old):
            self._gone_texts.append((number, _gram_text(old), _mark_text(old)))
        self._count(-1, -len(old))

    def add(self, record: tuple[int, str, str | None, int], fresh: Kept) -> None:
        """All of one record."""
        first = record[0] * PLACES
        self._records.append(record)
        self._cells += [(first + place, *cell) for place, cell in enumerate(fresh)]
        if any(text is not None for _, text, _ in fresh):
            self._texts.append((record[0], _gram_text(fresh), _mark_text(fresh)))
        self._count(1, len(fresh))

    def carry_out(self, connection: sqlite3.Connection) -> None:
        """Old rows go before new ones come: a record may have both."""
        run = connection.executemany
        for table, gone in _both(self._gone_texts):
            run(f"INSERT INTO {table} ({table}, rowid, text) VALUES ('delete', ?, ?)", gone)
        run("DELETE FROM cell WHERE id BETWEEN ? AND ?", self._gone_cells)
        run("DELETE FROM record WHERE id = ?", self._gone)
        run("INSERT INTO record (id, key, spelling, prefix) VALUES (?, ?, ?, ?)", self._records)
        run("INSERT INTO cell (id, type, text, is_cut) VALUES (?, ?, ?, ?)", self._cells)
        for table, texts in _both(self._texts):
            run(f"INSERT INTO {table} (rowid, text) VALUES (?, ?)", texts)

    def _count(self, records: int, cells: int) -> None:
        state = self.state
        self.state = state._replace(records=state.records + records, cells=state.cells + cells)


def _both(texts: Sequence[tuple[int, str, str]]) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """What each of the full-text indexes is told: to take a record out again it must be told the same."""
    yield "gram", [(number, grams) for number, grams, _ in texts]
    yield "mark", [(number, marks) for number, _, marks in texts]


def _gram_text(cells: Kept) -> str:
    return "\n".join(text for _, text, _ in cells if text)


def _mark_text(cells: Kept) -> str:
    marks = (
        marks_of(type_, text, is_cut=bool(cut)) for type_, text, cut in cells if text is not None
    )
    return " ".join(dict.fromkeys(chain.from_iterable(marks)))


def _other_spelling(key: str, record: Record) -> str | None:
    spelling = record.spelling.decode()
    return None if spelling == key else spelling
