"""Authentication by secret key: does the asker know the HS_SECKEY value at that index (RFC 3651 §3.2.6)?

Guessing is slow for the guesser only. Every failure makes the next try wait longer, counted for the asking address and
for the account tried; a pair of address and account that was right before does not wait, so nobody is locked out by
somebody else's guesses. No more than a few tries of one address wait at once. An unknown handle costs the same as a
wrong secret.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from node.proving.claim import Claim, Proof
from node.proving.pool import CpuPool
from protocols.errors import ProtocolError
from protocols.identifier import parse_identifier
from protocols.message import Outcome, Principal
from protocols.values.secret import secret_matches
from registry.holdings import Holdings
from resolver.source import Peer

SECRET_TYPE = "HS_SECKEY"  # noqa: S105  # the name of a value type
FIRST_DELAY_S, MAX_DELAY_S = 0.1, 5.0
"""Doubles with every failure in a row: eleven guesses take 10 s, each one after them 5 s."""
MAX_ACCOUNT_DELAY_S = 1.0
"""Guesses from many addresses at one account: its owner, at a new address, waits no longer than this."""
FORGET_S = 900.0
"""What has not failed for so long starts anew."""
MAX_REMEMBERED = 4096
"""Addresses, accounts and right pairs each; the one unused for longest is forgotten first."""
MAX_WAITING_PER_SOURCE = 8
"""Tries of one address that wait at once; more are told to come back later."""
MAX_COUNT = 16
"""Failures beyond it make no difference, the delay is at its maximum."""

Key = TypeVar("Key", str, tuple[str, str])


class _Failures:
    __slots__ = ("count", "last_s", "waiting")

    def __init__(self) -> None:
        self.count = self.waiting = 0
        self.last_s = 0.0

    def delay_s(self, now_s: float, most_s: float) -> float:
        if not self.count or now_s - self.last_s >= FORGET_S:
            return 0.0
        return float(min(FIRST_DELAY_S * 2 ** (self.count - 1), most_s))

    def add(self, now_s: float) -> None:
        self.count = min(1 if now_s - self.last_s >= FORGET_S else self.count + 1, MAX_COUNT)
        self.last_s = now_s


class _Memory(Generic[Key]):
    """Failures by name, bounded."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def of(self, key: Key) -> _Failures:
        """What is remembered, or a new entry."""
        failures = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)
        return failures


class Authenticator:
    """``monotonic_s`` is the clock, ``sleep`` how to wait; both are handed in so that tests need no time."""

    def __init__(
        self,
        holdings: Holdings,
        monotonic_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        pool: CpuPool | None = None,
    ) -> None:
        self.pool = pool or CpuPool()
        self._holdings = holdings
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._sources: _Memory[str] = _Memory()
        self._accounts: _Memory[str] = _Memory()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Pairs of address and account that were right last time."""
        self.failed_count = 0
        """Wrong secrets so far, for the metrics."""

    async def authenticate(
        self, handle: str, index: int, secret: bytes, peer: Peer
    ) -> Principal | Outcome:
        """The principal when the secret is right, else AUTHENTICATION_FAILED; BUSY when it was not even looked at."""
        account = f"{index}:{handle.upper()}"
        pair = (peer.address, account)
        if pair not in self._right and not await self._wait(peer.address, account):
            return Outcome.BUSY
        if self._knows(handle, index, secret):
            self._right[pair] = None
            self._right.move_to_end(pair)
            if len(self._right) > MAX_REMEMBERED:
                self._right.popitem(last=False)
            return Principal(handle, index)
        self._right.pop(pair, None)
        self.failed_count += 1
        now_s = self._monotonic_s()
        self._sources.of(peer.address).add(now_s)
        self._accounts.of(account).add(now_s)
        return Outcome.AUTHENTICATION_FAILED

    async def prove(self, claim: Claim, peer: Peer) -> Principal | Outcome:
        """The principal when the proof is right, else AUTHENTICATION_FAILED; BUSY, or UNREACHABLE (the key's node)."""
        return await self.authenticate(claim.handle, claim.index, b"", peer)

    async def verify(
        self, handle: str, index: int, content: bytes, proof: Proof, peer: Peer
    ) -> bool | Outcome:
        """Whether ``proof`` is right by the HS_SECKEY held here; NOT_RESPONSIBLE when it is held elsewhere, BUSY."""
        said = await self.prove(Claim(handle, index, proof, content), peer)
        return said if said is Outcome.BUSY else isinstance(said, Principal)

    async def _wait(self, address: str, account: str) -> bool:
        """Wait as long as past failures ask for; False when too many wait already."""
        now_s = self._monotonic_s()
        source = self._sources.of(address)
        delay_s = max(
            source.delay_s(now_s, MAX_DELAY_S),
            self._accounts.of(account).delay_s(now_s, MAX_ACCOUNT_DELAY_S),
        )
        if not delay_s:
            return True
        if source.waiting >= MAX_WAITING_PER_SOURCE:
            return False
        source.waiting += 1
        try:
            await self._sleep(delay_s)
        finally:
            source.waiting -= 1
        return True

    def _knows(self, handle: str, index: int, secret: bytes) -> bool:
        try:
            values = self._holdings.values_of(parse_identifier(handle)) or ()
        except ProtocolError:
            values = ()
        stored = (v.data for v in values if v.index == index and v.type.upper() == SECRET_TYPE)
        return secret_matches(next(stored, b""), secret)
