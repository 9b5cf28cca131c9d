"""Encoded answers: foreign public records as the bytes that go out, for questions asked again and again.

The key is the identifier exactly as spelled, the answer its public value list in wire form (``value_list``), in which
the relative TTLs are what is left of them: four bytes at known places, set anew at most once a second. Nothing here
outlives what it was made from: the maker says until when it holds (``look_again_at_s``), and a change drops it.
"""

import struct
from collections.abc import Iterator, Sequence

from protocols.values.value import FIXED, TTL_RELATIVE, Value
from protocols.values.value_list import encode_values
from resolver.shelf import Entry, Shelf, bytes_size

_U32 = struct.Struct(">I")
_TTL_OFFSET = 8
"""Of TTL type and TTL in a value (``protocols/values/value.py``)."""
_NEVER_S = float("inf")
_ENCODED_BYTES = 288
"""The object with its five numbers and its cost (measured as in ``shelf.py``)."""


class _Encoded(Entry):
    __slots__ = ("age_s", "learned_s", "look_again_at_s", "patch_at_s", "public")

    def __init__(self, key: bytes, public: bytes, learned_s: float, look_again_at_s: float) -> None:
        super().__init__(key, _ENCODED_BYTES + bytes_size(len(key)) + bytes_size(len(public)))
        self.public = public
        self.learned_s = learned_s
        self.look_again_at_s = look_again_at_s
        self.age_s = 0
        """Whole seconds that the TTLs in ``public`` have lost."""
        self.patch_at_s = learned_s

    def patch(self, now_s: float) -> bytes:
        age_s = int(now_s - self.learned_s)
        if age_s > self.age_s:
            self.public = _aged(self.public, age_s - self.age_s)
            self.age_s = age_s
        self.patch_at_s = self.learned_s + self.age_s + 1
        return self.public


class EncodedAnswers:
    """At most ``most_bytes`` of memory. All times are monotonic."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._shelf: Shelf[_Encoded] = Shelf(most_bytes)
        self._entries = self._shelf.entries
        self.hits = 0

    @property
    def used_bytes(self) -> int:
        """Memory that is taken (see ``shelf.py``); never above the budget."""
        return self._shelf.used_bytes

    @property
    def evictions(self) -> int:
        """Answers that had to make way so far."""
        return self._shelf.evictions

    def walk(self, most: int) -> list[Entry]:
        """Up to ``most`` entries, going on where the last call stopped; none = that was the end (``Shelf.walk``)."""
        return [*self._shelf.walk(most)]

    @property
    def count(self) -> int:
        """Spellings with an answer."""
        return self._shelf.count

    def get(self, spelling: bytes, now_s: float) -> bytes | None:
        """The value list to send, None = unknown, or somebody has to look again."""
        entry = self._entries.get(spelling)
        if entry is None or now_s >= entry.look_again_at_s or entry.branch.is_cut:
            return None
        self.hits += 1
        entry.is_asked = True
        return entry.public if now_s < entry.patch_at_s else entry.patch(now_s)

    def put(
        self,
        spelling: bytes,
        values: Sequence[Value],
        learned_s: float,
        look_again_at_s: float,
        fixed_ttl_s: int | None,
        now_s: float,
    ) -> None:
        """Answer with ``values`` (public, TTLs as learned) until ``look_again_at_s``.

        With ``fixed_ttl_s`` every relative TTL is that and stays so: the answer is stale. Without values, or when the
        moment is past, nothing is kept.
        """
        if not values or now_s >= look_again_at_s:
            self._shelf.remove(spelling)
            return
        public = encode_values(values)
        if fixed_ttl_s is not None:
            public = _with_ttl(public, fixed_ttl_s)
        entry = _Encoded(spelling, public, learned_s, look_again_at_s)
        if fixed_ttl_s is not None:
            entry.patch_at_s = _NEVER_S
        self._shelf.put(entry)

    def drop(self, folded: bytes) -> None:
        """Forget the identifier in every spelling."""
        self._shelf.drop(folded)

    def drop_below(self, prefix: bytes) -> None:
        """Forget what lies below the prefix and those derived from it, their ``0.NA/`` records included."""
        self._shelf.drop_below(prefix)

    def clear(self) -> None:
        """Forget everything."""
        self._shelf.clear()


def _aged(public: bytes, seconds: int) -> bytes:
    """The value list with relative TTLs less by ``seconds``, never below 0."""
    patched = bytearray(public)
    for offset in _relative_ttls(public):
        (ttl,) = _U32.unpack_from(patched, offset)
        _U32.pack_into(patched, offset, max(0, ttl - seconds))
    return bytes(patched)


def _with_ttl(public: bytes, ttl_s: int) -> bytes:
    patched = bytearray(public)
    for offset in _relative_ttls(public):
        _U32.pack_into(patched, offset, ttl_s)
    return bytes(patched)


def _relative_ttls(public: bytes) -> Iterator[int]:
    """Where the relative TTLs lie. Walked, not remembered: cheaper than a list of them for every answer."""
    read = _U32.unpack_from
    (count,) = read(public)
    offset = 4
    for _ in range(count):
        if public[offset + _TTL_OFFSET] == TTL_RELATIVE:
            yield offset + _TTL_OFFSET + 1
        offset += FIXED.size
        for _ in ("type", "data"):
            offset += 4 + read(public, offset)[0]
        references = read(public, offset)[0]
        offset += 4
        for _ in range(references):
            offset += 8 + read(public, offset)[0]
