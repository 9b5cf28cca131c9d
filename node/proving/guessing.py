"""Guessing is slow for the guesser only.

Every failure makes the next try wait longer, counted for the asking address (of IPv6 its /64, of which one customer
has all) and for the account tried; a pair of address and account that was right before does not wait, so nobody is
locked out by somebody else's guesses, and no lock lasts. No more than a few tries of one address wait at once, or are
looked at at once.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

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
MAX_UNDER_WAY_PER_SOURCE = 64
"""Tries of one address that are looked at at once, waiting ones not counted: the connections a client may have, each of
which logs in. None of them has failed yet, so nothing else would keep one address from filling the pool."""
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


class Guesses:
    """Passwords and proofs count together: whoever guesses does not care by which of them."""

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._sources: _Memory[str] = _Memory()
        self._accounts: _Memory[str] = _Memory()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Pairs of address and account that were right last time."""
        self._under_way: Counter[str] = Counter()

    @property
    def remembered(self) -> tuple[int, int]:
        """Addresses and accounts that failures are remembered of."""
        return len(self._sources), len(self._accounts)

    async def enter(self, address: str, account: str) -> bool:
        """Wait as long as past failures ask for; False when too many try at once. True asks for ``leave``."""
        if (address, account) not in self._right and not await self._wait(address, account):
            return False
        if self._under_way[address] >= MAX_UNDER_WAY_PER_SOURCE:
            return False
        self._under_way[address] += 1
        return True

    def leave(self, address: str) -> None:
        """It was looked at."""
        self._under_way[address] -= 1
        if not self._under_way[address]:
            del self._under_way[address]

    def was_right(self, address: str, account: str) -> None:
        """The next try of this pair does not wait."""
        pair = (address, account)
        self._right[pair] = None
        self._right.move_to_end(pair)
        if len(self._right) > MAX_REMEMBERED:
            self._right.popitem(last=False)

    def was_wrong(self, address: str, account: str) -> None:
        """The next try of this address, and at this account, waits longer."""
        self._right.pop((address, account), None)
        now_s = self._monotonic_s()
        self._sources.of(address).add(now_s)
        self._accounts.of(account).add(now_s)

    def was_in_vain(self, address: str) -> None:
        """Another node was asked for it and said nothing: it says nothing of the account, but nobody may have others
        asked again and again at no cost."""
        self._sources.of(address).add(self._monotonic_s())

    async def _wait(self, address: str, account: str) -> bool:
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
