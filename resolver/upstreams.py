"""Upstreams: what is known about the servers this node asks, hence whom to ask first and whom to leave alone.

A server is one protocol at one place. What it did last counts most, and what is known fades while it is not asked
(half of it in ``HALF_LIFE_S``), so that a server that was slow or lossy is tried again one day. One that is left alone
(``breaker.py``) comes back as a probe: behind all that work, but first when nobody has needed it for as long as the
longest pause, or it would never be found out that it works again.

Every ``sent`` is ended by exactly one of ``answered``, ``declined``, ``failed`` and ``cancelled``.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from protocols.values.site import HTTP, HTTPS, TCP, UDP
from resolver.asking import Role, Target, Trouble
from resolver.breaker import State
from resolver.families import Families
from resolver.limits import Limits
from resolver.server_health import ServerHealth

PREFERENCE = (TCP, UDP, HTTPS, HTTP)
"""TCP first: no answer can be forged from afar, none is too large, and the connection is there already."""
MOST_SERVERS = 4_096
"""Remembered; a two-level namespace has far fewer."""
SERVER_BYTES = 700
"""What is known about one of them takes about so much."""

FAULTS = frozenset(
    {
        Trouble.TIMEOUT,
        Trouble.REFUSED,
        Trouble.CLOSED,
        Trouble.GARBAGE,
        Trouble.UNTRUSTED,
        Trouble.WRONG_IDENTIFIER,
        Trouble.EXPIRED,
        Trouble.ASTRAY,
    }
)
"""Troubles that speak against a server. ASTRAY is told here when it said "error" or "busy", not when it
rightly says that it is not responsible."""
NO_WAY = frozenset({Trouble.TIMEOUT, Trouble.REFUSED})
"""Troubles that may be those of a whole address family on this machine."""
SIGNS_OF_LIFE = frozenset({Trouble.TOO_LARGE})
"""Troubles that show that it works."""
_FIRST, _WORKING, _LOSSY, _PROBE = range(4)


class ServerState(NamedTuple):
    """A server as operators see it (``GET /upstreams``)."""

    name: str
    role: Role
    in_flight: int
    smoothed_s: float | None
    """Round trip; None while it has never answered."""
    answers: int
    failures: int
    breaker: State
    open_until_s: float
    """Monotonic; 0 while closed."""


class Upstreams:
    """``has_ipv4`` and ``has_ipv6``: whether this machine has a way there. ``prefer``: protocol numbers, best first."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008  # immutable
        has_ipv4: bool = True,
        has_ipv6: bool = True,
        prefer: Sequence[int] = PREFERENCE,
        most_servers: int = MOST_SERVERS,
    ) -> None:
        self._limits = limits
        self._families = Families(has_ipv4, has_ipv6)
        self._prefer = tuple(prefer)
        self._most_servers = most_servers
        self._servers: OrderedDict[_Key, ServerHealth] = OrderedDict()
        self._no_first_until_s = 0.0

    def order(self, targets: Sequence[Target], now_s: float) -> list[Target]:
        """Those that may be asked, best first: working, then lossy, then due for a probe; among those the family that
        works, the preferred protocol, the shortest expected wait, the given order."""
        ranked = sorted(
            (rank, place)
            for place, target in enumerate(targets)
            if (rank := self._rank(target, now_s))
        )
        ordered = [targets[place] for _, place in ranked]
        firsts = sum(rank[0] == _FIRST for rank, _ in ranked)
        if firsts > 1:  # one is enough for one question
            return ordered[:1] + ordered[firsts:] + ordered[1:firsts]
        return ordered

    def refusal(self, target: Target, now_s: float) -> Trouble | None:
        """Why it must not be asked now: REFUSED (no way there), LEFT_ALONE, CROWDED; None when it may be asked."""
        if not self._families.has(target.address):
            return Trouble.REFUSED
        server = self._servers.get(_key(target))
        if server is None:
            return None
        if not server.breaker.passes(now_s):
            return Trouble.LEFT_ALONE
        return Trouble.CROWDED if server.breaker.in_flight >= self._limits.in_flight else None

    def may_retry(self, target: Target) -> bool:
        """Whether its retry budget allows to ask it a second time; ``sent(…, is_retry=True)`` spends it."""
        server = self._servers.get(_key(target))
        return server is None or server.retries.is_enough

    def sent(self, target: Target, now_s: float, is_retry: bool = False) -> None:
        """It is being asked."""
        server = self._enter(target, now_s)
        if self._is_overdue(server, now_s):
            self._no_first_until_s = now_s + self._limits.breaker_open_s
        server.breaker.sent(now_s)
        server.retries.count(is_retry)

    def answered(self, target: Target, seconds: float, now_s: float) -> None:
        """It gave a usable answer after ``seconds``."""
        server = self._ended(target)
        if server is not None:
            server.answered(seconds, now_s)
            self._families.answered(target.address)

    def failed(self, target: Target, trouble: Trouble, now_s: float) -> None:
        """It did not; what the trouble says about the server is counted (``FAULTS``)."""
        server = self._ended(target)
        if server is None:
            return
        if trouble in FAULTS:
            server.failed(now_s)
            if trouble in NO_WAY:
                self._families.failed(target.address, now_s)
        elif trouble in SIGNS_OF_LIFE:
            server.breaker.answered()
        else:
            server.breaker.released()

    def declined(self, target: Target, now_s: float) -> None:
        """Asked to ask others, it says that it got no answer: no reason to leave it alone."""
        server = self._ended(target)
        if server is not None:
            server.declined(now_s)
            self._families.answered(target.address)

    def cancelled(self, target: Target) -> None:
        """Nobody waits for it any more, before its patience was over."""
        server = self._ended(target)
        if server is not None:
            server.breaker.released()

    def states(self) -> list[ServerState]:
        """Every server that is remembered, by name."""
        states = [
            ServerState(
                server.target.name,
                server.target.role,
                server.breaker.in_flight,
                server.smoothed_s,
                server.answers,
                server.failures,
                server.breaker.state,
                server.breaker.open_until_s,
            )
            for server in self._servers.values()
        ]
        return sorted(states, key=lambda state: state.name)

    def _rank(self, target: Target, now_s: float) -> tuple[int, bool, int, float] | None:
        if not self._families.has(target.address):
            return None
        level, wait_s = _WORKING, ServerHealth.UNKNOWN_S
        key = _key(target)
        server = self._servers.get(key)
        if server is not None:
            self._servers.move_to_end(key)
            if not server.breaker.passes(now_s):
                return None
            level, wait_s = self._level(server, now_s), server.expected_s(now_s, self._limits.try_s)
        is_doubtful = self._families.is_doubtful(target.address, now_s)
        preference = (
            self._prefer.index(target.protocol)
            if target.protocol in self._prefer
            else len(self._prefer)
        )
        return level, is_doubtful, preference, wait_s

    def _level(self, server: ServerHealth, now_s: float) -> int:
        if server.breaker.state == "closed":
            return _LOSSY if server.is_lossy(now_s) else _WORKING
        return _FIRST if self._is_overdue(server, now_s) else _PROBE

    def _is_overdue(self, server: ServerHealth, now_s: float) -> bool:
        """Due for a probe for so long that a question should make it, and no other question just did for another."""
        breaker = server.breaker
        waited_s = now_s - breaker.open_until_s
        is_long = breaker.is_due(now_s) and waited_s >= self._limits.breaker_most_s
        return is_long and now_s >= self._no_first_until_s

    def _enter(self, target: Target, now_s: float) -> ServerHealth:
        key = _key(target)
        server = self._servers.get(key)
        if server is None:
            if len(self._servers) >= self._most_servers:
                self._make_room()
            server = self._servers[key] = ServerHealth(target, self._limits, now_s)
        server.target = target
        self._servers.move_to_end(key)
        return server

    def _make_room(self) -> None:
        """Forgets the idle ones that nobody has thought of for longest; the bound of questions bounds the others."""
        idle = (key for key, server in self._servers.items() if not server.breaker.in_flight)
        surplus = len(self._servers) - self._most_servers + 1
        for key in list(islice(idle, surplus)):
            del self._servers[key]

    def _ended(self, target: Target) -> ServerHealth | None:
        """The server, if a question to it is in flight: what is told unasked counts for nothing."""
        server = self._servers.get(_key(target))
        return server if server is not None and server.breaker.in_flight else None


_Key = tuple[int, str, int]


def _key(target: Target) -> _Key:
    """What ``Target.name`` is made of, without making text on every look-up."""
    return target.protocol, target.address, target.port
