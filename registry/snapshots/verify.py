"""Walks a whole LMDB store and reports everything that is not as it must be.

Checked: every row decodes; public lists are well formed, public, sorted by index, and have the TTL their head says;
records lie where their spelling folds to; counters equal a recount; the chain of digests is whole from the oldest entry
to the head; records and entries agree on version and content; request marks point to kept entries; a delegated prefix
names a server to ask. With the node key's sealer the non-public values are opened and compared, too; without it they
are taken as they are.

The store must stand still meanwhile: verify a backup, a hot copy, or a store without a writer.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.record import HEAD, Record
from protocols.values.value_list import decode_values
from registry.change import Change, decode_change, entry_digest, genesis
from registry.delegation import sites_in
from registry.errors import StoreFailed, StoreMoved
from registry.sealing import Sealer
from registry.snapshots.verify_record import content_fault, record_faults
from registry.stores.keys import decode_at, folded_suffix, store_key
from registry.stores.lmdb_layout import (
    FLIPS_KEPT,
    FLIPS_KEY,
    FORMAT,
    FORMAT_KEY,
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
    mark_place,
    unseal,
)
from registry.stores.lmdb_reader import LmdbReader
from registry.stores.lmdb_rows import LmdbRows
from registry.stores.store import ROOT, Authority

PAGE = 1000
MAX_FINDINGS = 1000
"""More are only counted: nobody repairs a thousand rows by hand."""

Progress = Callable[[str, int, int], None]
"""Table, rows done, rows in all; called once a page."""


class Finding(NamedTuple):
    """One thing that is wrong."""

    table: str
    key: bytes
    seq: int
    """Number of the change concerned, 0 when there is none."""
    reason: str


class Report(NamedTuple):
    """What a verification found; the store is whole when ``count`` is 0."""

    findings: tuple[Finding, ...]
    count: int  # type: ignore[assignment]  # the field's own word; tuple.count is not wanted here
    rows: dict[str, int]
    """Rows looked at, by table."""


def verify(
    reader: LmdbReader, sealer: Sealer | None = None, progress: Progress = lambda *_: None
) -> Report:
    """Raises ``StoreMoved`` when the store is written to meanwhile; every other trouble is a finding."""
    rows = reader.raw()
    try:
        return _Verification(rows, sealer, progress).run()
    finally:
        rows.close()


class _Verification:
    def __init__(self, rows: LmdbRows, sealer: Sealer | None, progress: Progress) -> None:
        self._rows = rows
        self._sealer = sealer
        self._progress = progress
        self._findings: list[Finding] = []
        self._count = 0
        self._looked_at: dict[str, int] = {}
        self._head_row = rows.row("meta", HEAD_KEY) or b""
        self._authorities: dict[int, Authority] = {0: ROOT}
        self._by_prefix: dict[bytes, Authority] = {ROOT.prefix: ROOT}
        self._present = {0: 0}

    def run(self) -> Report:
        try:
            head = decode_head(self._head_row)
            if unseal(FORMAT_KEY, self._rows.row("meta", FORMAT_KEY) or b"") != FORMAT.to_bytes(4):
                self._found("meta", FORMAT_KEY, 0, f"the format is not {FORMAT}")
        except StoreFailed as failure:
            self._found("meta", HEAD_KEY, 0, f"{failure}; nothing else can be checked without it")
            return self._report()
        for check in (self._check_authorities, self._check_flips, self._check_records,
                      self._check_counts, self._check_feed, self._check_marks, self._check_notes):  # fmt: skip
            try:
                check(head)
            except StoreFailed as failure:
                self._found("", b"", 0, f"pages of the file are damaged: {failure}")
        return self._report()

    def _check_authorities(self, head: StoredHead) -> None:
        for key, row in self._walk("auth"):
            try:
                authority = decode_authority(key, row)
            except StoreFailed as failure:
                self._found("auth", key, 0, str(failure))
                continue
            if (
                authority.prefix != authority.spelling.upper()
                or authority.prefix in self._by_prefix
            ):
                self._found(
                    "auth", key, 0, f"prefix {authority.prefix!r} is not folded, or there twice"
                )
            fault = self._prefix_fault(authority)
            if fault:
                self._found("auth", key, 0, f"prefix {authority.prefix!r} {fault}")
            self._by_prefix[authority.prefix] = authority
            self._authorities[authority.id] = authority
            self._present[authority.id] = 0
        ids = range(head.authority_count + 1)
        for missing in sorted(set(ids) ^ self._authorities.keys()):
            self._found("auth", missing.to_bytes(4), 0, "missing, or more than the head counts")

    def _prefix_fault(self, authority: Authority) -> str:
        """What is wrong with the prefix's own record; damage is reported once, by the walk over the records."""
        key = store_key(0, authority.prefix)
        stored = self._rows.row("rec", key)
        if stored is None:
            return "has no record of its own"
        if not authority.is_delegated:
            return ""
        try:
            record = decode_at(key, ROOT, stored)
            is_found = record.is_deleted or sites_in(decode_values(record.public))
        except ProtocolError:
            return ""
        return "" if is_found else "is delegated, but its record names no server to ask"

    def _check_flips(self, _: StoredHead) -> None:
        """The list by which readers notice that a prefix was delegated or taken back."""
        try:
            flips = decode_flips(self._rows.row("meta", FLIPS_KEY))
        except StoreFailed as failure:
            self._found("meta", FLIPS_KEY, 0, str(failure))
            return
        for number in range(max(flips - FLIPS_KEPT, 0) + 1, flips + 1):
            key = flip_key(number)
            try:
                home = int.from_bytes(decode_flip(number, self._rows.row("meta", key)))
            except StoreFailed as failure:
                self._found("meta", key, 0, str(failure))
                continue
            if home not in self._authorities:
                self._found("meta", key, 0, f"authority {home}, which it names, is not there")

    def _check_records(self, head: StoredHead) -> None:
        for key, stored in self._walk("rec"):
            home = int.from_bytes(key[:4])
            authority = self._authorities.get(home)
            if authority is None:
                self._found("rec", key, 0, f"authority {home} is not there")
                continue
            try:
                record = decode_at(key, authority, stored)
            except ProtocolError as error:
                self._found("rec", key, 0, str(error))
                continue
            self._present[home] += not record.is_deleted
            faults = list(record_faults(record, authority, key))
            for fault in faults or filter(None, [self._entry_fault(head, record)]):
                self._found("rec", key, record.seq, fault)

    def _entry_fault(self, head: StoredHead, record: Record) -> str:
        """What is wrong between a record and the feed entry that made it."""
        if not 1 <= record.seq <= head.seq:
            return f"change {record.seq} is not within the feed's {head.seq}"
        if record.seq < head.oldest_available:
            return ""
        entry = self._rows.row("log", record.seq.to_bytes(8))
        if entry is None:
            return "the feed entry that made it is missing"
        try:
            change = decode_change(entry)
        except ProtocolError:
            return ""  # reported once, by the walk over the feed
        if (change.key, change.version) != (record.key, record.version):
            return f"its feed entry is about {change.key!r} version {change.version}"
        return content_fault(record, change.content, self._sealer)

    def _check_counts(self, _: StoredHead) -> None:
        kept = dict.fromkeys(self._present, 0)
        for key, row in self._walk("cnt"):
            try:
                kept[int.from_bytes(key)] = decode_count(key, row)
            except StoreFailed as failure:
                self._found("cnt", key, 0, str(failure))
                kept.pop(int.from_bytes(key), None)
        for home, count in kept.items():
            recount = self._present.get(home, 0)
            if count != recount:
                self._found("cnt", home.to_bytes(4), 0, f"counter {count}, but {recount} are there")

    def _check_feed(self, head: StoredHead) -> None:
        expected = head.oldest_available
        digest = genesis(head.origin) if expected == 1 else None
        for key, entry in self._walk("log"):
            seq = int.from_bytes(key)
            if seq != expected:
                self._found("log", key, seq, f"change {expected} should be here")
                digest = None
            try:
                change = decode_change(entry)
            except ProtocolError as error:
                self._found("log", key, seq, str(error))
            else:
                if change.seq != seq:
                    self._found("log", key, seq, f"the entry says it is change {change.seq}")
                if digest is not None and change.previous != digest:
                    self._found(
                        "log",
                        key,
                        seq,
                        "not linked to the entry before it: one of the two is damaged",
                    )
                self._check_changed(change, key)
            digest = entry_digest(entry)
            expected = seq + 1
        if expected != head.seq + 1:
            self._found(
                "log",
                b"",
                expected,
                f"the feed ends before change {expected}, the head is {head.seq}",
            )
        elif digest is not None and digest != head.digest:
            self._found(
                "log",
                head.seq.to_bytes(8),
                head.seq,
                "the newest entry does not match the head's digest",
            )

    def _check_changed(self, change: Change, key: bytes) -> None:
        """A change's record must be there, at this change or a later one."""
        place = self._place(change.key)
        stored = None if place is None else self._rows.row("rec", place)
        if stored is None:
            self._found("log", key, change.seq, f"{change.key!r}, which it changed, is not there")
        elif len(stored) >= HEAD.size and HEAD.unpack_from(stored)[3] < change.seq:
            self._found("log", key, change.seq, f"{change.key!r} is as it was before this change")

    def _place(self, key: bytes) -> bytes | None:
        prefix, _, suffix = key.partition(b"/")
        authority = self._by_prefix.get(prefix)
        return authority and store_key(authority.id, folded_suffix(authority, suffix))

    def _check_marks(self, head: StoredHead) -> None:
        for key, row in self._walk("idem"):
            if key.startswith(b"s"):
                if self._rows.row("idem", mark_key(key[9:])) is None:
                    self._found(
                        "idem", key, int.from_bytes(key[1:9]), "its request mark is not there"
                    )
                continue
            try:
                mark = decode_mark(key, row)
            except StoreFailed as failure:
                self._found("idem", key, 0, str(failure))
                continue
            if self._rows.row("idem", mark_place(mark.seq, mark.key)) is None:
                self._found(
                    "idem", key, mark.seq, "the row that finds it by its change is not there"
                )
            if mark.seq and not head.oldest_available <= mark.seq <= head.seq:
                self._found("idem", key, mark.seq, "points to a change that is not kept")

    def _check_notes(self, _: StoredHead) -> None:
        for key, row in self._walk("note"):
            try:
                unseal(key, row)
            except StoreFailed as failure:
                self._found("note", key, 0, str(failure))

    def _walk(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        total, done, after = self._rows.count(table), 0, b""
        while page := self._rows.page(table, after, PAGE):
            yield from page
            after = page[-1][0]
            done += len(page)
            self._looked_at[table] = done
            self._progress(table, done, total)
            self._rows.turn()
            if self._rows.row("meta", HEAD_KEY) != self._head_row:
                raise StoreMoved("the store was written to while it was verified")

    def _found(self, table: str, key: bytes, seq: int, reason: str) -> None:
        self._count += 1
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(Finding(table, key, seq, reason))

    def _report(self) -> Report:
        return Report(tuple(self._findings), self._count, self._looked_at)
