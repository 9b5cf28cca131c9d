"""A store in memory: for tests, trials and the demo of an interface; nothing survives the process.

A snapshot is the state object itself. A commit changes the state in place while nobody holds it, and a copy of it
otherwise: simple and right, at the price of one copy per commit beside a reader with a snapshot.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from protocols.identifier import PREFIX_AUTHORITY, Identifier, split
from protocols.record import DELETED, HEAD, Record
from registry.change import Change, decode_change, genesis
from registry.errors import Conflict, Gone
from registry.stores.keys import decode_at, folded_suffix, folds, store_key
from registry.stores.plan import ABSENT, Plan, check_extras, disagreement, plan_commit
from registry.stores.seeding import number_authorities, seed_rows
from registry.stores.store import ROOT, AtHand, Authority, Head, Note, RequestMark, Run, Write


@dataclass
class _State:
    """Everything there is, as of one commit."""

    head: Head
    authorities: dict[bytes, Authority] = field(default_factory=lambda: {PREFIX_AUTHORITY: ROOT})
    records: dict[bytes, bytes] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=list)
    """Of ``records``, sorted."""
    counts: dict[int, int] = field(default_factory=dict)
    entries: dict[int, bytes] = field(default_factory=dict)
    marks: dict[bytes, RequestMark] = field(default_factory=dict)
    notes: dict[bytes, bytes] = field(default_factory=dict)
    holders: int = 0
    """Readers whose snapshot this is."""

    def copy(self) -> "_State":
        return replace(
            self,
            authorities=dict(self.authorities),
            records=dict(self.records),
            keys=list(self.keys),
            counts=dict(self.counts),
            entries=dict(self.entries),
            marks=dict(self.marks),
            notes=dict(self.notes),
            holders=0,
        )


class _Box:
    """Holds the newest state; shared by the writer and its readers."""

    def __init__(self, state: _State) -> None:
        self.state = state


class MemoryReader:
    """The reading half; ``MemoryStore.reader()`` makes them."""

    def __init__(self, box: _Box) -> None:
        self._box = box
        self._held: _State | None = None

    def refresh(self) -> None:
        """See the newest commit."""
        self.release()
        self._hold()

    def release(self) -> None:
        """Give the snapshot up."""
        if self._held is not None:
            self._held.holders -= 1
            self._held = None

    @property
    def snapshot_number(self) -> int:
        """Number of the last change in the snapshot."""
        return self._state.head.seq

    @property
    def _state(self) -> _State:
        return self._held or self._hold()

    def _hold(self) -> _State:
        state = self._held = self._box.state
        state.holders += 1
        return state

    def at_hand(self) -> AtHand:
        """What ``stored`` looks into."""
        state = self._state
        hosted = {
            prefix: (one.id.to_bytes(4), folds(one))
            for prefix, one in state.authorities.items()
            if one.is_plain
        }
        return AtHand(hosted, state.records.get, state.head.seq)

    def stored(self, spelling: bytes) -> bytes | None:
        """The stored form under an identifier in any spelling."""
        prefix, suffix = split(spelling)
        authority = self._state.authorities.get(prefix)
        if authority is None or not authority.is_plain:
            return None
        return self._find(prefix, suffix)[1]

    def kept(self, spelling: bytes) -> bytes | None:
        """``stored``, whatever state the prefix is in."""
        return self._find(*split(spelling))[1]

    def lookup(self, identifier: Identifier) -> Record | None:
        """The record, None when absent or deleted."""
        record = self.lookup_any(identifier)
        return None if record is None or record.is_deleted else record

    def lookup_any(self, identifier: Identifier) -> Record | None:
        """The record even if it is deleted."""
        key, stored = self._find(identifier.prefix, identifier.suffix)
        if stored is None:
            return None
        return decode_at(key, self._state.authorities[identifier.prefix], stored)

    def _find(self, prefix: bytes, suffix: bytes) -> tuple[bytes, bytes | None]:
        state = self._state
        authority = state.authorities.get(prefix)
        if authority is None:
            return b"", None
        key = store_key(authority.id, folded_suffix(authority, suffix))
        return key, state.records.get(key)

    def is_vacant(self, prefix: bytes, first: bytes, last: bytes) -> bool:
        """Whether no record lies from one folded suffix to another."""
        state = self._state
        authority = state.authorities.get(prefix)
        if authority is None:
            return True
        place = bisect_left(state.keys, store_key(authority.id, first))
        return place == len(state.keys) or state.keys[place] > store_key(authority.id, last)

    def authority(self, prefix: bytes) -> Authority | None:
        """By folded prefix."""
        return self._state.authorities.get(prefix)

    def has_prefix_record(self, prefix: bytes) -> bool:
        """Whether the folded prefix's own record is there and not deleted."""
        stored = self._state.records.get(store_key(ROOT.id, prefix))
        return stored is not None and not stored[1] & DELETED

    def authorities(self, after: bytes = b"", limit: int = 1000) -> list[Authority]:
        """In order of folded prefix, those behind ``after``."""
        hosted = self._state.authorities
        behind = sorted(p for p in hosted if p > after and p != PREFIX_AUTHORITY)
        return [hosted[prefix] for prefix in behind[:limit]]

    def list_records(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000, with_deleted: bool = False
    ) -> list[Record]:
        """Keyset page behind the folded suffix ``after``."""
        state = self._state
        authority = state.authorities.get(prefix)
        page: list[Record] = []
        if authority is None:
            return page
        place = bisect_right(state.keys, store_key(authority.id, folded_suffix(authority, after)))
        start = authority.id.to_bytes(4)
        while len(page) < limit and place < len(state.keys):
            key = state.keys[place]
            if not key.startswith(start):
                break
            stored = state.records[key]
            if with_deleted or not stored[1] & DELETED:
                page.append(decode_at(key, authority, stored))
            place += 1
        return page

    def count(self, prefix: bytes) -> int:
        """Exact number of undeleted records of one folded prefix."""
        authority = self._state.authorities.get(prefix)
        return 0 if authority is None else self._state.counts.get(authority.id, 0)

    def head(self) -> Head:
        """Where the feed stands."""
        return self._state.head

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Changes ``after + 1 …``; raises ``Gone``."""
        state = self._state
        if after + 1 < state.head.oldest_available:
            raise Gone(after + 1, state.head.oldest_available)
        last = min(after + limit, state.head.seq)
        return [decode_change(state.entries[seq]) for seq in range(after + 1, last + 1)]

    def request(self, key: bytes) -> RequestMark | None:
        """What an idempotency key did."""
        return self._state.marks.get(key)

    def note(self, name: bytes) -> bytes | None:
        """A note's value."""
        return self._state.notes.get(name)

    def close(self) -> None:
        """Release the snapshot."""
        self.release()


