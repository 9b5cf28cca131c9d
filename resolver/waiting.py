"""Who waits for which question: tickets of clients, and other questions that need the same record first."""

from math import inf
from typing import NamedTuple

from protocols.message import Query
from protocols.trail import Leg
from resolver.resolution import Resolution
from resolver.source import Peer


class Waiter(NamedTuple):
    """A client with a ticket, or, without one, the question that needs this one's record."""

    ticket: int
    query: Query
    peer: Peer
    since_s: float
    joined: bool
    """Whether the question was under way already."""
    parent: "Running | None" = None


class Key(NamedTuple):
    """What may share one question."""

    identifier: bytes
    """Folded but for its suffix."""
    is_authoritative: bool
    """Whether no cache may answer."""
    was_forwarded: bool
    """The way that a question had come, or says so, must not spoil the answer of those who ask here first."""


class Running:
    """One question under way, with everybody who waits for it."""

    __slots__ = (
        "is_ended", "is_fair", "is_superseded", "key", "needs", "numbers", "query", "resolution", "since_s",
        "waiters", "wake_s",
    )  # fmt: skip

    def __init__(self, key: Key, query: Query, resolution: Resolution, since_s: float) -> None:
        self.key = key
        self.query = query
        self.resolution = resolution
        self.since_s = since_s
        self.waiters: list[Waiter] = []
        """In order of arrival."""
        self.numbers: set[int] = set()
        """Of what it has sent and still waits for."""
        self.needs: Running | None = None
        """The question whose record it waits for."""
        self.wake_s = inf
        """Monotonic: its next timer."""
        self.is_fair = True
        """It began with a fair part of its allowance: that it used it up says something about it."""
        self.is_ended = False
        self.is_superseded = False
        """Something about it changed here while it was under way: its result must not be kept, nor told to who asks
        from now on."""

    @property
    def is_authoritative(self) -> bool:
        """Whether no cache may answer it."""
        return self.key.is_authoritative

    def legs(self) -> tuple[Leg, ...]:
        """Every server asked so far."""
        return tuple(self.resolution.legs)


class Crowd:
    """How many clients wait at each address. Bounded by the waiters themselves."""

    def __init__(self, most_per_source: int) -> None:
        self._most = most_per_source
        self._by_source: dict[str, int] = {}

    def count(self, address: str) -> int:
        """How many wait at the address."""
        return self._by_source.get(address, 0)

    def enter(self, address: str) -> bool:
        """Count one in; False when its address has its share."""
        count = self._by_source.get(address, 0)
        if count >= self._most:
            return False
        self._by_source[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """Count one out."""
        count = self._by_source.get(address, 0) - 1
        if count > 0:
            self._by_source[address] = count
        else:
            self._by_source.pop(address, None)
