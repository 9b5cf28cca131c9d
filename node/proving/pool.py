"""CPU pool: where key derivations, signatures and key agreements are computed, off the event loop.

A few threads and a bounded queue. What the compiled libraries compute there leaves the interpreter to the event loop;
what is computed in Python (SM2) gives way to it every few milliseconds. A full queue is an answer: come back later.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
T = TypeVar("T")

THREADS = 2
"""One that is stuck in a costly derivation must not hold up all others; more would only take turns."""
MOST_WAITING = 256
"""A usual derivation takes some 2 ms, a signature less: whoever comes last waits a quarter of a second. With nothing
but the costliest derivations that are accepted, 20 ms each, it is 2.5 s, still less than clients wait."""


class PoolFull(Exception):
    """Too much waits already; nothing was begun."""


class CpuPool:
    """One per worker."""

    def __init__(self, threads: int = THREADS, most_waiting: int = MOST_WAITING) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="cpu")
        self._most_waiting = most_waiting
        self.waiting = 0
        """Computations begun or waiting."""
        self.refused = 0
        """Computations that found the queue full."""
        self._is_closed = False

    async def run(
        self,
        function: Callable[Arguments, T],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> T:
        """What ``function`` returns, computed in a thread; its exceptions are raised here. Raises ``PoolFull``.

        Whoever is cancelled meanwhile frees his place when the computation ends: a thread cannot be stopped.
        """
        if self.waiting >= self._most_waiting or self._is_closed:
            self.refused += 1
            raise PoolFull
        self.waiting += 1
        future = self._executor.submit(function, *arguments, **named)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: self._free(loop))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take nothing more; what waits is dropped, what is begun ends by itself."""
        self._is_closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _free(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._freed)

    def _freed(self) -> None:
        self.waiting -= 1