class MemoryStore(MemoryReader):
    """The whole store. ``log_id`` is 16 random bytes."""

    def __init__(self, log_id: bytes) -> None:
        super().__init__(_Box(_State(Head(log_id, 0, genesis(log_id), 1))))

    def reader(self) -> MemoryReader:
        """Another reader with a snapshot of its own."""
        return MemoryReader(self._box)

    def commit(
        self,
        writes: Sequence[Write | Run],
        marks: Sequence[RequestMark] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        """Make all of it visible at once, or raise ``Conflict`` and change nothing."""
        check_extras(marks, notes)
        head = self._box.state.head
        plan = plan_commit(writes, head.seq, head.digest, self._box.state.authorities)
        self._check(plan.expected)
        state = self._writable()
        self._enter(state, plan)
        state.head = head._replace(seq=plan.seq, digest=plan.digest)
        state.entries.update(enumerate(plan.entries, head.seq + 1))
        state.marks.update((mark.key, mark) for mark in marks)
        for note in notes:
            if note.value:
                state.notes[note.name] = note.value
            else:
                state.notes.pop(note.name, None)

    def truncate_changes(self, before: int, limit: int = 10_000) -> int:
        """Drop at most ``limit`` of the oldest feed entries numbered below ``before``."""
        head = self._box.state.head
        oldest = min(before, head.seq, head.oldest_available + limit)
        dropped = oldest - head.oldest_available
        if dropped <= 0:
            return 0
        state = self._writable()
        for seq in range(head.oldest_available, oldest):
            del state.entries[seq]
        state.marks = {key: mark for key, mark in state.marks.items() if mark.seq >= oldest}
        state.head = head._replace(oldest_available=oldest)
        return dropped

    def seed(self, head: Head, authorities: Iterable[Authority], records: Iterable[Record]) -> None:
        """Fill an empty store from a snapshot."""
        if self._box.state.head.seq or self._box.state.records or self._box.state.notes:
            raise Conflict("a snapshot needs an empty store")
        state = _State(head._replace(oldest_available=head.seq + 1))
        state.authorities = number_authorities(authorities)
        for key, stored in seed_rows(records, state.authorities, head.seq):
            state.records[key] = stored
            state.keys.append(key)
            home = int.from_bytes(key[:4])
            state.counts[home] = state.counts.get(home, 0) + (not stored[1] & DELETED)
        self.release()
        self._box.state = state

    def _check(self, expected: dict[bytes, tuple[int, bool]]) -> None:
        records = self._box.state.records
        for key, wanted in expected.items():
            stored = records.get(key)
            found = ABSENT
            if stored is not None:
                found = (HEAD.unpack_from(stored)[2], not stored[1] & DELETED)
            if found != wanted:
                raise disagreement(key, wanted, found)

    def _writable(self) -> _State:
        """The newest state, or a copy of it when a reader holds it."""
        self.release()
        if self._box.state.holders:
            self._box.state = self._box.state.copy()
        return self._box.state

    @staticmethod
    def _enter(state: _State, plan: Plan) -> None:
        moved = (*plan.hosted, *plan.flipped)
        state.authorities |= {authority.prefix: authority for authority in moved}
        for key, stored in plan.placed.items():
            if key not in state.records:
                insort(state.keys, key)
            state.records[key] = stored
        for home, delta in plan.counted.items():
            state.counts[home] = state.counts.get(home, 0) + delta
