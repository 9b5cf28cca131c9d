"""The default store: LMDB, one writer process and any number of readers beside it.

Every commit is one LMDB transaction over all tables, durable when ``commit`` returns. Two things keep a second writer
out: the lock file (writer_lock.py), and the head row, which names the writer's epoch and is compared with the row this
writer left before anything is written. README.md beside this file describes the tables.
"""

import errno
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, takewhile
from pathlib import Path

import lmdb

from protocols.record import DELETED, HEAD, Record
from registry.change import genesis
from registry.durable_files import sync_directory
from registry.errors import Conflict, StoreError, StoreFailed, StoreFull, StoreLocked
from registry.stores.failpoints import (
    AFTER_SYNC,
    AFTER_WRITE,
    BEFORE_SYNC,
    BEFORE_WRITE,
    POINTS,
    Failpoints,
    nothing,
)
from registry.stores.lmdb_environment import Environment, LmdbSettings, open_environment
from registry.stores.lmdb_filling import put_new
from registry.stores.lmdb_layout import (
    FLIPS_KEY,
    FORMAT,
    FORMAT_KEY,
    HEAD_KEY,
    StoredHead,
    decode_count,
    decode_flips,
    decode_head,
    decode_mark,
    encode_authority,
    encode_count,
    encode_flip,
    encode_flips,
    encode_head,
    encode_mark,
    flip_key,
    mark_key,
    mark_place,
    seal,
)
from registry.stores.lmdb_reader import LmdbReader, walk
from registry.stores.plan import ABSENT, Plan, check_extras, disagreement, plan_commit
from registry.stores.seeding import number_authorities, seed_rows
from registry.stores.store import Authority, Head, Note, RequestMark, Run, Write, forked
from registry.stores.writer_lock import WriterLock

DEFAULT_SETTINGS = LmdbSettings()
SEED_ROWS = 20_000
"""Rows handed to LMDB at a time while seeding: enough to be fast, little enough to stay in cache."""

_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def create_store(directory: Path, log_id: bytes, settings: LmdbSettings = DEFAULT_SETTINGS) -> None:
    """Make an empty store (``log_id``: 16 random bytes); the directory may exist. Raises ``FileExistsError``.

    Safe to repeat after a crash: until it has finished, the directory opens as ``NeverFinished``.
    """
    if len(log_id) != 16:
        raise ValueError(f"log_id: 16 bytes needed, not {len(log_id)}")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = WriterLock(directory)
    try:
        tables = open_environment(directory, settings, is_writer=True, create=True)
        try:
            _write_first_head(tables, log_id)
        finally:
            tables.env.close()
        sync_directory(directory)
        sync_directory(directory.parent)
    finally:
        lock.release()


def open_reader(directory: Path, settings: LmdbSettings = DEFAULT_SETTINGS) -> LmdbReader:
    """For a process that only reads. Raises ``FileNotFoundError``, ``WrongFormat``, ``StoreFailed``."""
    tables = open_environment(directory, settings, is_writer=False)
    return LmdbReader(tables, tables.env.close)


def open_writer(
    directory: Path,
    settings: LmdbSettings = DEFAULT_SETTINGS,
    failpoints: Failpoints | None = None,
) -> "LmdbStore":
    """Become the writer. Raises ``StoreLocked`` (naming the holder), ``FileNotFoundError``, ``WrongFormat``,
    ``StoreFailed``.
    """
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory} holds no store: there is no such directory")
    lock = WriterLock(directory)
    try:
        tables = open_environment(directory, settings, is_writer=True)
        try:
            return LmdbStore(tables, lock, failpoints or {})
        except BaseException:
            tables.env.close()
            raise
    except BaseException:
        lock.release()
        raise


