"""Enumeration: how many identifiers that are not there one source may ask for below private prefixes.

Serial numbers are guessable: who asks for one after the other learns which exist. So a source (an IPv4 address, or an
IPv6 /64) may miss 100 different identifiers a minute below the private prefixes of this node; after that everything it
asks below them is refused until the minute is over, hits too, since a refusal of misses alone would tell them apart.
Asking for the same thing again costs nothing, and whoever may read is not counted. No network is exempt.
"""

from collections.abc import Callable
from typing import NamedTuple

from protocols.message import Answer, Outcome, Query
from resolver.buckets import Generations, source_network
from resolver.source import Now, Peer

NAME = "enumeration"
MISSES_PER_MINUTE = 100
"""An order of magnitude above what typing errors and stale labels make; a scan of 10,000 takes it 100 minutes."""
WINDOW_S = 60.0
MAX_SOURCES = 4_096
"""Sources in one generation of the table; two are kept. A source with all its misses takes some 12 kB."""

TOO_MANY_MISSES = Answer(
    Outcome.BUSY,
    reason=f"too many identifiers that are not there were asked for from this network; wait a minute (stage: {NAME})",
)


class Alarm(NamedTuple):
    """A source has used up its misses; at most one a minute for each source."""

    source: str
    """IPv4 address or IPv6 /64."""
    prefix: bytes
    """Folded; below which the last miss was."""


class _Window:
    """One source's minute."""

    __slots__ = ("missed", "started_s")

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.missed: set[int] = set()
        """Hashes of identifiers, which Python keys anew in every process."""


def _tell_nobody(_alarm: Alarm) -> None:
    pass


class MissLimit:
    """One for each worker, which allows its part of the misses; ``on_alarm``: a source has just used them up."""

    def __init__(
        self,
        on_alarm: Callable[[Alarm], None] = _tell_nobody,
        misses_per_minute: int = MISSES_PER_MINUTE,
        max_sources: int = MAX_SOURCES,
    ) -> None:
        self._on_alarm = on_alarm
        self.misses_per_minute = misses_per_minute
        self._sources: Generations[str, _Window] = Generations(
            max_sources, lambda _, now_s: _Window(now_s)
        )

    def __len__(self) -> int:
        """Sources remembered."""
        return len(self._sources)

    def before(self, peer: Peer, now: Now) -> Answer | None:
        """``TOO_MANY_MISSES`` for a source that has used them up; to be asked before anything is looked up."""
        is_spent = len(self._window(peer, now).missed) >= self.misses_per_minute
        return TOO_MANY_MISSES if is_spent else None

    def miss(self, query: Query, peer: Peer, now: Now) -> None:
        """Nothing that may be seen was found."""
        missed = self._window(peer, now).missed
        before = len(missed)
        missed.add(hash(query.identifier.folded()))
        if before < len(missed) == self.misses_per_minute:
            self._on_alarm(Alarm(source_network(peer.address), query.identifier.prefix))

    def _window(self, peer: Peer, now: Now) -> _Window:
        window = self._sources.get(source_network(peer.address), now.monotonic_s)
        if now.monotonic_s - window.started_s >= WINDOW_S:
            window.started_s = now.monotonic_s
            window.missed.clear()
        return window
