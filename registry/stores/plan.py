"""What a commit has to do, worked out before anything is touched: pure, and the same for every engine.

``plan_commit`` checks that the writes continue the feed (numbers, links, versions) and turns them into stored bytes.
An engine then compares ``expected`` with what lies in its tables and puts ``placed`` there, all in one transaction.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from protocols.identifier import MAX_PREFIX_BYTES, PREFIX_AUTHORITY
from protocols.message import Operation
from protocols.record import HEAD
from registry.change import Change, encode_change, entry_digest
from registry.errors import Conflict
from registry.stores.keys import encode_at, folds, suffix_key
from registry.stores.store import Authority, Note, RequestMark, Run, Write

MAX_NOTE_NAME_BYTES = 255
"""Names are a few words; a table key ends at 511 bytes."""

_MAKING = (Operation.HOST, Operation.DELEGATE)
"""What may make an authority that was not there."""

ABSENT = (0, False)
"""Version and presence of a record that never existed."""


class Plan(NamedTuple):
    """The bytes of one commit. Keys are store keys; ``present`` = exists and is not deleted."""

    entries: list[bytes]
    """Feed entries, numbered from the old head's seq + 1."""
    seq: int
    digest: bytes
    """Of the newest entry."""
    hosted: list[Authority]
    """Created here, with their numbers."""
    flipped: list[Authority]
    """Delegated, given up, taken back, made private or ordinary here, in the order of the writes."""
    expected: dict[bytes, tuple[int, bool]]
    """(version, present) that must lie in the store now."""
    placed: dict[bytes, bytes]
    """Stored forms, the newest per key."""
    counted: dict[int, int]
    """By how much each authority's number of present records moves."""


def plan_commit(
    writes: Sequence[Write | Run], seq: int, digest: bytes, authorities: Mapping[bytes, Authority]
) -> Plan:
    """``seq`` and ``digest`` are the head's, ``authorities`` those hosted now, by folded prefix, ``0.NA`` among them.

    Raises ``Conflict`` when a write does not continue the feed or does not fit the one before it.
    """
    planner = _Planner(seq, digest, authorities)
    for write in writes:
        if isinstance(write, Run):
            planner.add_run(write)
        else:
            planner.add(write)
    return planner.finish()


def check_extras(marks: Sequence[RequestMark], notes: Sequence[Note]) -> None:
    """Raises ``Conflict`` when a mark or note cannot be kept."""
    for mark in marks:
        if len(mark.key) != 16 or len(mark.content) != 16:
            raise Conflict("request mark: key and content have 16 bytes each")
    for note in notes:
        if not 1 <= len(note.name) <= MAX_NOTE_NAME_BYTES:
            raise Conflict(f"note {_name(note.name)}: names have 1 to {MAX_NOTE_NAME_BYTES} bytes")


def disagreement(key: bytes, expected: tuple[int, bool], found: tuple[int, bool]) -> Conflict:
    """The error of an engine that finds another version than a write was decided on."""
    return Conflict(
        f"record {_name(key[4:])} of authority {int.from_bytes(key[:4])}: expected version and presence "
        f"{expected}, found {found}"
    )


class _Planner:
    """A plan in the making."""

    __slots__ = ("_digest", "_homes", "_known", "_latest", "_plan", "_seq")

    def __init__(self, seq: int, digest: bytes, authorities: Mapping[bytes, Authority]) -> None:
        self._known = authorities
        self._homes: dict[bytes, _Home] = {}
        self._latest: dict[bytes, tuple[int, bool]] = {}
        self._seq, self._digest = seq, digest
        self._plan = Plan([], seq, digest, [], [], {}, {}, {})

    def finish(self) -> Plan:
        return self._plan._replace(seq=self._seq, digest=self._digest)

    def add(self, write: Write) -> None:
        change, record, expect_version, was_present, authority, is_superseded, entry, own = write
        plan = self._plan
        seq = self._seq = self._seq + 1
        if change.seq != seq or change.previous != self._digest:
            raise Conflict(_discontinuity(change, seq))
        if authority is not None:
            self._move(authority, change)
        entry = entry or encode_change(change)
        plan.entries.append(entry)
        self._digest = own or entry_digest(entry)
        if is_superseded:
            return
        version = record.version
        if (
            record.seq != seq
            or version != change.version
            or record.key != change.key
            or version <= expect_version
        ):
            raise _misfit(write)
        prefix, _, suffix = record.key.partition(b"/")
        home = self._home(prefix)
        if not suffix or (home.is_folding and suffix != suffix.upper()):
            raise Conflict(f"{_name(record.key)}: the suffix is not folded")
        key = home.start + suffix_key(suffix)
        before = (expect_version, was_present)
        if self._latest.get(key, before) != before:
            raise Conflict(f"change {seq}: {_name(record.key)} was changed earlier in this commit")
        plan.expected.setdefault(key, before)
        is_present = not record.is_deleted
        self._latest[key] = (version, is_present)
        plan.placed[key] = encode_at(key, record)
        if is_present != was_present:
            self._count(home, 1 if is_present else -1)

    def add_run(self, run: Run) -> None:
        """With few steps for each record: this is what bulk input consists of."""
        plan = self._plan
        if run.first_seq != self._seq + 1 or run.previous != self._digest:
            raise Conflict(f"a run from change {run.first_seq} on does not continue the feed")
        home, start_of_suffix = self._home(run.prefix), len(run.prefix) + 1
        start, records, latest = home.start, run.records, self._latest
        keys = [start + key[start_of_suffix:] for key in records]
        if len(keys) != len(run.entries) or not latest.keys().isdisjoint(keys):
            raise Conflict(f"a run from change {run.first_seq} on: a record was changed before")
        plan.entries.extend(run.entries)
        plan.placed.update(zip(keys, records.values(), strict=True))
        latest.update(zip(keys, repeat((1, True))))
        plan.expected.update(zip(keys, repeat(ABSENT)))
        were_present = 0
        for folded, before in run.replaced.items():
            key = start + folded[start_of_suffix:]
            plan.expected[key] = before
            latest[key] = (HEAD.unpack_from(records[folded])[2], True)
            were_present += before[1]
        self._count(home, len(keys) - were_present)
        self._seq, self._digest = self._seq + len(keys), run.digest

    def _move(self, authority: Authority, change: Change) -> None:
        moved = _move(authority, change, self._known)
        (self._plan.flipped if moved.prefix in self._known else self._plan.hosted).append(moved)
        self._known = {**self._known, moved.prefix: moved}

    def _home(self, prefix: bytes) -> "_Home":
        home = self._homes.get(prefix)
        if home is None:
            home = self._homes[prefix] = _home(prefix, self._known)
        return home

    def _count(self, home: "_Home", delta: int) -> None:
        self._plan.counted[home.id] = self._plan.counted.get(home.id, 0) + delta


