"""The reading half of the LMDB engine: one renewed read transaction between ``refresh`` and ``release``.

``stored`` is the node's hot path: split, fold, one dict look-up for the authority, one get. Authorities are kept in
memory, topped up when the head says that there are more, and read again when the list of flips says that their state
changed; nothing else about them does, and none is taken away. Only those that are ``is_plain`` are in ``_hosted``.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

import lmdb

from protocols.errors import ProtocolError
from protocols.identifier import MAX_PREFIX_BYTES, PREFIX_AUTHORITY, Identifier, split
from protocols.record import DELETED, Record
from registry.change import Change, decode_change
from registry.errors import DamagedRecord, Gone, StoreFailed
from registry.stores.keys import (
    LONGEST_PLAIN_SUFFIX_BYTES,
    decode_at,
    folded_suffix,
    folds,
    store_key,
    suffix_key,
)
from registry.stores.lmdb_environment import Environment
from registry.stores.lmdb_layout import (
    FLIPS_KEPT,
    FLIPS_KEY,
    HEAD_KEY,
    StoredHead,
    decode_authority,
    decode_count,
    decode_flip,
    decode_flips,
    decode_head,
    decode_mark,
    flip_key,
    mark_key,
    unseal,
)
from registry.stores.lmdb_rows import LmdbRows
from registry.stores.store import ROOT, AtHand, Authority, Head, RequestMark

_ROOT_START = ROOT.id.to_bytes(4)
"""Where the keys of prefix records begin."""


class Statistics(NamedTuple):
    """For metrics and operators."""

    map_bytes: int
    used_bytes: int
    """Pages ever used; the file does not shrink."""
    records: int
    """Tombstones included."""
    changes: int
    readers: int
    """Reader slots in use."""
    max_readers: int


class LmdbReader:
    """Open one with ``registry.stores.lmdb.open_reader``, or beside the writer with ``LmdbStore.reader``."""

    def __init__(self, tables: Environment, when_closed: Callable[[], None]) -> None:
        self._tables = tables
        self._env = tables.env
        self._when_closed = when_closed
        self._txn: lmdb.Transaction[bytes] | None = None
        self._seen_txn_id = -1
        self._seen_flips = 0
        self._hosted: dict[bytes, tuple[bytes, bool]] = {PREFIX_AUTHORITY: (_ROOT_START, True)}
        self._authorities: dict[bytes, Authority] = {PREFIX_AUTHORITY: ROOT}
        self._sorted_prefixes: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> None:
        """See the newest commit."""
        self.release()
        self._begin()

    def release(self) -> None:
        """Give the snapshot up."""
        if self._txn is not None:
            self._txn.abort()
            self._txn = None

    @property
    def snapshot_number(self) -> int:
        """Number of the transaction that made the last snapshot."""
        return self._seen_txn_id

    def stored(self, spelling: bytes) -> bytes | None:
        """The stored form under an identifier in any spelling."""
        if self._txn is None:
            self._begin()
        prefix, slash, suffix = spelling.partition(b"/")
        if not slash:
            prefix, suffix = PREFIX_AUTHORITY, prefix
        hosted = self._hosted.get(prefix.upper())
        if hosted is None:
            return None
        start, is_folding = hosted
        if is_folding:
            suffix = suffix.upper()
        if len(suffix) > LONGEST_PLAIN_SUFFIX_BYTES:
            suffix = suffix_key(suffix)
        return self._get(start + suffix)

    def at_hand(self) -> AtHand:
        """What ``stored`` looks into."""
        if self._txn is None:
            self._begin()
        return AtHand(self._hosted, self._get, self._seen_txn_id)

    def kept(self, spelling: bytes) -> bytes | None:
        """``stored``, whatever state the prefix is in."""
        txn = self._snapshot()
        prefix, suffix = split(spelling)
        authority = self._authorities.get(prefix)
        if authority is None:
            return None
        return txn.get(store_key(authority.id, folded_suffix(authority, suffix)))

    def lookup(self, identifier: Identifier) -> Record | None:
        """The record, None when absent or deleted."""
        record = self.lookup_any(identifier)
        return None if record is None or record.is_deleted else record

    def lookup_any(self, identifier: Identifier) -> Record | None:
        """The record even if it is deleted."""
        txn = self._snapshot()
        authority = self._authorities.get(identifier.prefix)
        if authority is None:
            return None
        key = store_key(authority.id, folded_suffix(authority, identifier.suffix))
        stored = txn.get(key)
        return None if stored is None else _read(key, authority, stored)

    def is_vacant(self, prefix: bytes, first: bytes, last: bytes) -> bool:
        """Whether no record lies from one folded suffix to another."""
        txn = self._snapshot()
        authority = self._authorities.get(prefix)
        if authority is None:
            return True
        with txn.cursor(self._tables.rec) as cursor:
            there = cursor.set_range(store_key(authority.id, first))
            return not there or bytes(cursor.key()) > store_key(authority.id, last)

    def authority(self, prefix: bytes) -> Authority | None:
        """By folded prefix."""
        self._snapshot()
        return self._authorities.get(prefix)

    def has_prefix_record(self, prefix: bytes) -> bool:
        """Whether the folded prefix's own record is there and not deleted."""
        if len(prefix) > MAX_PREFIX_BYTES:
            return False
        stored = self._snapshot().get(_ROOT_START + prefix)
        return stored is not None and not stored[1] & DELETED

    def authorities(self, after: bytes = b"", limit: int = 1000) -> list[Authority]:
        """In order of folded prefix, those behind ``after``."""
        self._snapshot()
        start = bisect_right(self._sorted_prefixes, after)
        return [self._authorities[p] for p in self._sorted_prefixes[start : start + limit]]

    def list_records(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000, with_deleted: bool = False
    ) -> list[Record]:
        """Keyset page behind the folded suffix ``after``."""
        txn = self._snapshot()
        authority = self._authorities.get(prefix)
        page: list[Record] = []
        if authority is None or limit < 1:
            return page
        first = store_key(authority.id, folded_suffix(authority, after))
        for key, stored in walk(txn, self._tables.rec, authority.id.to_bytes(4), first):
            if key == first or (stored[1] & DELETED and not with_deleted):
                continue
            page.append(_read(key, authority, stored))
            if len(page) == limit:
                break
        return page

    def count(self, prefix: bytes) -> int:
        """Exact number of undeleted records of one folded prefix."""
        txn = self._snapshot()
        authority = self._authorities.get(prefix)
        if authority is None:
            return 0
        key = authority.id.to_bytes(4)
        row = txn.get(key, db=self._tables.cnt)
        return 0 if row is None else decode_count(key, row)

    def head(self) -> Head:
        """Where the feed stands."""
        return self.stored_head().head

    def stored_head(self) -> StoredHead:
        """The head with what only this engine keeps."""
        return decode_head(self._snapshot().get(HEAD_KEY, b"", self._tables.meta))

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Changes ``after + 1 …``; raises ``Gone``."""
        txn = self._snapshot()
        oldest = self.head().oldest_available
        if after + 1 < oldest:
            raise Gone(after + 1, oldest)
        page: list[Change] = []
        if limit < 1:
            return page
        try:
            for _, entry in walk(txn, self._tables.log, b"", (after + 1).to_bytes(8)):
                page.append(decode_change(entry))
                if len(page) == limit:
                    break
        except ProtocolError as error:
            seq = after + 1 + len(page)
            raise StoreFailed(
                f"damaged feed entry {seq}: {error}; run verify, then restore"
            ) from None
        return page

    def request(self, key: bytes) -> RequestMark | None:
        """What an idempotency key did."""
        at = mark_key(key)
        row = self._snapshot().get(at, db=self._tables.idem)
        return None if row is None else decode_mark(at, row)

    def note(self, name: bytes) -> bytes | None:
        """A note's value."""
        row = self._snapshot().get(name, db=self._tables.note)
        return None if row is None else unseal(name, row)

    def raw(self) -> LmdbRows:
        """The tables as they lie, for verification."""
        return LmdbRows(self._tables)

    def copy_to(self, directory: Path) -> None:
        """Write a compacted copy of the newest commit into an empty directory, beside the running writer.

        Reads in one transaction as long as the disk needs to write it. Raises ``StoreFailed``.
        """
        try:
            self._env.copy(str(directory), compact=True)
        except lmdb.Error as error:
            raise StoreFailed(
                f"copying {self._tables.directory} to {directory} failed: {error}"
            ) from error

    def check_readers(self) -> int:
        """Free the slots of readers that died; returns how many. Call it every minute."""
        return self._env.reader_check()

    def statistics(self) -> Statistics:
        """Sizes and slots now."""
        info = self._env.info()
        txn = self._snapshot()
        page_bytes = self._env.stat()["psize"]
        return Statistics(
            info["map_size"],
            (info["last_pgno"] + 1) * page_bytes,
            txn.stat(self._tables.rec)["entries"],
            txn.stat(self._tables.log)["entries"],
            self._env.readers().count("\n") - 1,
            info["max_readers"],
        )

    def close(self) -> None:
        """Release the snapshot and what was opened for this reader."""
        self.release()
        self._when_closed()

    def _snapshot(self) -> "lmdb.Transaction[bytes]":
        return self._txn or self._begin()

    def _begin(self) -> "lmdb.Transaction[bytes]":
        try:
            txn = self._env.begin(self._tables.rec)
        except lmdb.Error as error:
            raise StoreFailed(f"cannot read {self._tables.directory}: {error}") from error
        if txn.id() != self._seen_txn_id:
            self._top_up(txn)
        self._txn, self._get = txn, txn.get
        return txn

    def _top_up(self, txn: "lmdb.Transaction[bytes]") -> None:
        """Learn the authorities that are new or flipped in this snapshot."""
        meta, known = self._tables.meta, len(self._sorted_prefixes)
        head = decode_head(txn.get(HEAD_KEY, b"", meta))
        if head.authority_count != known:
            for key, row in walk(txn, self._tables.auth, b"", (known + 1).to_bytes(4)):
                insort(self._sorted_prefixes, self._learn(key, row))
        flips = decode_flips(txn.get(FLIPS_KEY, db=meta))
        if flips != self._seen_flips:
            if known:  # else all of them have just been read
                for key, row in self._flipped(txn, flips):
                    self._learn(key, row)
            self._seen_flips = flips
        self._seen_txn_id = txn.id()

    def _learn(self, key: bytes, row: bytes) -> bytes:
        authority = decode_authority(key, row)
        prefix = authority.prefix
        self._authorities[prefix] = authority
        if authority.is_plain:
            self._hosted[prefix] = (key, folds(authority))
        else:
            self._hosted.pop(prefix, None)
        return prefix

    def _flipped(self, txn: "lmdb.Transaction[bytes]", flips: int) -> Iterator[tuple[bytes, bytes]]:
        """Rows of the authorities whose state changed since the last look; all, if too many did."""
        auth, meta = self._tables.auth, self._tables.meta
        if flips - self._seen_flips > FLIPS_KEPT:
            yield from walk(txn, auth, b"", b"")
            return
        for number in range(self._seen_flips + 1, flips + 1):
            key = decode_flip(number, txn.get(flip_key(number), db=meta))
            yield key, txn.get(key, b"", auth)


def walk(
    txn: "lmdb.Transaction[bytes]", table: lmdb._Database, start: bytes, first: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """Rows from key ``first`` on whose keys begin with ``start``."""
    with txn.cursor(table) as cursor:
        if not (cursor.set_range(first) if first else cursor.first()):
            return
        for key, value in cursor.iternext():
            if not key.startswith(start):
                return
            yield key, value


def _read(key: bytes, authority: Authority, stored: bytes) -> Record:
    try:
        return decode_at(key, authority, stored)
    except ProtocolError as error:
        name = (authority.prefix + b"/" + key[4:]).decode(errors="backslashreplace")
        raise DamagedRecord(f"damaged record {name}: {error}; run verify, then restore") from None