class LmdbStore(LmdbReader):
    """The whole store, for its single writer; open it with ``open_writer``."""

    def __init__(self, tables: Environment, lock: WriterLock, failpoints: Failpoints) -> None:
        super().__init__(tables, self._close_writer)
        self._lock = lock
        self._points = {point: failpoints.get(point, nothing) for point in POINTS}
        self._failure = ""
        head = self.stored_head()
        self._head = head
        self._head_row = encode_head(head)
        self._transact(lambda _: head._replace(epoch=head.epoch + 1))

    def reader(self) -> LmdbReader:
        """Another reader with a snapshot of its own."""
        return LmdbReader(self._tables, nothing)

    def commit(
        self,
        writes: Sequence[Write | Run],
        marks: Sequence[RequestMark] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        """Make all of it durable, or raise and change nothing."""
        self._check_usable()
        check_extras(marks, notes)
        head = self._head
        self._check_unreplaced(self._snapshot())
        plan = plan_commit(writes, head.seq, head.digest, self._authorities)

        def enter(txn: "lmdb.Transaction[bytes]") -> StoredHead:
            self._check_versions(txn, plan.expected)
            self._points[BEFORE_WRITE]()
            self._put_plan(txn, head.seq, plan)
            self._put_marks(txn, marks)
            self._put_notes(txn, notes)
            self._points[AFTER_WRITE]()
            return head._replace(
                seq=plan.seq,
                digest=plan.digest,
                authority_count=head.authority_count + len(plan.hosted),
            )

        self._transact(enter)

    def truncate_changes(self, before: int, limit: int = 10_000) -> int:
        """Drop at most ``limit`` of the oldest feed entries numbered below ``before``."""
        head = self._head
        oldest = min(before, head.seq, head.oldest_available + limit)
        dropped = oldest - head.oldest_available
        if dropped <= 0:
            return 0

        def cut(txn: "lmdb.Transaction[bytes]") -> StoredHead:
            for seq in range(head.oldest_available, oldest):
                txn.delete(seq.to_bytes(8), db=self._tables.log)
            idem = self._tables.idem
            end = mark_place(oldest, b"")
            marked = (key for key, _ in walk(txn, idem, b"s", b"s"))
            for place in list(takewhile(end.__gt__, marked)):
                txn.delete(place, db=idem)
                txn.delete(mark_key(place[9:]), db=idem)
            return head._replace(oldest_available=oldest)

        self._transact(cut)
        return dropped

    def seed(self, head: Head, authorities: Iterable[Authority], records: Iterable[Record]) -> None:
        """Fill an empty store from a snapshot, in one transaction."""
        epoch = self._head.epoch

        def fill(txn: "lmdb.Transaction[bytes]") -> StoredHead:
            if self._head.seq or txn.stat(self._tables.rec)["entries"]:
                raise Conflict(f"a snapshot needs an empty store, {self._tables.directory} is not")
            numbered = number_authorities(authorities)
            self._put_authorities(txn, [a for a in numbered.values() if a.id])
            counted: dict[int, int] = {}
            rows = seed_rows(records, numbered, head.seq)
            with txn.cursor(self._tables.rec) as cursor:
                while chunk := list(islice(rows, SEED_ROWS)):
                    for key, stored in chunk:
                        home = int.from_bytes(key[:4])
                        counted[home] = counted.get(home, 0) + (not stored[1] & DELETED)
                    cursor.putmulti(chunk, append=True)
            self._add_counts(txn, counted)
            return StoredHead(
                head.log_id, head.log_id, head.seq, head.digest, head.seq + 1, len(numbered) - 1, epoch
            )  # fmt: skip

        self._transact(fill)

    def fork(self, log_id: bytes) -> None:
        """Go on under another log_id (16 random bytes), so that followers notice that the past has changed.

        Entries kept so far stay as they are; the chain goes on behind the newest one.
        """
        if len(log_id) != 16:
            raise ValueError(f"log_id: 16 bytes needed, not {len(log_id)}")
        old = self._head
        head = forked(old.head, log_id)
        origin = old.origin if old.seq else log_id
        self._transact(lambda _: old._replace(log_id=log_id, origin=origin, digest=head.digest))

    def _transact(self, work: Callable[["lmdb.Transaction[bytes]"], StoredHead]) -> None:
        """Run ``work`` and replace the head by what it returns, durably; on any error nothing is changed.

        Raises ``StoreFull``, ``StoreFailed`` (then this writer refuses everything until reopened), ``StoreLocked``.
        """
        self._check_usable()
        self.release()
        try:
            with self._env.begin(write=True) as txn:
                self._check_unreplaced(txn)
                head = work(txn)
                row = encode_head(head)
                txn.put(HEAD_KEY, row, db=self._tables.meta)
                self._points[BEFORE_SYNC]()
        except lmdb.Error as error:
            raise self._translate(error) from error
        self._head, self._head_row = head, row
        self._points[AFTER_SYNC]()

    def _check_usable(self) -> None:
        if self._failure:
            raise StoreFailed(f"writing stopped, reopen the store: {self._failure}")

    def _check_unreplaced(self, txn: "lmdb.Transaction[bytes]") -> None:
        found = txn.get(HEAD_KEY, b"", self._tables.meta)
        if found == self._head_row:
            return
        self._failure = f"another process has written to {self._tables.directory}"
        epoch = decode_head(found).epoch
        raise StoreLocked(
            f"{self._failure}: the store is in epoch {epoch}, this writer in {self._head.epoch}"
        )

    def _translate(self, error: lmdb.Error) -> StoreError:
        """A full disk or map leaves the store as it was; after anything else nobody knows, and writing ends."""
        code = getattr(error, "code", 0)
        is_full = isinstance(error, lmdb.MapFullError | lmdb.TxnFullError) or code in _FULL_ERRNOS
        if is_full and not self._is_broken():
            return StoreFull(f"no room for this commit in {self._tables.directory}: {error}")
        self._failure = str(error)
        return StoreFailed(
            f"writing to {self._tables.directory} failed: {error}; reopen and verify"
        )

    def _is_broken(self) -> bool:
        """Whether LMDB refuses to go on: the page that makes a transaction count could not be written."""
        try:
            self._env.begin().abort()
        except lmdb.Error:
            return True
        return False

    def _check_versions(
        self, txn: "lmdb.Transaction[bytes]", expected: dict[bytes, tuple[int, bool]]
    ) -> None:
        """Of what has been there before; that the rest is new shows when it is put."""
        there = sorted(key for key, wanted in expected.items() if wanted != ABSENT)
        with txn.cursor(self._tables.rec) as cursor:
            stored_forms = dict(cursor.getmulti(there)) if there else {}
        for key in there:
            wanted, found = expected[key], _found(stored_forms.get(key))
            if found != wanted:
                raise disagreement(key, wanted, found)

    def _put_plan(self, txn: "lmdb.Transaction[bytes]", seq: int, plan: Plan) -> None:
        self._put_authorities(txn, plan.hosted)
        self._put_flips(txn, plan.flipped)
        self._put_records(txn, plan)
        entries = [(number.to_bytes(8), e) for number, e in enumerate(plan.entries, seq + 1)]
        with txn.cursor(self._tables.log) as cursor:
            cursor.putmulti(entries, append=True)
        self._add_counts(txn, plan.counted)

    def _put_records(self, txn: "lmdb.Transaction[bytes]", plan: Plan) -> None:
        """In order of the keys, so that neighbours go to one page."""
        placed, expected = plan.placed, plan.expected
        new: list[tuple[bytes, bytes]] = []
        replacing: list[tuple[bytes, bytes]] = []
        for row in sorted(placed.items()):
            (new if expected[row[0]] == ABSENT else replacing).append(row)
        with txn.cursor(self._tables.rec) as cursor:
            cursor.putmulti(replacing)
        if not put_new(txn, self._tables.rec, new):
            first = next((key for key, stored in new if txn.get(key) != stored), new[0][0])
            raise disagreement(first, ABSENT, _found(txn.get(first)))

    def _put_authorities(
        self, txn: "lmdb.Transaction[bytes]", authorities: Iterable[Authority]
    ) -> None:
        for authority in authorities:
            txn.put(authority.id.to_bytes(4), encode_authority(authority), db=self._tables.auth)

    def _put_flips(self, txn: "lmdb.Transaction[bytes]", authorities: Sequence[Authority]) -> None:
        if not authorities:
            return
        self._put_authorities(txn, authorities)
        meta = self._tables.meta
        before = decode_flips(txn.get(FLIPS_KEY, db=meta))
        for number, authority in enumerate(authorities, before + 1):
            txn.put(flip_key(number), encode_flip(number, authority.id), db=meta)
        txn.put(FLIPS_KEY, encode_flips(before + len(authorities)), db=meta)

    def _add_counts(self, txn: "lmdb.Transaction[bytes]", counted: dict[int, int]) -> None:
        for home, delta in counted.items():
            key = home.to_bytes(4)
            row = txn.get(key, db=self._tables.cnt)
            present = (0 if row is None else decode_count(key, row)) + delta
            txn.put(key, encode_count(key, present), db=self._tables.cnt)

    def _put_marks(self, txn: "lmdb.Transaction[bytes]", marks: Sequence[RequestMark]) -> None:
        idem = self._tables.idem
        for mark in marks:
            key = mark_key(mark.key)
            old = txn.get(key, db=idem)
            if old is not None:
                txn.delete(mark_place(decode_mark(key, old).seq, mark.key), db=idem)
            txn.put(key, encode_mark(mark), db=idem)
            txn.put(mark_place(mark.seq, mark.key), b"", db=idem)

    def _put_notes(self, txn: "lmdb.Transaction[bytes]", notes: Sequence[Note]) -> None:
        for note in notes:
            if note.value:
                txn.put(note.name, seal(note.name, note.value), db=self._tables.note)
            else:
                txn.delete(note.name, db=self._tables.note)

    def _close_writer(self) -> None:
        self._env.close()
        self._lock.release()


def _found(stored: bytes | None) -> tuple[int, bool]:
    """(version, present) of a stored form."""
    if stored is None:
        return ABSENT
    return HEAD.unpack_from(stored)[2], not stored[1] & DELETED


def _write_first_head(tables: Environment, log_id: bytes) -> None:
    head = StoredHead(log_id, log_id, 0, genesis(log_id), 1, 0, 0)
    with tables.env.begin(tables.meta, write=True) as txn:
        if txn.get(HEAD_KEY) is not None:
            raise FileExistsError(f"{tables.directory} holds a store already")
        txn.put(FORMAT_KEY, seal(FORMAT_KEY, FORMAT.to_bytes(4)))
        txn.put(HEAD_KEY, encode_head(head))
