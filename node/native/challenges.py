"""Challenges: questions "prove who you are" that wait for their answer (RFC 3652 §3.5). Told the time.

A challenge holds the request it stopped. It is good for one answer from the address it was sent to, within ``LASTS_S``;
the same answer again, as a client sends it that has not heard ours, gets the same word, anything else is refused.
Nobody can push out another's challenge: who has too many loses the oldest of its own, and when there is no room at all
new ones are refused.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from protocols.handle.codec import Message
from resolver.buckets import source_network

LASTS_S = 60.0
"""From the challenge to its answer, and from the answer to its last repetition (Handle.Net's shipped setting)."""
MOST = 8192
"""Waiting, of all sources."""
MOST_PER_SOURCE = 256
"""A site behind one address that starts all its clients at once."""
MOST_BYTES = 32 * 1_048_576
"""Of the requests that wait; one may have 262,144."""
UDP_SHARE = 2
"""Forged addresses fill at most half the room (1 / UDP_SHARE) of what is there."""


@dataclass(slots=True, eq=False)
class Challenge:
    """One that waits, or was answered."""

    request: Message
    """What it stopped; carried out with the answer."""
    nonce: bytes
    digest: bytes
    """Of the request, without type; proofs are over nonce and digest."""
    address: str
    expires_s: float
    """Monotonic."""
    is_udp: bool = False
    answer_digest: bytes = b""
    """SHA-256 of the message that answered it; empty while none has."""
    result: "asyncio.Future[bytes] | None" = None
    """The answer to that, there or on its way, for its repetitions."""

    def is_repeated_by(self, digest: bytes) -> bool:
        """Whether a message with that SHA-256 is the one that answered it."""
        return hmac.compare_digest(self.answer_digest, digest)

    def forget_result(self) -> None:
        """Who asks again from now on is told that it was answered."""
        self.result = None

    @property
    def source(self) -> tuple[str, bool]:
        """Whose it counts as: what came by UDP may have a forged address, and counts by itself."""
        return source_network(self.address), self.is_udp


@dataclass(slots=True)
class _Source:
    ids: OrderedDict[int, None] = field(default_factory=OrderedDict)


class Challenges:
    """``new_id`` makes ids that say whose they are (``node/slots.py``)."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._new_id = new_id
        self._by_id: OrderedDict[int, Challenge] = OrderedDict()
        self._sources: dict[tuple[str, bool], _Source] = {}
        self._bytes = self._udp_count = 0

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def used_bytes(self) -> int:
        """Of the requests that wait."""
        return self._bytes

    def add(self, challenge: Challenge, now_s: float) -> int | None:
        """Its id; None when there is no room."""
        self._expire(now_s)
        source = self._sources.setdefault(challenge.source, _Source())
        if len(source.ids) >= MOST_PER_SOURCE:
            self._remove(next(iter(source.ids)))
        share = UDP_SHARE if challenge.is_udp else 1
        count = self._udp_count if challenge.is_udp else len(self._by_id)
        size = len(challenge.request.received)
        if count * share >= MOST or (self._bytes + size) * share > MOST_BYTES:
            if not source.ids:
                self._sources.pop(challenge.source, None)
            return None
        id_ = self._new_id()
        while id_ in self._by_id:
            id_ = self._new_id()
        self._by_id[id_] = challenge
        self._sources.setdefault(challenge.source, source).ids[id_] = None
        self._bytes += size
        self._udp_count += challenge.is_udp
        return id_

    def find(self, id_: int, address: str, now_s: float) -> Challenge | None:
        """The one of that id, if it was sent to that address and is not over."""
        challenge = self._by_id.get(id_)
        if challenge is None or challenge.address != address or challenge.expires_s <= now_s:
            return None
        return challenge

    def _expire(self, now_s: float) -> None:
        while self._by_id:
            id_, oldest = next(iter(self._by_id.items()))
            if oldest.expires_s > now_s:
                return
            self._remove(id_)

    def _remove(self, id_: int) -> None:
        challenge = self._by_id.pop(id_)
        self._bytes -= len(challenge.request.received)
        self._udp_count -= challenge.is_udp
        source = self._sources[challenge.source]
        del source.ids[id_]
        if not source.ids:
            del self._sources[challenge.source]
