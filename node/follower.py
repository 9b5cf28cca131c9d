"""Follower: this worker's place in the feed. Whoever keeps something derived from records hears of changes here.

A receipt is told to its client only after the follower has passed its number, so that what was written can be read.
"""

import asyncio
from collections.abc import Callable, Sequence

from registry.change import Change
from registry.errors import Gone
from registry.stores.store import Reader

CHANGES_AT_ONCE = 1000
"""Changes handed on in one go; between two such goes other work gets its turn."""

OnChanges = Callable[[Sequence[Change]], None]
"""Called with changes in order; an empty list means "anything may have changed, drop everything"."""


class Follower:
    """Reads the feed from the number at which the worker started."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        reader.refresh()
        head = reader.head()
        self._log_id = head.log_id
        self.seq = head.seq
        """Number of the last change passed."""
        self._listeners: list[OnChanges] = []
        self._turn = asyncio.Lock()

    def listen(self, on_changes: OnChanges) -> None:
        """Have every change from now on handed to ``on_changes``."""
        self._listeners.append(on_changes)

    async def passed(self, seq: int) -> None:
        """Return when change ``seq``, which must be durable already, has been handed to every listener."""
        while self.seq < seq:
            async with self._turn:
                before = self.seq
                self._step()
            assert self.seq > before or self.seq >= seq, "a durable change is not in the feed"
            if self.seq < seq:
                await asyncio.sleep(0)

    async def catch_up(self) -> None:
        """Go on to the newest change."""
        self._reader.refresh()
        await self.passed(self._reader.head().seq)

    def _step(self) -> None:
        self._reader.refresh()
        head = self._reader.head()
        if head.log_id != self._log_id:  # restored from a backup: another history
            self._log_id, self.seq = head.log_id, head.seq
            self._tell([])
        elif not self._listeners:
            self.seq = head.seq  # nobody keeps anything, so nobody needs to hear of each
        elif self.seq < head.seq:
            try:
                changes = self._reader.changes(self.seq, CHANGES_AT_ONCE)
            except Gone:
                self.seq = head.seq
                self._tell([])
            else:
                self.seq = changes[-1].seq
                self._tell(changes)

    def _tell(self, changes: Sequence[Change]) -> None:
        for on_changes in self._listeners:
            on_changes(changes)
