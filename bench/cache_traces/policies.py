"""Eviction policies in a few lines each: FIFO, LRU, second chance, SIEVE, S3-FIFO, and Belady's as the bound.

Each is told one request after another, ``access(key, size)``, says whether it was a hit, and keeps at most
``most_bytes``. They are written for being read beside the papers, not for use; ``resolver/shelf.py`` has the one that
serves, and ``tests/bench/test_cache_traces.py`` holds it to the model here.

SIEVE: Zhang et al., NSDI 2024. S3-FIFO: Yang et al., SOSP 2023. The bound: Belady, IBM Systems Journal 1966; with sizes
the exact optimum is NP-hard, so where sizes differ it is a very good policy rather than a proven bound.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Protocol

GHOST_BYTES = 100
"""What remembering one evicted key costs a Python node: its number and its place in a table and in a queue."""
NEVER = 1 << 60


class Policy(Protocol):
    """One cache under one policy."""

    def access(self, key: int, size: int) -> bool:
        """One request; a miss brings the entry in, if it fits at all."""


class Fifo:
    """The oldest goes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes, self.used_bytes = most_bytes, 0
        self.kept: OrderedDict[int, int] = OrderedDict()

    def access(self, key: int, size: int) -> bool:
        if key in self.kept:
            self.hit(key)
            return True
        if size <= self.most_bytes:
            while self.used_bytes + size > self.most_bytes:
                self.used_bytes -= self.evict()
            self.kept[key] = size
            self.used_bytes += size
        return False

    def hit(self, key: int) -> None:
        pass

    def evict(self) -> int:
        return self.kept.popitem(last=False)[1]


class Lru(Fifo):
    """The one that was not asked for longest goes."""

    def hit(self, key: int) -> None:
        self.kept.move_to_end(key)


class SecondChance(Fifo):
    """The oldest goes, unless it was asked for since it was last looked at: then it becomes the youngest (CLOCK)."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes)
        self.asked: set[int] = set()

    def hit(self, key: int) -> None:
        self.asked.add(key)

    def evict(self) -> int:
        while True:
            key, size = self.kept.popitem(last=False)
            if key not in self.asked:
                return size
            self.asked.discard(key)
            self.kept[key] = size


class Sieve:
    """A hand goes from the oldest to the youngest and over again; what was asked for stays where it is, the next goes.

    ``passed`` is what lies behind the hand, ``ahead`` what lies before it, each from old to young.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes, self.used_bytes = most_bytes, 0
        self.passed: OrderedDict[int, int] = OrderedDict()
        self.ahead: OrderedDict[int, int] = OrderedDict()
        self.asked: set[int] = set()

    def access(self, key: int, size: int) -> bool:
        if key in self.ahead or key in self.passed:
            self.asked.add(key)
            return True
        if size <= self.most_bytes:
            while self.used_bytes + size > self.most_bytes:
                self.evict()
            self.ahead[key] = size
            self.used_bytes += size
        return False

    def evict(self) -> None:
        while True:
            if not self.ahead:
                self.ahead, self.passed = self.passed, OrderedDict()
            key, size = self.ahead.popitem(last=False)
            if key not in self.asked:
                self.used_bytes -= size
                return
            self.asked.discard(key)
            self.passed[key] = size


class S3Fifo:
    """A small queue for what is new, a main one for what was asked for there or is remembered from before, and ghosts.

    With ``most_count`` 1 a hit sets one bit, and one hit in the small queue is enough to be moved to the main one; with
    3, as in the paper, it takes two. ``ghost_bytes``: what a ghost is charged.
    """

    def __init__(self, most_bytes: int, most_count: int = 3, ghost_bytes: int = 0) -> None:
        self.most_bytes, self.most_count, self.ghost_bytes = most_bytes, most_count, ghost_bytes
        self.small: deque[int] = deque()
        self.main: deque[int] = deque()
        self.sizes: dict[int, int] = {}
        self.counts: dict[int, int] = {}
        self.ghosts: OrderedDict[int, int] = OrderedDict()
        self.small_bytes = self.main_bytes = self.ghosts_stand_for = 0

    @property
    def used_bytes(self) -> int:
        return self.small_bytes + self.main_bytes + len(self.ghosts) * self.ghost_bytes

    def access(self, key: int, size: int) -> bool:
        if key in self.sizes:
            self.counts[key] = min(self.most_count, self.counts[key] + 1)
            return True
        if size > self.most_bytes:
            return False
        was_here = self.forget_ghost(key)
        while self.used_bytes + size > self.most_bytes:
            self.evict()
        self.sizes[key], self.counts[key] = size, 0
        if was_here:
            self.main.append(key)
            self.main_bytes += size
        else:
            self.small.append(key)
            self.small_bytes += size
        return False

    def evict(self) -> None:
        if self.small and (self.small_bytes > self.most_bytes // 10 or not self.main):
            self.evict_small()
        elif self.main:
            self.evict_main()
        else:
            self.forget_ghost(next(iter(self.ghosts)))

    def evict_small(self) -> None:
        key = self.small.popleft()
        size = self.sizes[key]
        self.small_bytes -= size
        if self.counts[key] >= min(2, self.most_count):
            self.counts[key] = 0
            self.main.append(key)
            self.main_bytes += size
            return
        del self.sizes[key], self.counts[key]
        self.ghosts[key] = size
        self.ghosts_stand_for += size
        while self.ghosts_stand_for > self.most_bytes * 9 // 10:
            self.forget_ghost(next(iter(self.ghosts)))

    def evict_main(self) -> None:
        while True:
            key = self.main.popleft()
            if self.counts[key] == 0:
                self.main_bytes -= self.sizes.pop(key)
                del self.counts[key]
                return
            self.counts[key] -= 1
            self.main.append(key)

    def forget_ghost(self, key: int) -> bool:
        size = self.ghosts.pop(key, 0)
        self.ghosts_stand_for -= size
        return size > 0


class Belady:
    """Knows the future: who is asked for latest goes, or is not let in. For equal sizes nothing does better."""

    def __init__(self, most_bytes: int, trace: Sequence[int]) -> None:
        self.most_bytes, self.used_bytes = most_bytes, 0
        self.next_use = next_uses(trace)
        self.at = -1
        self.kept: dict[int, tuple[int, int]] = {}
        """Key -> size, next use."""
        self.latest: list[tuple[int, int]] = []
        """A heap of (-next use, key), with some that are no longer true."""

    def access(self, key: int, size: int) -> bool:
        self.at += 1
        is_hit, following = key in self.kept, self.next_use[self.at]
        if is_hit:
            self.used_bytes -= self.kept.pop(key)[0]
        if following == NEVER or size > self.most_bytes:
            return is_hit
        self.kept[key] = (size, following)
        self.used_bytes += size
        heapq.heappush(self.latest, (-following, key))
        while self.used_bytes > self.most_bytes:
            following, last = heapq.heappop(self.latest)
            if last in self.kept and self.kept[last][1] == -following:
                self.used_bytes -= self.kept.pop(last)[0]
        return is_hit


def next_uses(trace: Sequence[int]) -> list[int]:
    """For each request, when its key is asked for again."""
    following: dict[int, int] = {}
    uses = [NEVER] * len(trace)
    for at in range(len(trace) - 1, -1, -1):
        uses[at] = following.get(trace[at], NEVER)
        following[trace[at]] = at
    return uses
