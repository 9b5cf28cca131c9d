"""Shelf: keeps entries within a number of bytes, and finds those that a change names, in every spelling.

Who must go is found by SIEVE (Zhang et al., NSDI 2024). Entries lie in a queue in the order they came. A hand goes
along it from the oldest to the youngest and over again: one that was asked for since the hand was last there stays
where it is and loses its mark, the next that was not goes. What is asked for often gathers behind the hand, and what
is asked for once is gone soon: a partner who walks a million serial numbers pushes out little but his own. A hit sets
one mark and moves nothing. ``python -m bench.cache_traces`` compares it with second chance, which was here before,
with LRU and with S3-FIFO; docs/performance.md says what came out.

Entries are found back in two ways. By *name*, the identifier in upper case: foreign nodes may take ``a`` and ``A`` for
the same or not, so spellings are kept apart, but a change concerns all of them. And by *branch*, the prefix that is
responsible: the entries of one prefix share an object, and to drop a million of them is to cut that branch. What hangs
on a cut branch is gone for whoever asks; its memory is counted until the hand comes by.

Bytes are those CPython takes, tables included. A table that has become too small is copied into a larger one, and for
that moment both are there: so much of the budget stays free for it (``_claimed_bytes``).
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from sys import getsizeof
from typing import Any, Generic, TypeVar, cast

from protocols.identifier import PREFIX_AUTHORITY, is_within, split

MOST_CHANCES = 1000
"""Entries the hand passes for one eviction, about 0.1 ms: when all were asked for, one of those has to go."""
COUNTED = 2
"""``is_asked`` of an entry that was asked for, and counted as such for its heat (``resolver/hottest.py``)."""

# What CPython 3.11 takes on 64 bits; tests hold the numbers to tracemalloc.
ENTRY_BYTES = 250
"""An entry of a subclass with four fields more: the object, its key's head, its cost and two numbers."""
PLACE_BYTES = 20
"""A place in a table: 24 bytes for two of three, and up to 4 of index for each."""
BRANCH_OBJECT_BYTES = 64
NO_TABLE_BYTES, NO_LIST_BYTES = getsizeof({}), getsizeof([])
LEAST_BYTES = 1400
"""Tables with one thing in each, and room for one of them beside itself."""


class Branch:
    """All entries below one prefix."""

    __slots__ = ("is_cut", "members", "prefix")

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.members = 0
        self.is_cut = False


class Entry:
    """What lies on a shelf. ``key`` is an identifier in one spelling, ``cost_bytes`` what keeping it takes."""

    __slots__ = ("branch", "cost_bytes", "is_asked", "key", "newer", "older")

    branch: Branch
    """Given by the shelf."""

    def __init__(self, key: bytes, cost_bytes: int) -> None:
        self.key = key
        self.cost_bytes = cost_bytes
        self.is_asked: int = False
        """Set it to True when somebody asks for the entry: the hand will pass it by once."""
        self.older: Entry | None = None
        self.newer: Entry | None = None


Kept = TypeVar("Kept", bound=Entry)


