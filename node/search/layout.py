"""The index file: an SQLite database beside the store, derived from it and never more than that.

========== =========================================================================================================
table      what a row is
========== =========================================================================================================
``state``  the one row: which feed, up to which change, whether all records are in (``State``)
``prefix`` a folded prefix and its number
``record`` a record with something searchable: number, folded identifier, spelling where that differs, prefix
``type``   an upper-case value type and its number
``cell``   a searchable value: ``record * 2048 + place``, type, text (null when it is not text), whether it was cut
``gram``   full-text index over the texts of each record, by three characters in a row (FTS5, trigram); keeps no text
``mark``   full-text index over checksums of each record's texts and their beginnings (``marks.py``); keeps no text
========== =========================================================================================================

Records are numbered as they come; ``cell`` is found by record through its own number. A full-text index is written in
the order in which records come and merged by itself, which is what keeps a large index cheap to write.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

FILE_NAME = "search.sqlite"
SIDE_FILES = ("", "-wal", "-shm")
"""What belongs to the database; the log and the shared memory of its readers lie beside it."""
FORMAT = 2
"""Another number, or none: the file is made anew."""
PLACES = 2048
"""Cells that a record may have: as many as values."""
CACHE_KIB = 16_384
"""Pages kept by the process that writes."""
READER_CACHE_KIB = 4096
HASH_BYTES = 8_388_608
"""New grams collected in memory before they are written: fewer merges, a fifth less work (44 for 56 µs a row)."""
LOG_PAGES = 4000
"""The write-ahead log is carried over to the database when it has so many pages, 16 MiB."""

SCHEMA = f"""
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, scope TEXT NOT NULL, log_id BLOB NOT NULL,
    seq INTEGER NOT NULL, digest BLOB NOT NULL, is_whole INTEGER NOT NULL, place BLOB NOT NULL, done INTEGER NOT NULL,
    total INTEGER NOT NULL, records INTEGER NOT NULL, cells INTEGER NOT NULL, ended_well INTEGER NOT NULL);
CREATE TABLE prefix (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE record (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, spelling TEXT, prefix INTEGER NOT NULL);
CREATE TABLE type (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE cell (id INTEGER PRIMARY KEY, type INTEGER NOT NULL, text TEXT, is_cut INTEGER NOT NULL);
CREATE VIRTUAL TABLE gram USING fts5 (
    text, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE VIRTUAL TABLE mark USING fts5 (text, content='', columnsize=0, detail=none, tokenize='ascii');
INSERT INTO gram (gram, rank) VALUES ('hashsize', {HASH_BYTES});
INSERT INTO mark (mark, rank) VALUES ('hashsize', {HASH_BYTES});
"""


class State(NamedTuple):
    """How far the index is."""

    format: int
    scope: str
    """The settings it was made with; with others it is made anew."""
    log_id: bytes
    seq: int
    """All changes up to this one are in."""
    digest: bytes
    """Of the feed's entry ``seq``: the next one is linked to it."""
    is_whole: bool
    """Whether every record has been read; until then nothing can be said."""
    place: bytes
    """Store key of the last record read while it is not whole."""
    done: int
    """Rows of the store read while it is not whole."""
    total: int
    """Rows there were when it was begun."""
    records: int
    cells: int
    ended_well: bool
    """Whether the process that wrote last closed the file."""


_FIELDS = ", ".join(State._fields)
_MARKS = ", ".join("?" * len(State._fields))


def open_to_write(path: Path) -> sqlite3.Connection:
    """Make or open the file, mode 0600. Raises ``sqlite3.Error``, ``OSError``."""
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a lost end is read again from the feed
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Beside the process that writes; for any one thread at a time. Raises ``sqlite3.Error``."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def read_state(connection: sqlite3.Connection) -> State | None:
    """None where the file is new, or of another format. Raises ``sqlite3.Error``."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone()
    if known is None:
        return None
    (format_,) = connection.execute("SELECT format FROM state").fetchone() or (0,)
    if format_ != FORMAT:
        return None
    row = connection.execute(f"SELECT {_FIELDS} FROM state").fetchone()
    state = State(*row)
    return state._replace(is_whole=bool(state.is_whole), ended_well=bool(state.ended_well))


def write_state(connection: sqlite3.Connection, state: State) -> None:
    """Inside the transaction of what it tells of."""
    connection.execute(f"INSERT OR REPLACE INTO state (one, {_FIELDS}) VALUES (1, {_MARKS})", state)


def remove_files(path: Path) -> None:
    """Take the index away; who writes it makes it anew. Raises ``OSError``."""
    for side in SIDE_FILES:
        path.with_name(path.name + side).unlink(missing_ok=True)


def size_bytes(path: Path) -> int:
    """Of all its files."""
    files = [path.with_name(path.name + side) for side in SIDE_FILES]
    return sum(file.stat().st_size for file in files if file.exists())
