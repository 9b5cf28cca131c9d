"""Letters: a worker's mail. What its siblings pass on, connections it inherits, how it is; and what it sends in turn.

The mailbox of a slot is read by one worker at a time: a candidate of a reload leaves it to the worker that serves until
it takes its place (``read``), a worker that is told to end leaves it to its successor (``leave``).
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from node.listeners.handover import HandOver
from node.mailbox import ASK, CONNECTION, REPORT, Mailbox, Receive, close_all, send
from node.relay import Relay
from node.reports import Reporter, pack

LAST_WORD_TRIES = 20
LAST_WORD_EVERY_S = 0.01
"""The operations process may have many letters to read when a whole node ends."""

Adopt = Callable[[str, socket.socket], None]
"""Serve a connection of a predecessor: its use (tcp, http) and the socket."""


class Letters:
    """``sockets`` are what the worker inherited: ``mailbox``, ``mailboxes`` by slot, ``report``; all may be missing."""

    def __init__(
        self,
        sockets: Mapping[str, Sequence[socket.socket]],
        relay: Relay,
        reporter: Reporter,
        adopt: Adopt,
        others: Mapping[bytes, Receive] | None = None,
    ) -> None:
        """``others``: further kinds of letters, and who takes them."""
        self._boxes = list(sockets.get("mailboxes", ()))
        self._operations = next(iter(sockets.get("report", ())), None)
        self._relay, self._reporter, self._adopt = relay, reporter, adopt
        receivers = {CONNECTION: self._take_connection, ASK: self._take_ask, **relay.receivers}
        receivers.update(others or {})
        own = next(iter(sockets.get("mailbox", ())), None)
        self._mailbox = Mailbox(own, receivers) if own is not None else None
        self._is_reading = False

    def read(self) -> None:
        """The mailbox is this worker's from now on."""
        if self._mailbox is not None and not self._is_reading:
            self._is_reading = True
            self._mailbox.start()

    def leave(self) -> None:
        """It is the successor's from now on."""
        if self._mailbox is not None and self._is_reading:
            self._is_reading = False
            self._mailbox.stop()

    def hand_over(self, use: str, heir: int | None) -> HandOver | None:
        """How connections of this use go to the worker in slot ``heir``; None when there is none."""
        if heir is None or heir >= len(self._boxes):
            return None
        box = self._boxes[heir]
        return lambda descriptor: send(box, CONNECTION, use, [descriptor])

    async def end(self) -> None:
        """The last word: what was counted must not be lost with the worker."""
        self.leave()
        self._relay.stop()
        if self._operations is None:
            return
        said = pack(self._reporter.make(is_last=True))
        for _ in range(LAST_WORD_TRIES):
            if send(self._operations, REPORT, said):
                return
            await asyncio.sleep(LAST_WORD_EVERY_S)

    def _take_connection(self, said: Any, descriptors: list[int]) -> None:
        (descriptor,) = descriptors
        self._adopt(str(said), socket.socket(fileno=descriptor))

    def _take_ask(self, _: Any, descriptors: list[int]) -> None:
        close_all(descriptors)
        if self._operations is not None:
            send(self._operations, REPORT, pack(self._reporter.make()))