class Shelf(Generic[Kept]):
    """At most ``most_bytes`` of entries, one for each key."""

    def __init__(self, most_bytes: int, read_name: Callable[[bytes], bytes] | None = None) -> None:
        """``read_name`` gives the name of a key, where keys are more than spellings; ``name_of`` without."""
        self.most_bytes = most_bytes
        self._name_of = read_name or name_of
        self.entries: dict[bytes, Kept] = {}
        """Cut ones included; for the hot path, which looks at ``branch.is_cut`` itself. Always the same object."""
        self.evictions = 0
        """Entries that had to make way so far."""
        self._oldest: Entry | None = None
        self._newest: Entry | None = None
        self._hand: Entry | None = None
        """Who is looked at next; None = the oldest."""
        self._walker: Entry | None = None
        """Where ``walk`` goes on; None = with the oldest, unless it has just met the youngest."""
        self._is_walked = False
        self._spellings: dict[bytes, bytes | set[bytes]] = {}
        """Name -> the key, or keys, that differ from it."""
        self._branches: dict[bytes, Branch] = {}
        self._prefixes: list[bytes] = []
        """Of the branches, sorted: what derives from a prefix lies side by side."""
        self._kept_bytes = 0
        """Everything but the tables."""
        self._cut = 0

    @property
    def used_bytes(self) -> int:
        """Memory that is taken now, indexes included; never above ``most_bytes``, and when full somewhat below."""
        tables = (self.entries, self._spellings, self._branches)
        listed_bytes = getsizeof(self._prefixes) - NO_LIST_BYTES
        return self._kept_bytes + sum(_table_bytes(table) for table in tables) + listed_bytes

    @property
    def count(self) -> int:
        """Entries that can be found."""
        return len(self.entries) - self._cut

    def get(self, key: bytes) -> Kept | None:
        """The entry; asking does not mark it as asked."""
        entry = self.entries.get(key)
        if entry is None or not entry.branch.is_cut:
            return entry
        self.remove(key)
        return None

    def put(self, entry: Kept) -> bool:
        """Keep it: at the place of the one with the same key, else as the youngest. False = larger than the shelf."""
        old = self.get(entry.key)
        name = self._name_of(entry.key)
        if entry.cost_bytes + LEAST_BYTES + 4 * len(name) > self.most_bytes:
            self.remove(entry.key)
            return False
        if old is None:
            self._append(entry)
        else:
            entry.is_asked = old.is_asked
            self._take_place(old, entry)
            self._take_out(old)
        self.entries[entry.key] = entry
        self._kept_bytes += entry.cost_bytes
        entry.branch = self._join_branch(_responsible_prefix(name))
        if name != entry.key:
            self._add_spelling(name, entry.key)
        while self._claimed_bytes() > self.most_bytes:
            self._evict(entry)
        return True

    def remove(self, key: bytes) -> None:
        """Remove the entry with exactly this key, if there is one."""
        entry = self.entries.get(key)
        if entry is not None:
            self._unlink(entry)
            self._take_out(entry)

    def walk(self, most: int) -> list[Kept]:
        """Up to ``most`` entries, going on where the last call stopped, from old to young; none = that was the end.

        For who looks at all of them without holding up anybody; what comes meanwhile may be missed.
        """
        entry = None if self._is_walked else self._walker or self._oldest
        met: list[Kept] = []
        while entry is not None and len(met) < most:
            met.append(cast("Kept", entry))
            entry = entry.newer
        self._walker, self._is_walked = entry, bool(met) and entry is None
        return met

    def drop(self, spelling: bytes) -> None:
        """Remove every entry whose key is the identifier in whatever spelling."""
        name = name_of(spelling)
        self.remove(name)
        for key in _each(self._spellings.get(name, b"")):
            self.remove(key)

    def drop_below(self, prefix: bytes) -> None:
        """Let go of what lies below the prefix or one derived from it, their ``0.NA/`` records included."""
        prefix = prefix.upper()
        if is_within(PREFIX_AUTHORITY, prefix):
            self.clear()  # above the records of all prefixes, and so above everything
            return
        # ``/`` follows ``.``: between the two lies what begins with the prefix and a dot.
        start = bisect_left(self._prefixes, prefix + b".")
        end = bisect_left(self._prefixes, prefix + b"/")
        derived = self._prefixes[start:end]
        del self._prefixes[start:end]
        if prefix in self._branches:
            derived.append(prefix)
            del self._prefixes[bisect_left(self._prefixes, prefix)]
        for cut in derived:
            branch = self._branches.pop(cut)
            branch.is_cut = True
            self._cut += branch.members
        if derived:
            _fit(self._branches)
            self._hand = None  # else what was cut behind the hand could lie there for long

    def clear(self) -> None:
        """Let go of everything."""
        for entry in self.entries.values():
            entry.older = entry.newer = (
                None  # they hold each other, and would wait for the collector
            )
        self.entries.clear()
        self._spellings.clear()
        self._branches.clear()
        self._prefixes.clear()
        self._oldest = self._newest = self._hand = self._walker = None
        self._kept_bytes = self._cut = 0

    def _claimed_bytes(self) -> int:
        """What is kept, its tables as large as they are or may become next, and one of them beside itself."""
        entries, spellings, branches = len(self.entries), len(self._spellings), len(self._branches)
        return (
            self._kept_bytes
            + max(_table_bytes(self.entries), _grown_bytes(entries))
            + max(_table_bytes(self._spellings), _grown_bytes(spellings))
            + max(_table_bytes(self._branches), _grown_bytes(branches))
            + 2 * getsizeof(self._prefixes)
            + _grown_bytes(entries)
        )

    def _evict(self, spared: Entry) -> None:
        """Let go of one entry, of anyone but ``spared``, which has only come."""
        for _ in range(MOST_CHANCES):
            entry = self._hand or self._oldest
            assert entry is not None, "only one entry, and no room for it"
            if entry is not spared and (not entry.is_asked or entry.branch.is_cut):
                break
            if entry is not spared:
                entry.is_asked = False
            self._hand = entry.newer
        else:
            entry = self._hand or self._oldest
            if entry is spared:
                entry = spared.newer or self._oldest
        assert entry is not None
        assert entry is not spared
        self.evictions += 1
        self._unlink(entry)
        self._take_out(entry)

    def _append(self, entry: Entry) -> None:
        entry.older, entry.newer = self._newest, None
        if self._newest is None:
            self._oldest = entry
        else:
            self._newest.newer = entry
        self._newest = entry

    def _take_place(self, old: Entry, entry: Entry) -> None:
        entry.older, entry.newer = old.older, old.newer
        if old.older is None:
            self._oldest = entry
        else:
            old.older.newer = entry
        if old.newer is None:
            self._newest = entry
        else:
            old.newer.older = entry
        self._hand = entry if self._hand is old else self._hand
        self._walker = entry if self._walker is old else self._walker
        old.older = old.newer = None

    def _unlink(self, entry: Entry) -> None:
        older, newer = entry.older, entry.newer
        if older is None:
            self._oldest = newer
        else:
            older.newer = newer
        if newer is None:
            self._newest = older
        else:
            newer.older = older
        if self._hand is entry:
            self._hand = newer
        if self._walker is entry:
            self._walker, self._is_walked = newer, newer is None
        entry.older = entry.newer = None

    def _take_out(self, entry: Entry) -> None:
        """Out of the indexes."""
        key = entry.key
        del self.entries[key]
        self._kept_bytes -= entry.cost_bytes
        self._leave_branch(entry.branch)
        name = self._name_of(key)
        if name != key:
            self._remove_spelling(name, key)
        _fit(self.entries)

    def _join_branch(self, prefix: bytes) -> Branch:
        branch = self._branches.get(prefix)
        if branch is None:
            branch = self._branches[prefix] = Branch(prefix)
            insort(self._prefixes, prefix)
            self._kept_bytes += BRANCH_OBJECT_BYTES + bytes_size(len(prefix))
        branch.members += 1
        return branch

    def _leave_branch(self, branch: Branch) -> None:
        branch.members -= 1
        self._cut -= branch.is_cut
        if branch.members:
            return
        self._kept_bytes -= BRANCH_OBJECT_BYTES + bytes_size(len(branch.prefix))
        if not branch.is_cut:
            del self._branches[branch.prefix]
            del self._prefixes[bisect_left(self._prefixes, branch.prefix)]
            _fit(self._branches)

    def _add_spelling(self, name: bytes, key: bytes) -> None:
        keys = self._spellings.get(name)
        if keys is None:
            self._spellings[name] = key
            self._kept_bytes += bytes_size(len(name))
        elif isinstance(keys, bytes):
            both = self._spellings[name] = {keys, key}
            self._kept_bytes += getsizeof(both)
        else:
            before = getsizeof(keys)
            keys.add(key)
            self._kept_bytes += getsizeof(keys) - before

    def _remove_spelling(self, name: bytes, key: bytes) -> None:
        keys = self._spellings[name]
        if isinstance(keys, bytes):
            del self._spellings[name]
            self._kept_bytes -= bytes_size(len(name))
            _fit(self._spellings)
            return
        self._kept_bytes -= getsizeof(keys)
        keys.remove(key)
        if len(keys) > 1:
            self._kept_bytes += getsizeof(keys)
        else:
            self._spellings[name] = keys.pop()


