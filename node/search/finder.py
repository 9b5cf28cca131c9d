"""Finder: a worker's way to the index. Questions are asked in few threads, with an end, and not many may wait.

SQLite looks for milliseconds or seconds and gives Python's lock back meanwhile: the event loop goes on answering.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from node.search.cells import Scope
from node.search.finding import Asked
from node.search.layout import State
from node.search.view import Answer, View

MOST_THREADS = 2
MOST_QUESTIONS = 10
"""Under way or waiting; with more of them each would wait longer than its client."""
LOOK_EVERY_S = 0.01
"""How often a question that waits for a change looks whether it is in; a look costs some 30 µs."""


class TooMany(Exception):
    """No room for another question."""


class Finder:
    """One per worker; made at once, opened when somebody asks."""

    def __init__(self, data_dir: Path, scope: Scope, question_s: float) -> None:
        self.scope = scope
        self._question_s = question_s
        self._view = View(data_dir)
        self._threads: ThreadPoolExecutor | None = None
        self._count = 0

    def state(self) -> State | None:
        """How far the index is; None when there is none."""
        return self._view.state()

    async def wait_for(self, log_id: bytes, seq: int, most_s: float, most_behind: int) -> None:
        """Return when the change is in, when time is up, or when there is no hope of either."""
        clock = asyncio.get_running_loop().time
        deadline_s = clock() + most_s
        while True:
            state = self.state()
            if state is None or not state.is_whole or state.log_id != log_id:
                return
            if not 0 < seq - state.seq <= most_behind or clock() >= deadline_s:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def find(self, asked: Asked) -> Answer:
        """Raises ``TooMany``, ``NotThere``, ``TookTooLong``."""
        if self._count >= MOST_QUESTIONS:
            raise TooMany
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MOST_THREADS, "search")
        self._count += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._threads, self._view.find, asked, self._question_s
            )
        finally:
            self._count -= 1

    def close(self) -> None:
        """Questions under way are given up."""
        self._view.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
