"""Rate limit: a token bucket per source, so that nobody can make this node flood a forged address.

A source is an IPv4 address or an IPv6 /64, which is what one household or rack gets. Only UDP is limited: the address
of a TCP or HTTP peer is proved by its handshake, and their connections are limited where they are accepted. The UDP
listener calls ``take`` for every datagram; ``before`` is the same as a stage, for whoever has a query only. Use one or
the other, or a question counts twice.
"""

from collections.abc import Iterable

from protocols.message import Answer, Outcome, Query
from resolver.buckets import Bucket, Generations, source_network
from resolver.networks import NetworkSet
from resolver.source import Now, Peer

RATE_PER_S = 200.0
"""Answers per second to one source; NSD's and Knot's defaults are of this order."""
BURST = 500.0
"""Answers at once to a source that was silent: a client that starts and asks for a page of labels."""
MAX_SOURCES = 32_768
"""Sources in one generation of the table (about 200 bytes each; two generations are kept)."""

EXEMPT_NETWORKS = ("127.0.0.0/8", "::1/128")

_BUSY = Answer(
    Outcome.BUSY, reason="too many questions from this address; ask again in a second, or by TCP"
)


class RateLimit:
    """A stage. ``rate_per_s`` and ``burst`` count answers; ``exempt`` are networks in CIDR notation, never limited."""

    name = "ratelimit"

    def __init__(
        self,
        rate_per_s: float = RATE_PER_S,
        burst: float = BURST,
        exempt: Iterable[str] = EXEMPT_NETWORKS,
        max_sources: int = MAX_SOURCES,
    ) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._exempt = NetworkSet(exempt)
        self.max_sources = max_sources
        self._ipv6_sources: dict[str, str] = {}
        self._sources: Generations[str, Bucket | None] = Generations(max_sources, self._enter)

    def __len__(self) -> int:
        """Sources remembered."""
        return len(self._sources)

    def before(self, query: Query, peer: Peer, now: Now) -> Answer | None:  # noqa: ARG002  (a stage's signature)
        """BUSY for a UDP source over its rate."""
        if peer.transport != "udp" or self.take(peer.address, now.monotonic_s):
            return None
        return _BUSY

    def take(self, address: str, now_s: float) -> bool:
        """Whether one more answer may go to the address (IP text) at monotonic time ``now_s``; if so, it is counted."""
        source = address if ":" not in address else self._ipv6_source(address)
        bucket = self._sources.get(source, now_s)
        if bucket is None:
            return True
        if not bucket.has_token(self.rate_per_s, self.burst, now_s):
            return False
        bucket.tokens -= 1.0
        return True

    def filled(self, address: str, now_s: float) -> Bucket | None:
        """The bucket of an address, filled up to ``now_s``, None = never limited; for bursts at one moment.

        Whoever has it takes tokens out of it himself, one for each answer, while there is a whole one.
        """
        source = address if ":" not in address else self._ipv6_source(address)
        bucket = self._sources.get(source, now_s)
        if bucket is not None:
            bucket.has_token(self.rate_per_s, self.burst, now_s)
        return bucket

    def is_free(self, address: str) -> bool:
        """Whether the address (IP text) belongs to an exempt network; remembered like a bucket, so asking is cheap."""
        source = address if ":" not in address else self._ipv6_source(address)
        return self._sources.get(source, 0.0) is None

    def _enter(self, source: str, now_s: float) -> Bucket | None:
        return None if source.partition("/")[0] in self._exempt else Bucket(self.burst, now_s)

    def _ipv6_source(self, address: str) -> str:
        """Its /64; of an exempt address itself, so that one exempt host does not exempt its neighbours."""
        source = self._ipv6_sources.get(address)
        if source is None:
            if len(self._ipv6_sources) >= self.max_sources:
                self._ipv6_sources.clear()
            source = address if address in self._exempt else source_network(address)
            self._ipv6_sources[address] = source
        return source
