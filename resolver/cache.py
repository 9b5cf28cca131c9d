"""The foreign cache: what other nodes told about their identifiers, a whole public record for each.

An entry is fresh for the least TTL of its values, then stale for a day: kept for the case that whoever should know does
not answer (RFC 8767). An absence replaces the record at once, so what was revoked is never brought back. Near the end
of its TTL an entry is due to be asked for again, beside the answer, at a moment that differs between identifiers.
An answer that could be forged more easily never replaces one that lasts and was harder to forge.

The record is kept as it goes over the wire: a fifth of the memory of its objects. The suffix is kept as spelled, for
nobody knows whether a foreign prefix tells ``a`` from ``A``; ``drop`` finds every spelling.
"""

import sys
import zlib
from collections.abc import Sequence
from enum import Enum, IntEnum
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import Identifier
from protocols.message import Answer, Outcome
from protocols.values.value import TTL_RELATIVE, Value
from protocols.values.value_list import decode_values, encode_values
from resolver.failures import MOST_REASON_CHARACTERS, Failures
from resolver.hot_records import HotRecord
from resolver.limits import Limits
from resolver.shelf import COUNTED, Entry, Shelf, bytes_size
from resolver.source import Now

FAILURES_SHARE = 16
"""One part in so many of the budget is for failures."""
HELD_BYTES = 352
"""The object with its numbers and its cost (measured as in ``shelf.py``)."""
KEPT_OUTCOMES = (Outcome.SUCCESS, Outcome.NOT_FOUND, Outcome.VALUES_NOT_FOUND)


class Rank(IntEnum):
    """How hard it is to forge what was told."""

    UDP = 1
    TCP = 2
    SIGNED = 3


class State(Enum):
    """What an entry is good for."""

    FRESH = "fresh"
    AHEAD = "ahead"
    """Fresh, and due to be asked for again beside the answer."""
    STALE = "stale"
    """Its TTL is over: to be given only when nobody who should know answers."""


class Held(Entry):
    """What was told about one identifier."""

    __slots__ = (
        "ahead_s", "encoded", "heat", "learned_s", "learned_wall_s", "outcome", "paused_until_s",
        "rank", "reason", "spelling", "ttl_s",
    )  # fmt: skip

    def __init__(self, key: bytes, spelling: bytes, encoded: bytes, reason: str) -> None:
        # The same bytes twice are kept once.
        self.spelling = key if spelling == key else spelling
        """As it was asked for when this was learned."""
        self.encoded = encoded
        """The value list in wire form, TTLs as learned."""
        self.reason = reason
        cost_bytes = HELD_BYTES + bytes_size(len(key)) + bytes_size(len(encoded))
        if reason:
            cost_bytes += sys.getsizeof(reason) + 15
        if self.spelling is not key:
            cost_bytes += bytes_size(len(spelling))
        super().__init__(key, cost_bytes)
        self.heat = 0
        """0 to 255, by when it was asked for of late (``resolver/hottest.py``)."""
        self.outcome = Outcome.SUCCESS
        """SUCCESS, NOT_FOUND or VALUES_NOT_FOUND."""
        self.rank = Rank.UDP
        self.learned_s = 0.0
        """Monotonic."""
        self.learned_wall_s = 0.0
        """The same moment, seconds since 1970."""
        self.ttl_s = 0.0
        self.ahead_s = 0.0
        """Monotonic: when to ask again beside the answer; not while paused."""
        self.paused_until_s = 0.0
        """Monotonic: a refresh failed, and the source is left alone until then."""

    @property
    def values(self) -> tuple[Value, ...]:
        """As learned, sorted by index."""
        return decode_values(self.encoded)

    @property
    def prefix(self) -> bytes:
        """The folded prefix that is responsible for it."""
        return self.branch.prefix

    @property
    def fresh_until_s(self) -> float:
        """Monotonic: the end of its TTL."""
        return self.learned_s + self.ttl_s


