"""Shelf: keeps entries within a number of bytes, and finds those that a change names, in every spelling.

Who must go is found by second chance: the oldest that nobody asked for since it was last looked at. One that was asked
for goes to the back of the queue instead, once; what is asked for often stays, however much is asked for once.

Entries are found back in two ways. By *name*, the identifier in upper case: foreign nodes may take ``a`` and ``A`` for
the same or not, so spellings are kept apart, but a change concerns all of them. And by *branch*, the prefix that is
responsible: the entries of one prefix share an object, and to drop a million of them is to cut that branch. What hangs
on a cut branch is gone for whoever asks; its memory is counted until its turn in the queue comes.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from protocols.identifier import PREFIX_AUTHORITY, is_within, split

MOST_CHANCES = 1000
"""Entries passed over for one eviction, about 0.2 ms: when all were asked for, one of those has to go."""

# What CPython 3.11 takes on 64 bits, found with tracemalloc over 60,000 entries; a test holds the numbers to it.
ENTRY_BYTES = 275
"""An entry of a subclass with four fields: the object, its key's head, two numbers, its place in the ordered table."""
NAME_BYTES = 90
"""A place in the table of names, and the head of the name."""
SPELLINGS_BYTES = 220
"""A set of spellings, for a name with more than one."""
SPELLING_BYTES = 30
"""One more spelling in it."""
BRANCH_BYTES = 140
"""A branch, the head of its prefix, its places in the table and in the list."""


class Branch:
    """All entries below one prefix."""

    __slots__ = ("is_cut", "members", "prefix")

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.members = 0
        self.is_cut = False


class Entry:
    """What lies on a shelf. ``key`` is an identifier in one spelling, ``cost_bytes`` what keeping it takes."""

    __slots__ = ("branch", "cost_bytes", "is_asked", "key")

    branch: Branch
    """Given by the shelf."""

    def __init__(self, key: bytes, cost_bytes: int) -> None:
        self.key = key
        self.cost_bytes = cost_bytes
        self.is_asked = False
        """Set it when somebody asks for the entry: its second chance."""


Kept = TypeVar("Kept", bound=Entry)


class Shelf(Generic[Kept]):
    """At most ``most_bytes`` of entries, one for each key."""

    def __init__(self, most_bytes: int, read_name: Callable[[bytes], bytes] | None = None) -> None:
        """``read_name`` gives the name of a key, where keys are more than spellings; ``name_of`` without."""
        self.most_bytes = most_bytes
        self._name_of = read_name or name_of
        self.entries: OrderedDict[bytes, Kept] = OrderedDict()
        """Oldest first, cut ones included; for the hot path, which looks at ``branch.is_cut`` itself."""
        self._spellings: dict[bytes, bytes | set[bytes]] = {}
        """Name -> the key, or keys, that differ from it."""
        self._branches: dict[bytes, Branch] = {}
        self._prefixes: list[bytes] = []
        """Of the branches, sorted: what derives from a prefix lies side by side."""
        self._used_bytes = 0
        self._cut = 0

    @property
    def used_bytes(self) -> int:
        """What is kept takes about so much memory, indexes included; never above ``most_bytes``."""
        return self._used_bytes

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
        """Keep it in place of the one with the same key, at the back of the queue. False = larger than the shelf."""
        old = self.entries.get(entry.key)
        if old is not None:
            entry.is_asked = old.is_asked
            self.remove(entry.key)
        name = self._name_of(entry.key)
        room = entry.cost_bytes + BRANCH_BYTES + NAME_BYTES + SPELLINGS_BYTES + 2 * len(name)
        if room > self.most_bytes:
            return False
        while self._used_bytes + room > self.most_bytes:
            self._evict()
        self.entries[entry.key] = entry
        self._used_bytes += entry.cost_bytes
        entry.branch = self._join_branch(_responsible_prefix(name))
        if name != entry.key:
            self._add_spelling(name, entry.key)
        return True

    def remove(self, key: bytes) -> None:
        """Remove the entry with exactly this key, if there is one."""
        entry = self.entries.pop(key, None)
        if entry is None:
            return
        self._used_bytes -= entry.cost_bytes
        self._leave_branch(entry.branch)
        name = self._name_of(key)
        if name != key:
            self._remove_spelling(name, key)

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

    def clear(self) -> None:
        """Let go of everything."""
        self.entries.clear()
        self._spellings.clear()
        self._branches.clear()
        self._prefixes.clear()
        self._used_bytes = self._cut = 0

    def _evict(self) -> None:
        for _ in range(MOST_CHANCES):
            key, entry = next(iter(self.entries.items()))
            if not entry.is_asked or entry.branch.is_cut:
                break
            entry.is_asked = False
            self.entries.move_to_end(key)
        self.remove(next(iter(self.entries)))

    def _join_branch(self, prefix: bytes) -> Branch:
        branch = self._branches.get(prefix)
        if branch is None:
            branch = self._branches[prefix] = Branch(prefix)
            insort(self._prefixes, prefix)
            self._used_bytes += BRANCH_BYTES + len(prefix)
        branch.members += 1
        return branch

    def _leave_branch(self, branch: Branch) -> None:
        branch.members -= 1
        self._cut -= branch.is_cut
        if branch.members:
            return
        self._used_bytes -= BRANCH_BYTES + len(branch.prefix)
        if not branch.is_cut:
            del self._branches[branch.prefix]
            del self._prefixes[bisect_left(self._prefixes, branch.prefix)]

    def _add_spelling(self, name: bytes, key: bytes) -> None:
        keys = self._spellings.get(name)
        if keys is None:
            self._spellings[name] = key
            self._used_bytes += NAME_BYTES + len(name)
        elif isinstance(keys, bytes):
            self._spellings[name] = {keys, key}
            self._used_bytes += SPELLINGS_BYTES
        else:
            keys.add(key)
            self._used_bytes += SPELLING_BYTES

    def _remove_spelling(self, name: bytes, key: bytes) -> None:
        keys = self._spellings[name]
        if isinstance(keys, bytes):
            del self._spellings[name]
            self._used_bytes -= NAME_BYTES + len(name)
            return
        keys.remove(key)
        if len(keys) > 1:
            self._used_bytes -= SPELLING_BYTES
        else:
            self._spellings[name] = keys.pop()
            self._used_bytes -= SPELLINGS_BYTES


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