def bytes_size(length: int) -> int:
    """Memory that so many bytes take as an object: 33 bytes more, in steps of 16."""
    return (length + 33 + 15) & ~15


def _table_bytes(table: Mapping[bytes, object]) -> int:
    return getsizeof(table) - NO_TABLE_BYTES


def _grown_bytes(count: int) -> int:
    """What a table that has no place left for one of ``count`` becomes: three places for each, to a power of two."""
    return PLACE_BYTES << (3 * count - 1).bit_length() if count else 0


def _fit(table: dict[bytes, Any]) -> None:
    """Make it anew when it is far too large for what is left in it; in place, for others hold it, too.

    It becomes half as large at most, or smaller: at least half of what made it so large must have gone since.
    """
    if _table_bytes(table) > 12 * PLACE_BYTES * len(table):
        left = dict(table)
        table.clear()
        table.update(left)


def name_of(spelling: bytes) -> bytes:
    """The identifier in upper case, ``PREFIX/SUFFIX``; of a bare prefix, that of its record."""
    prefix, suffix = split(spelling)
    return prefix + b"/" + suffix.upper()


def _responsible_prefix(name: bytes) -> bytes:
    prefix, suffix = split(name)
    return suffix if prefix == PREFIX_AUTHORITY else prefix


def _each(keys: bytes | set[bytes]) -> Iterator[bytes]:
    """A copy of one or several keys, none for ``b""``, so that they can be removed meanwhile."""
    if not keys:
        return iter(())
    return iter((keys,)) if isinstance(keys, bytes) else iter(tuple(keys))