class Found(NamedTuple):
    """What the cache knows, as it may be told now."""

    held: Held
    state: State
    values: tuple[Value, ...]
    """Relative TTLs are what is left of them, ``Limits.stale_ttl_s`` when stale; absolute ones as they are."""


class ForeignCache:
    """At most ``most_bytes`` of memory, one sixteenth of it for failures."""

    def __init__(self, most_bytes: int, limits: Limits = Limits()) -> None:  # noqa: B008  # immutable
        self._limits = limits
        self.most_bytes = most_bytes
        failures_bytes = most_bytes // FAILURES_SHARE
        self._failures = Failures(failures_bytes, limits)
        self._shelf: Shelf[Held] = Shelf(most_bytes - failures_bytes)

    @property
    def used_bytes(self) -> int:
        """Memory that is taken (see ``shelf.py``); never above the budget."""
        return self._shelf.used_bytes + self._failures.used_bytes

    @property
    def evictions(self) -> int:
        """Records that had to make way so far."""
        return self._shelf.evictions

    @property
    def count(self) -> int:
        """Identifiers known, stale ones included, failures not."""
        return self._shelf.count

    def holds(self, key: bytes) -> bool:
        """For hot paths: whether anything may be known under a key (``Identifier.folded(case_sensitive=True)``)."""
        return key in self._shelf.entries or self._failures.holds(key)

    def get(self, identifier: Identifier, now: Now) -> Found | None:
        """What is known in this spelling; None = nothing, or nothing that is still good for anything."""
        held = self._shelf.get(identifier.folded(case_sensitive=True))
        if held is None:
            return None
        now_s = now.monotonic_s
        if self.is_over(held, now_s):
            self._shelf.remove(held.key)
            return None
        held.is_asked = True
        if now_s >= held.fresh_until_s:
            return Found(held, State.STALE, with_ttl(held.values, self._limits.stale_ttl_s))
        state = State.FRESH if now_s < held.ahead_s else State.AHEAD
        return Found(held, state, aged(held.values, int(now_s - held.learned_s)))

    def put(
        self,
        identifier: Identifier,
        outcome: Outcome,
        values: Sequence[Value],
        rank: Rank,
        now: Now,
        reason: str = "",
    ) -> Found | None:
        """Keep what was told. None = not kept: one of higher rank lasts, or it fits neither budget nor native message.

        What is returned is fresh, even with a TTL of 0: it has just been told. It ends a failure and a pause.
        """
        assert outcome in KEPT_OUTCOMES, outcome
        now_s = now.monotonic_s
        key = identifier.folded(case_sensitive=True)
        last = self._shelf.get(key)
        if last is not None and rank < last.rank and now_s < last.fresh_until_s:
            return None
        self._failures.forget(identifier)
        ordered = tuple(sorted(values, key=_index))
        encoded = _readable_form(ordered)
        if encoded is None:
            self._shelf.remove(key)
            return None
        held = Held(key, identifier.spelling, encoded, reason[:MOST_REASON_CHARACTERS])
        held.outcome, held.rank = outcome, rank
        held.heat = 0 if last is None else last.heat
        held.learned_s, held.learned_wall_s = now_s, now.wall_s
        held.ttl_s = self._ttl_s(ordered, now.wall_s)
        held.ahead_s = self._ahead_s(held)
        return Found(held, State.FRESH, ordered) if self._shelf.put(held) else None

    def walk(self, most: int) -> list[Held]:
        """Up to ``most`` records, going on where the last call stopped; none = that was the end (``Shelf.walk``)."""
        return self._shelf.walk(most)

    def peek(self, key: bytes) -> Held | None:
        """What is held under ``Identifier.folded(case_sensitive=True)``, whatever it is good for; nobody has asked."""
        return self._shelf.get(key)

    def restore(self, record: HotRecord, identifier: Identifier, now: Now) -> bool:
        """Keep again what was kept before a restart. False = it is over, or something newer is known.

        No life is longer for it: a TTL is that of then, and an absolute one ends by the wall clock, too. Raises
        ``ProtocolError`` when its values cannot be read.
        """
        key, age_s, ttl_s = identifier.folded(case_sensitive=True), record.age_s, record.ttl_s
        held = Held(key, identifier.spelling, record.encoded, "")
        ends_s = (v.ttl - now.wall_s for v in held.values if v.ttl_type != TTL_RELATIVE)
        left_s = min(ttl_s - age_s, self._limits.ttl_most_s - age_s, *ends_s)
        held.rank, held.heat, held.is_asked = Rank(record.rank), record.heat, COUNTED
        held.learned_s, held.learned_wall_s = now.monotonic_s - age_s, now.wall_s - age_s
        held.ttl_s = max(0.0, age_s + left_s)
        held.ahead_s = self._ahead_s(held)
        if self._shelf.get(key) is not None or self.is_over(held, now.monotonic_s):
            return False
        return self._shelf.put(held)

    def pause(self, identifier: Identifier, now: Now) -> None:
        """A refresh failed: what is held is good enough for ``Limits.pause_s``, without asking."""
        held = self._shelf.get(identifier.folded(case_sensitive=True))
        if held is not None:
            held.paused_until_s = now.monotonic_s + self._limits.pause_s
            held.ahead_s = min(max(held.ahead_s, held.paused_until_s), held.fresh_until_s)

    def fail(self, identifier: Identifier, outcome: Outcome, reason: str, now: Now) -> None:
        """Asking failed, and nothing is held that could be given instead: remember that (``failures.py``)."""
        self._failures.add(identifier, outcome, reason, now)

    def failure(self, identifier: Identifier, now: Now) -> Answer | None:
        """The remembered failure while it lasts."""
        return self._failures.get(identifier, now)

    def drop(self, folded: bytes) -> None:
        """Forget the identifier in every spelling: a change names it."""
        self._shelf.drop(folded)
        self._failures.drop(folded)

    def drop_below(self, prefix: bytes) -> None:
        """Forget what lies below the prefix and those derived from it, their ``0.NA/`` records included."""
        self._shelf.drop_below(prefix)
        self._failures.drop_below(prefix)

    def clear(self) -> None:
        """Forget everything."""
        self._shelf.clear()
        self._failures.clear()

    def is_over(self, held: Held, now_s: float) -> bool:
        """Whether it is good for nothing any more. An absence is, past its time: it may have been registered since."""
        if held.outcome is Outcome.NOT_FOUND:
            return now_s >= held.fresh_until_s
        return now_s > held.fresh_until_s + self._limits.stale_s

    def _ahead_s(self, held: Held) -> float:
        """When to ask again: with ``ahead`` of the TTL left, more or less by the identifier's own share of jitter."""
        limits = self._limits
        spread = zlib.crc32(held.key) / 0x7FFF_FFFF - 1.0
        return held.learned_s + held.ttl_s * (1.0 - limits.ahead * (1.0 + limits.jitter * spread))

    def _ttl_s(self, values: Sequence[Value], wall_s: float) -> float:
        limits = self._limits
        if not values:
            return limits.absent_s
        left_s = (v.ttl if v.ttl_type == TTL_RELATIVE else v.ttl - wall_s for v in values)
        return min(limits.ttl_most_s, max(0.0, min(left_s)))


def aged(values: Sequence[Value], age_s: int) -> tuple[Value, ...]:
    """The values with what is left of their relative TTLs, never below 0."""
    return tuple(
        v._replace(ttl=max(0, v.ttl - age_s)) if v.ttl_type == TTL_RELATIVE else v for v in values
    )


def with_ttl(values: Sequence[Value], ttl_s: int) -> tuple[Value, ...]:
    """The values with one relative TTL for all; absolute ones stay as they are."""
    return tuple(v._replace(ttl=ttl_s) if v.ttl_type == TTL_RELATIVE else v for v in values)


def _readable_form(values: tuple[Value, ...]) -> bytes | None:
    """The wire form, None if it could not be read back: JSON can carry more than a native message may."""
    encoded = encode_values(values)
    try:
        decode_values(encoded)
    except ProtocolError:
        return None
    return encoded


def _index(value: Value) -> int:
    return value.index
