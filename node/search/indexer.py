"""Indexer: keeps the index file in step with the store, a slice of work at a time; one process has one.

It reads the feed by number and the records the changes are about. Where the feed does not go on from what the index
knows (a restore, a fork, retention), where the file is missing, damaged, of another format or made with other
settings, the index is made anew: once through all records, beside whoever writes, and then on along the feed from
where it stood at the beginning. Each slice is one transaction with the place up to which it brings the index, so that
it can be killed at any moment.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from node.logs import get_log
from node.search.cells import Scope
from node.search.index import Index
from node.search.layout import (
    FILE_NAME,
    FORMAT,
    SCHEMA,
    State,
    open_to_write,
    read_state,
    remove_files,
    write_state,
)
from node.search.view import file_number, may_pass
from protocols.errors import ProtocolError
from protocols.identifier import read_identifier
from protocols.record import DELETED, Record
from registry.change import encode_change, entry_digest
from registry.errors import DamagedRecord, Gone
from registry.stores.keys import decode_at
from registry.stores.lmdb_reader import LmdbReader
from registry.stores.store import ROOT, Authority

CHANGES_AT_ONCE = 2000
"""In one transaction, about a tenth of a second of work; a single change is in within some milliseconds."""
ROWS_AT_ONCE = 4000
"""Rows of the store in one transaction while the index is made."""
TOLD_EVERY_PERCENT = 5
"""Progress in the log."""
LOOKS_AT_CLOCK_EVERY = 100_000
"""Steps of SQLite's machine between two calls of ``is_alive`` in a check of the whole file."""

log = get_log("search")


