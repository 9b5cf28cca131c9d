"""An upstream client under test, and everything it told: exactly one end for each question is checked at the close."""

import asyncio
import itertools
import time
from collections import Counter
from pathlib import Path

from node.clock import read_clocks
from node.upstream.client import UpstreamClient, UpstreamSettings
from protocols.values.value import Value
from resolver.asking import Question, Reply, Send, Target, Trouble
from tests.faulty_peer.behaviour import Canned

NAME = b"88.118.7/SN-1"
VALUES = (
    Value(1, "URL", b"https://example.com/1", timestamp=1_700_000_000),
    Value(2, "DESC", "零件".encode(), ttl=60, timestamp=1_700_000_000),
)
RECORDS = {NAME: Canned(values=VALUES)}
PATIENCE_S = 5.0
"""Of questions that are expected to be answered; generous, because the machine is shared."""
SHORT_S = 0.3
"""Of questions that are expected not to be."""


def wall_s() -> float:
    return read_clocks().wall_s


class Asker:
    """``async with Asker() as asker: said = await asker.ask(target)``."""

    def __init__(self, **settings: object) -> None:
        self.client = UpstreamClient(
            UpstreamSettings(**settings), self._on_reply, self._on_trouble, wall_s
        )
        self.near_misses: Counter[int] = Counter()
        self.ends: Counter[int] = Counter()
        self.cancelled: set[int] = set()
        self.sent = 0
        self.seconds: dict[int, float] = {}
        self._began: dict[int, float] = {}
        self._numbers = itertools.count(1)
        self._futures: dict[int, asyncio.Future[Reply | Trouble]] = {}

    async def __aenter__(self) -> "Asker":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        assert self.client.under_way == 0
        assert set(self.ends.values()) <= {1}, "a question was ended twice"
        assert set(self.near_misses.values()) <= {1}, "a near miss was told twice"
        assert not self.cancelled & set(self.ends), "a cancelled question was told"

    def send(
        self, target: Target, name: bytes = NAME, patience_s: float = PATIENCE_S, **question: object
    ) -> int:
        """The number of a question under way."""
        number, now = next(self._numbers), read_clocks()
        self._futures[number] = asyncio.get_running_loop().create_future()
        self._began[number] = now.monotonic_s
        self.sent += 1
        send = Send(number, target, Question(name, **question), now.monotonic_s + patience_s)
        self.client.send(send, now)
        assert number not in self.ends, "told before send returned"
        return number

    def cancel(self, number: int) -> None:
        if number not in self.ends:
            self.cancelled.add(number)
        self.client.cancel(number)

    async def end_of(self, number: int) -> Reply | Trouble:
        async with asyncio.timeout(30):
            return await self._futures[number]

    async def ask(self, target: Target, name: bytes = NAME, **more: object) -> Reply | Trouble:
        return await self.end_of(self.send(target, name, **more))

    async def ask_all(self, target: Target, count: int, **more: object) -> list[Reply | Trouble]:
        """So many at once, in order."""
        numbers = [self.send(target, **more) for _ in range(count)]
        return [await self.end_of(number) for number in numbers]

    def _on_reply(self, number: int, reply: Reply) -> None:
        assert isinstance(reply, Reply)
        self._end(number, reply)

    def _on_trouble(self, number: int, trouble: Trouble) -> None:
        assert isinstance(trouble, Trouble)
        if trouble is Trouble.NEAR_MISS:
            assert number not in self.ends
            self.near_misses[number] += 1
        else:
            self._end(number, trouble)

    def _end(self, number: int, said: Reply | Trouble) -> None:
        self.ends[number] += 1
        self.seconds[number] = time.monotonic() - self._began[number]
        if not self._futures[number].done():
            self._futures[number].set_result(said)


def tasks_and_files() -> tuple[set, int]:
    """Tasks of the running loop but this one, and how many file descriptors this process has."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return others, len(list(Path("/proc/self/fd").iterdir()))
