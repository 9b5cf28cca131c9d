"""Authentication by secret key: is this the HS_SECKEY value at that index, compared in constant time?

Every failure of a source makes its next try wait longer, and no more than a few tries of a source are judged at once,
so that guessing is slow for the guesser only. An unknown handle costs the same as a wrong secret.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable

from protocols.errors import ProtocolError
from protocols.identifier import parse_identifier
from protocols.message import Principal
from protocols.values.value import Value
from registry.holdings import Holdings
from resolver.source import Peer

SECRET_TYPE = "HS_SECKEY"  # noqa: S105  # the name of a value type
FIRST_DELAY_S, MAX_DELAY_S = 0.1, 5.0
"""Doubles with every failure in a row: eleven guesses take 10 s, each one after them 5 s."""
FORGET_S = 900.0
"""A source that has not failed for so long starts anew."""
MAX_SOURCES = 4096
"""Remembered sources; the one that failed longest ago is forgotten first."""
MAX_WAITING_PER_SOURCE = 8
"""Tries of one source that wait at once; more fail at once, unjudged."""


class _Failures:
    __slots__ = ("count", "last_s", "waiting")

    def __init__(self) -> None:
        self.count = self.waiting = 0
        self.last_s = 0.0


class Authenticator:
    """``monotonic_s`` is the clock, ``sleep`` how to wait; both are handed in so that tests need no time."""

    def __init__(
        self,
        holdings: Holdings,
        monotonic_s: Callable[[], float],
        sleep: Callable[[float], "asyncio.Future[None] | asyncio.Task[None]"] | None = None,
    ) -> None:
        self._holdings = holdings
        self._monotonic_s = monotonic_s
        self._sleep = sleep or asyncio.sleep
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self.failed_count = 0
        """Wrong secrets so far, for the metrics."""

    async def authenticate(
        self, handle: str, index: int, secret: bytes, peer: Peer
    ) -> Principal | None:
        """The principal when the secret is right, else None."""
        now_s = self._monotonic_s()
        failures = self._failures.get(peer.address)
        if failures is not None and now_s - failures.last_s < FORGET_S:
            if failures.waiting >= MAX_WAITING_PER_SOURCE:
                return None
            failures.waiting += 1
            try:
                await self._sleep(min(FIRST_DELAY_S * 2 ** (failures.count - 1), MAX_DELAY_S))
            finally:
                failures.waiting -= 1
        if self._knows(handle, index, secret):
            self._failures.pop(peer.address, None)
            return Principal(handle, index)
        self._remember_failure(peer.address)
        return None

    def _knows(self, handle: str, index: int, secret: bytes) -> bool:
        try:
            values = self._holdings.values_of(parse_identifier(handle)) or ()
        except ProtocolError:
            values = ()
        stored = [v for v in values if v.index == index and v.type.upper() == SECRET_TYPE]
        value = stored[0] if stored else Value(0, "", b"")
        is_equal = hmac.compare_digest(value.data, secret)
        return is_equal and bool(stored) and bool(secret)

    def _remember_failure(self, address: str) -> None:
        self.failed_count += 1
        now_s = self._monotonic_s()
        failures = self._failures.pop(address, None)
        if failures is None or now_s - failures.last_s >= FORGET_S:
            failures = _Failures()
        failures.count = min(failures.count + 1, 16)  # beyond it the delay is at its maximum
        failures.last_s = now_s
        self._failures[address] = failures
        if len(self._failures) > MAX_SOURCES:
            self._failures.popitem(last=False)