class Indexer:
    """Call ``step`` until it has nothing to do, and again when there are changes."""

    def __init__(
        self,
        data_dir: Path,
        reader: LmdbReader,
        scope: Scope,
        is_alive: Callable[[], None],
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        """``is_alive`` is called now and then in what takes long."""
        self._rows_at_once = rows_at_once
        self._path = data_dir / FILE_NAME
        self._reader, self._scope, self._is_alive = reader, scope, is_alive
        self._scope_text = f"{scope.text_bytes} {' '.join(sorted(scope.types))}"
        self._connection: sqlite3.Connection | None = None
        self._index: Index | None = None
        self._state: State | None = None
        self._number = 0
        self._told_percent = 0

    def step(self) -> bool:
        """One transaction at most; False when everything is in.

        Raises ``StoreError``, ``OSError``, ``sqlite3.Error``; the last two may pass.
        """
        self._reader.refresh()
        try:
            if self._state is None or file_number(self._path) != self._number:
                self._open()
            assert self._state is not None, "it was opened"
            reason = self._mismatch(self._state)
            if reason:
                self._begin_anew(reason)
                return True
            return self._follow() if self._state.is_whole else self._read_rows()
        except sqlite3.DatabaseError as trouble:
            if may_pass(trouble):
                raise
            log.warning("the damaged search index is made anew", extra={"reason": str(trouble)})
            self._discard()
            return True
        finally:
            self._reader.release()

    def close(self) -> None:
        """Say in the file that all is well with it."""
        if self._connection is not None and self._state is not None:
            write_state(self._connection, self._state._replace(ended_well=True))
        self._let_go()

    # opening

    def _open(self) -> None:
        """What is there, or an empty file."""
        self._let_go()
        if not file_number(self._path):
            remove_files(self._path)  # what lies beside a file that is gone belongs to nobody
        connection = self._connection = open_to_write(self._path)
        self._number = file_number(self._path)
        state = read_state(connection)
        if state is None:
            self._begin_anew("there is none")
            return
        if not state.ended_well:
            self._check_whole(connection)
        self._index = Index(connection, self._scope)
        self._state = state._replace(ended_well=False)
        write_state(connection, self._state)

    def _check_whole(self, connection: sqlite3.Connection) -> None:
        """Raises ``sqlite3.DatabaseError`` when pages are damaged."""
        connection.set_progress_handler(self._is_alive, LOOKS_AT_CLOCK_EVERY)
        try:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.set_progress_handler(None, 0)
        if said != "ok":
            raise sqlite3.DatabaseError(said)

    def _mismatch(self, state: State) -> str:
        """Why the index does not belong to this store and these settings; "" when it does."""
        head = self._reader.head()
        if state.scope != self._scope_text:
            return "the settings have changed"
        if state.log_id != head.log_id:
            return "the store is another one, or was restored"
        if state.seq > head.seq or (state.seq == head.seq and state.digest != head.digest):
            return "the store's feed is another one"
        if state.seq + 1 < head.oldest_available:
            return "the feed was cut behind the index"
        return ""

    def _begin_anew(self, reason: str) -> None:
        """An empty index, to be filled."""
        self._discard()
        connection = self._connection = open_to_write(self._path)
        self._number = file_number(self._path)
        head, total = self._reader.head(), self._reader.statistics().records
        state = State(
            FORMAT, self._scope_text, head.log_id, head.seq, head.digest, not total, b"", 0, total,
            0, 0, ended_well=False,
        )  # fmt: skip
        connection.executescript(f"BEGIN; {SCHEMA}")
        write_state(connection, state)
        connection.execute("COMMIT")
        self._index, self._state, self._told_percent = Index(connection, self._scope), state, 0
        log.info("the search index is made anew", extra={"reason": reason, "records": total})

    def _discard(self) -> None:
        self._let_go()
        remove_files(self._path)

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._index = self._state = None

    # working

    def _read_rows(self) -> bool:
        """Some more records of the store, in the order in which they lie there."""
        state, index = self._state, self._index
        assert state is not None
        assert index is not None
        authorities = self._authorities()
        rows = self._reader.raw()
        try:
            page = rows.page("rec", state.place, self._rows_at_once)
        finally:
            rows.close()
        records: dict[bytes, Record | None] = {}
        for key, stored in page:
            authority = authorities.get(bytes(key[:4]))
            if authority is None or stored[1] & DELETED:
                continue
            try:
                record = decode_at(bytes(key), authority, bytes(stored))
            except ProtocolError as error:
                log.warning("a damaged record is left out", extra={"reason": str(error)})
                continue
            records[record.key] = record
        is_whole = len(page) < self._rows_at_once
        place = state.place if is_whole else bytes(page[-1][0])
        state = state._replace(is_whole=is_whole, place=place, done=state.done + len(page))
        self._state = state = index.commit(records, state)
        self._tell(state)
        return True

    def _follow(self) -> bool:
        """Some more changes."""
        state, index = self._state, self._index
        assert state is not None
        assert index is not None
        try:
            changes = self._reader.changes(state.seq, CHANGES_AT_ONCE)
        except Gone:
            self._begin_anew("the feed was cut behind the index")
            return True
        if not changes:
            return False
        if changes[0].previous != state.digest:
            self._begin_anew("the store's feed is another one")
            return True
        records = {change.key: self._lookup(change.key) for change in changes}
        last = changes[-1]
        state = state._replace(seq=last.seq, digest=entry_digest(encode_change(last)))
        self._state = index.commit(records, state)
        return len(changes) == CHANGES_AT_ONCE

    def _lookup(self, key: bytes) -> Record | None:
        """As it is now, whether or not the prefix is hosted: whoever asks decides what he shows."""
        try:
            return self._reader.lookup(read_identifier(key))
        except DamagedRecord as error:
            log.warning("a damaged record is left out", extra={"reason": str(error)})
            return None

    def _authorities(self) -> Mapping[bytes, Authority]:
        """By the first bytes of their store keys."""
        found = {ROOT.id.to_bytes(4): ROOT}
        after = b""
        while page := self._reader.authorities(after):
            found.update((one.id.to_bytes(4), one) for one in page)
            after = page[-1].prefix
        return found

    def _tell(self, state: State) -> None:
        percent = 100 * state.done // max(1, state.total)
        if state.is_whole:
            log.info(
                "the search index is made", extra={"records": state.records, "values": state.cells}
            )
        elif percent >= self._told_percent + TOLD_EVERY_PERCENT:
            self._told_percent = percent
            log.info("the search index is being made", extra={"percent": percent})
