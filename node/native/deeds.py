"""Deeds: work at native messages, a bounded number at a time."""

import asyncio
from collections.abc import Callable

from node.logs import get_log
from node.metrics import QUERY_ERRORS
from node.native.asked import Deed

MOST = 1024
"""Of one worker: each waits for the registrar, a proof or another node, and holds one message."""

log = get_log("native")


class Deeds:
    """``spoil`` makes the answer to a deed that met a bug."""

    def __init__(self, spoil: Callable[[Deed], bytes]) -> None:
        self._spoil = spoil
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, deed: Deed, then: Callable[[], None]) -> Callable[[], None] | None:
        """Do it, then call ``then``, once; returns what to call when nobody waits for it any more. None = no room.

        What was begun is finished all the same: a change that is on its way to the registrar is not called back.
        """
        if len(self._tasks) >= MOST:
            return None
        waits = [then]
        task = asyncio.get_running_loop().create_task(self._do(deed, waits))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return waits.clear

    async def end(self, patience_s: float) -> None:
        """Return when everything that was begun is finished, at the latest after ``patience_s``."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=patience_s)

    async def _do(self, deed: Deed, waits: list[Callable[[], None]]) -> None:
        try:
            deed.answer = await deed.work()
        except Exception:  # one question must not stop the worker
            QUERY_ERRORS.inc()
            log.exception("a request met a bug")
            deed.answer = self._spoil(deed)
        for then in waits:
            then()
