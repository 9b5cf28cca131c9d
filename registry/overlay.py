"""Overlay: the store as it will be once the batch at hand is committed, and the feed entries that take it there.

Commands later in a batch see the effect of earlier ones here, although nothing is stored before the whole batch is.
What the batch has not touched is looked up in the store.
"""

from typing import NamedTuple

from protocols.identifier import PREFIX_AUTHORITY, Identifier
from protocols.message import Operation
from protocols.record import Record, decode_record
from registry.change import Change, encode_change, entry_digest
from registry.holdings import folded_key
from registry.stores.store import Authority, Reader, Run, Write


class Act(NamedTuple):
    """What a feed entry says beside the record: what was done, by whom, and where it came from."""

    operation: Operation
    actor: str
    source: str
    request_id: str = ""


class Overlay:
    """One batch in the making. Single use: ``writes`` goes to ``store.commit`` as it is."""

    __slots__ = (
        "_authorities",
        "_moved",
        "_seq",
        "_store",
        "oldest_available",
        "plain",
        "previous",
        "records",
        "time_ms",
        "writes",
    )

    def __init__(self, store: Reader, time_ms: int) -> None:
        head = store.head()
        self._store = store
        self._seq = head.seq
        self.previous = head.digest
        """What the next entry is linked to."""
        self.records: dict[bytes, Record] = {}
        self.plain: dict[bytes, bytes] = {}
        """Stored forms of records made by runs; ``records`` goes before it."""
        self._moved: dict[bytes, int] = {}
        """By how much runs move the number of records below a prefix."""
        self._authorities: dict[bytes, Authority] = {}
        self.oldest_available = head.oldest_available
        self.time_ms = time_ms
        self.writes: list[Write | Run] = []

    @property
    def next_seq(self) -> int:
        """The number the next change gets."""
        return self._seq + 1

    def key_of(self, identifier: Identifier) -> bytes:
        """The key under which the identifier's record is, or would be, kept."""
        return folded_key(identifier, self.authority(identifier.prefix))

    def lookup_any(self, identifier: Identifier) -> Record | None:
        """The record even if it is deleted."""
        if self.records or self.plain:
            key = self.key_of(identifier)
            record = self.records.get(key)
            if record is not None:
                return record
            if key in self.plain:
                return decode_record(key, self.plain[key])
        return self._store.lookup_any(identifier)

    def lookup(self, identifier: Identifier) -> Record | None:
        """The record, None when absent or deleted."""
        record = self.lookup_any(identifier)
        return None if record is None or record.is_deleted else record

    def authority(self, prefix: bytes) -> Authority | None:
        """By folded prefix."""
        return self._authorities.get(prefix) or self._store.authority(prefix)

    def has_prefix_record(self, prefix: bytes) -> bool:
        """Whether the folded prefix's own record is there and not deleted."""
        record = self.records.get(PREFIX_AUTHORITY + b"/" + prefix)
        return self._store.has_prefix_record(prefix) if record is None else not record.is_deleted

    def count(self, prefix: bytes) -> int:
        """Number of undeleted records below a folded prefix."""
        lead = prefix + b"/"
        moved = self._moved.get(prefix, 0) + sum(
            (not write.record.is_deleted) - write.was_present
            for write in self.writes
            if isinstance(write, Write) and write.record.key.startswith(lead)
        )
        return self._store.count(prefix) + moved

    def add(
        self,
        act: Act,
        record: Record,
        old: Record | None,
        content: bytes,
        authority: Authority | None = None,
    ) -> None:
        """Append one change that makes ``record`` out of ``old``; ``record.seq`` must be ``next_seq``."""
        was_present = old is not None and not old.is_deleted
        self.append(act, record, 0 if old is None else old.version, was_present, content, authority)

    def append(
        self,
        act: Act,
        record: Record,
        expect_version: int,
        was_present: bool,
        content: bytes,
        authority: Authority | None = None,
    ) -> None:
        """``add`` for those who know the old version without having the old record."""
        operation, actor, source, request_id = act
        key = record.key
        seq = record.seq
        change = Change(
            seq, self.time_ms, operation, key, record.version, content,
            actor, source, request_id, self.previous,
        )  # fmt: skip
        entry = encode_change(change)
        self._seq = seq
        self.previous = digest = entry_digest(entry)
        self.writes.append(
            Write(
                change, record, expect_version, was_present, authority, entry=entry, digest=digest
            )
        )
        self.records[key] = record
        if authority is not None:
            self._authorities[authority.prefix] = authority

    def add_run(self, run: Run, last_seq: int) -> None:
        """Append a run whose stored forms lie in ``plain`` already."""
        self.writes.append(run)
        self._seq, self.previous = last_seq, run.digest
        made = len(run.records) - sum(present for _, present in run.replaced.values())
        self._moved[run.prefix] = self._moved.get(run.prefix, 0) + made
