"""View: the reading half. Connections to the index file as it is now, questions with an end, and how far it is.

The file may be taken away and made anew at any time (by an operator, after damage, after a restore): a connection is
used only while it is to the file that is there. Who finds damage takes the file away; the process that writes then
makes it anew.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from node.search.finding import Asked, Hit, find
from node.search.layout import FILE_NAME, State, open_to_read, read_state

STEPS = 500
"""Of SQLite's machine between two looks at the clock: some tens of microseconds, more where texts are long."""
IDLE_CONNECTIONS = 2
"""Kept open; each has its pages in memory."""

_MAY_PASS = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
    }
)


class NotThere(Exception):
    """There is no index to ask: it is being made, was taken away, or is found damaged."""


class TookTooLong(Exception):
    """The question was given up."""


class Answer(NamedTuple):
    """What was found, and as of which change."""

    hits: list[Hit]
    state: State


class View:
    """For one process; its methods may be called in any thread."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self._idle: list[tuple[int, sqlite3.Connection]] = []
        """With the number of the file that each was opened on."""
        self._lock = threading.Lock()
        self._is_closed = False

    def state(self) -> State | None:
        """How far the index is, some 30 µs; None when there is none."""
        try:
            with self._connection() as connection:
                return read_state(connection)
        except NotThere:
            return None

    def find(self, asked: Asked, most_s: float) -> Answer:
        """Blocks for ``most_s`` at most. Raises ``NotThere``, ``TookTooLong``."""
        deadline_s = time.monotonic() + most_s
        with self._connection(
            lambda: self._is_closed or time.monotonic() > deadline_s
        ) as connection:
            connection.execute("BEGIN")
            try:
                state = read_state(connection)
                if state is None or not state.is_whole:
                    raise NotThere(how_far(state))
                return Answer(find(connection, asked), state)
            finally:
                connection.execute("ROLLBACK")

    def close(self) -> None:
        """Questions under way are given up."""
        self._is_closed = True
        with self._lock:
            while self._idle:
                self._idle.pop()[1].close()

    @contextmanager
    def _connection(
        self, is_over: Callable[[], bool] | None = None
    ) -> Iterator[sqlite3.Connection]:
        """One to the file that is there now. Turns what SQLite says into our exceptions."""
        number, connection = self._take()
        try:
            connection.set_progress_handler(is_over, STEPS)
            yield connection
        except sqlite3.Error as trouble:
            connection.close()
            if is_interrupted(trouble):
                raise TookTooLong from None
            if is_damage(trouble):
                with suppress(OSError):
                    if file_number(self.path) == number:
                        self.path.unlink()  # alone: the files beside it may be those of a successor already
            raise NotThere(f"the index cannot be read: {trouble}") from None
        except BaseException:
            connection.close()
            raise
        connection.set_progress_handler(None, 0)
        with self._lock:
            if len(self._idle) < IDLE_CONNECTIONS and not self._is_closed:
                self._idle.append((number, connection))
                return
        connection.close()

    def _take(self) -> tuple[int, sqlite3.Connection]:
        number = file_number(self.path)
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                break
            if kept[0] == number:
                return kept
            kept[1].close()
        if not number:
            raise NotThere(how_far(None))
        try:
            return number, open_to_read(self.path)
        except sqlite3.Error as trouble:
            raise NotThere(f"the index cannot be opened: {trouble}") from None


def how_far(state: State | None) -> str:
    """For people, while there is nothing to ask."""
    if state is None or not state.total:
        return "the index is about to be made"
    percent = min(99, 100 * state.done // state.total)
    return f"the index is being made, {percent} % of {state.total:,} records"


def is_damage(trouble: sqlite3.Error) -> bool:
    """Whether the file itself is bad, and not just busy or out of reach."""
    return _code(trouble) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def may_pass(trouble: sqlite3.Error) -> bool:
    """Whether the file is well and something else stands in the way: a full disk, a lock, memory."""
    return _code(trouble) in _MAY_PASS


def is_interrupted(trouble: sqlite3.Error) -> bool:
    """Whether the progress handler ended the question."""
    return _code(trouble) == sqlite3.SQLITE_INTERRUPT


def file_number(path: Path) -> int:
    """By which a file is known from its successor, as long as somebody has it open; 0 when there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _code(trouble: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 when the trouble is not SQLite's own."""
    return int(getattr(trouble, "sqlite_errorcode", 0)) & 0xFF
