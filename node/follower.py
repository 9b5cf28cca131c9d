"""Follower: this worker's place in the feed. Whoever keeps something derived from records hears of changes here.

A receipt is told to its client only after the follower has passed its number, so that what was written can be read.
"""

import asyncio
from collections.abc import Callable, Sequence

from registry.change import Change
from registry.errors import Gone
from registry.stores.store import Reader

CHANGES_AT_ONCE = 200
"""Changes handed on in one go, about a millisecond; between two such goes other work gets its turn."""

OnChanges = Callable[[Sequence[Change]], None]
"""Called with changes in order; an empty list means "anything may have changed, drop everything"."""
KeepsAnything = Callable[[], bool]
"""Whether there is anything to drop; while nobody keeps anything, changes are not even read."""


class Follower:
    """Reads the feed from the number at which the worker started."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        reader.refresh()
        head = reader.head()
        self._log_id = head.log_id
        self.seq = head.seq
        """Number of the last change passed."""
        self._looked_at = reader.snapshot_number
        self._listeners: list[tuple[OnChanges, KeepsAnything]] = []
        self._turn = asyncio.Lock()

    def listen(self, on_changes: OnChanges, keeps_anything: KeepsAnything = lambda: True) -> None:
        """Have every change from now on handed to ``on_changes``, unless it keeps nothing at the time."""
        self._listeners.append((on_changes, keeps_anything))

    @property
    def is_behind(self) -> bool:
        """Whether the reader's snapshot has changes that were not passed yet."""
        head = self._reader.head()
        return head.seq != self.seq or head.log_id != self._log_id

    def look(self) -> None:
        """Pass a few new changes before anything is answered from the reader's snapshot; ``catch_up`` passes many.

        What is remembered of a prefix that somebody has just given to others is forgotten before the next answer, and
        not when the registrar's word of it arrives.
        """
        number = self._reader.snapshot_number
        if number != self._looked_at:
            self._looked_at = number
            if 0 < self._reader.head().seq - self.seq <= CHANGES_AT_ONCE:
                self._step()

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
        elif not any(keeps_anything() for _, keeps_anything in self._listeners):
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
        for on_changes, _ in self._listeners:
            on_changes(changes)