class _Home(NamedTuple):
    """Where the records of one prefix lie."""

    id: int
    start: bytes
    is_folding: bool


def _home(prefix: bytes, authorities: Mapping[bytes, Authority]) -> _Home:
    authority = authorities.get(prefix)
    if authority is None:
        raise Conflict(f"prefix {_name(prefix)} is not hosted here")
    return _Home(authority.id, authority.id.to_bytes(4), folds(authority))


def _misfit(write: Write) -> Conflict:
    change, record = write.change, write.record
    if write.expect_version >= change.version:
        return Conflict(
            f"change {change.seq}: version {change.version} of {_name(change.key)} does not follow "
            f"{write.expect_version}"
        )
    return Conflict(
        f"change {change.seq} names {_name(change.key)} version {change.version}, its record is "
        f"{_name(record.key)} version {record.version} of change {record.seq}"
    )


def _move(authority: Authority, change: Change, known: Mapping[bytes, Authority]) -> Authority:
    """The authority as it is kept from now on.

    It comes with the change that is about it, so that the feed alone tells what state a prefix is in.
    """
    prefix = authority.prefix
    if change.key != PREFIX_AUTHORITY + b"/" + prefix:
        raise Conflict(f"prefix {_name(prefix)} must come with its own record, not {change.key!r}")
    present = known.get(prefix)
    if present is None:
        return _number(authority, change.operation, len(known))
    return _flip(authority, change.operation, present)


def _number(authority: Authority, operation: Operation, number: int) -> Authority:
    """The new authority with its number."""
    prefix = authority.prefix
    if not prefix or len(prefix) > MAX_PREFIX_BYTES or b"/" in prefix:
        raise Conflict(f"prefix {_name(prefix)}: must have 1 to {MAX_PREFIX_BYTES} bytes, no slash")
    if prefix != authority.spelling.upper():
        raise Conflict(f"prefix {_name(prefix)} is not the folded {_name(authority.spelling)}")
    if operation not in _MAKING or authority != _untouched(authority).after(operation):
        raise Conflict(f"prefix {_name(prefix)}: {operation.value} says something else")
    return authority._replace(id=number)


def _untouched(authority: Authority) -> Authority:
    return authority._replace(is_delegated=False, is_unhosted=False, is_private=False)


def _flip(authority: Authority, operation: Operation, present: Authority) -> Authority:
    """The authority there is, as the operation leaves it; nothing else about it can change."""
    if present.prefix == PREFIX_AUTHORITY:
        raise Conflict("0.NA is neither hosted nor delegated")
    moved = present.after(operation)
    if moved == present:
        raise Conflict(f"prefix {_name(present.prefix)}: {operation.value} was done already")
    if authority._replace(id=present.id) != moved:
        raise Conflict(f"prefix {_name(present.prefix)}: {operation.value} says something else")
    return moved


def _discontinuity(change: Change, seq: int) -> str:
    if change.seq != seq:
        return (
            f"change {change.seq} of {_name(change.key)} does not continue the feed: {seq} is next"
        )
    return f"change {seq} of {_name(change.key)} is not linked to the entry before it"


def _name(key: bytes) -> str:
    return key.decode(errors="backslashreplace")
