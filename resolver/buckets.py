"""Token buckets and the bounded tables they stand in: who has used up a rate, without remembering everybody for ever.

A bucket fills by its rate up to its burst and is told the time. A table keeps two generations: when the young one is
full it becomes the old one, and the old one is forgotten. Who keeps asking moves along; who is forgotten starts anew.
"""

from collections.abc import Callable, Hashable
from ipaddress import ip_address, ip_network
from typing import Generic, TypeVar

IPV6_SOURCE_BITS = 64
"""One household or rack gets a /64; it counts as one source."""

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


class Bucket:
    """Tokens of one source or prefix at monotonic time ``time_s``."""

    __slots__ = ("time_s", "tokens")

    def __init__(self, tokens: float, time_s: float) -> None:
        self.tokens = tokens
        self.time_s = time_s

    def has_token(self, rate_per_s: float, burst: float, now_s: float) -> bool:
        """Whether a whole token is there; fills the bucket, takes nothing."""
        tokens = self.tokens + (now_s - self.time_s) * rate_per_s
        if tokens > burst:  # noqa: PLR1730  # min() costs a call for every datagram
            tokens = burst
        self.tokens, self.time_s = tokens, now_s
        return tokens >= 1.0


class Generations(Generic[Key, Kept]):
    """At most ``2 × most`` entries; ``make`` is handed the key and the time when one is new or was forgotten."""

    __slots__ = ("_make", "_most", "_old", "_young")

    def __init__(self, most: int, make: Callable[[Key, float], Kept]) -> None:
        self._most = most
        self._make = make
        self._young: dict[Key, Kept] = {}
        self._old: dict[Key, Kept] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: Key, now_s: float) -> Kept:
        """What is kept for the key at monotonic time ``now_s``."""
        try:
            return self._young[key]
        except KeyError:
            return self._enter(key, now_s)

    def _enter(self, key: Key, now_s: float) -> Kept:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        kept = self._old.pop(key) if key in self._old else self._make(key, now_s)
        self._young[key] = kept
        return kept


def source_network(address: str) -> str:
    """What counts as one source: an IPv4 address (mapped ones too), or the /64 of an IPv6 address, as text.

    Raises:
        ValueError: no IP address.
    """
    if ":" not in address:
        return address
    ip = ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    return str(ip_network((int(ip), IPV6_SOURCE_BITS), strict=False))
