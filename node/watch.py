"""Watch: asks every worker how it is, by mail, and never waits long for any of them.

Each worker is asked once a second, so that what a killed one had counted is known but for the last second, and when
somebody wants to know. Who does not answer in time is spoken for by its last report, and is named when that is old.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from node.mailbox import ASK, GONE, REPORT, WORKERS, Mailbox, close_all, send
from node.metrics import WORKER_UP
from node.reports import Check, Report, unpack
from node.totals import Totals

ASK_EVERY_S = 1.0
PATIENCE_S = 0.06
"""A worker answers within a millisecond, a busy one within some; who asks us is to have an answer within 100 ms."""
SILENT_S = 1.5
"""Without a word for so long a worker hangs, or is not there."""


class Watch:
    """What is known of all workers; ``boxes`` are their mailboxes by slot."""

    def __init__(self, mailbox: socket.socket, boxes: Sequence[socket.socket]) -> None:
        self.totals = Totals()
        receivers = {REPORT: self._take_report, WORKERS: self._take_boxes, GONE: self._take_gone}
        self._mailbox = Mailbox(mailbox, receivers)
        self._boxes = list(boxes)
        now_s = _now_s()
        self._heard_s = dict.fromkeys(range(len(boxes)), now_s)
        """When each was heard last; a worker that is just starting was heard when we started."""
        self._asked_s: dict[int, float] = {}
        """Who was asked and has not answered."""
        self._someone_spoke = asyncio.Event()

    def start(self) -> None:
        """Begin to hear."""
        self._mailbox.start()

    def stop(self) -> None:
        """Hear no more."""
        self._mailbox.stop()

    async def run(self) -> None:
        """Ask regularly, until cancelled."""
        while True:
            self._ask()
            await asyncio.sleep(ASK_EVERY_S)

    async def look(self) -> None:
        """Have a report from everybody who answers within ``PATIENCE_S``."""
        since_s = _now_s()
        self._ask()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while any(heard_s < since_s for heard_s in self._heard_s.values()):
                    self._someone_spoke.clear()
                    await self._someone_spoke.wait()
        for slot in self._heard_s:
            WORKER_UP.labels(str(slot)).set(self.silence_s(slot) == 0.0)

    @property
    def reports(self) -> list[Report]:
        """Of the workers that answer, by slot."""
        found = sorted(self.totals.current.items())
        return [report for slot, report in found if self.silence_s(slot) == 0.0]

    @property
    def silent(self) -> Check:
        """Who does not answer."""
        quiet = [
            f"worker {slot} has not answered for {silence_s:.1f} s"
            for slot in sorted(self._heard_s)
            if (silence_s := self.silence_s(slot))
        ]
        return Check("workers", not quiet, "; ".join(quiet) or f"{len(self._heard_s)} answer")

    def silence_s(self, slot: int) -> float:
        """How long the worker has been silent; 0 when that is no reason to worry."""
        silence_s = max(0.001, _now_s() - self._heard_s[slot])
        is_there = slot in self.totals.current
        return silence_s if silence_s > SILENT_S or not is_there else 0.0

    def _ask(self) -> None:
        now_s = _now_s()
        for slot, box in enumerate(self._boxes):
            # Once a second at most while it does not answer: it would have to answer them all when it comes back.
            if now_s - self._asked_s.get(slot, 0.0) >= ASK_EVERY_S and send(box, ASK, None):
                self._asked_s[slot] = now_s

    def _take_report(self, said: Any, descriptors: list[int]) -> None:
        close_all(descriptors)
        report = unpack(said)
        self.totals.take(report)
        if report.slot in self._heard_s and not report.is_last:
            self._asked_s.pop(report.slot, None)
            self._heard_s[report.slot] = _now_s()
        self._someone_spoke.set()

    def _take_gone(self, said: Any, descriptors: list[int]) -> None:
        """The supervisor has buried a worker; its successor speaks when it is asked."""
        close_all(descriptors)
        self.totals.lose(int(said))
        self._asked_s.pop(int(said), None)

    def _take_boxes(self, said: Any, descriptors: list[int]) -> None:
        """There are more workers now, or fewer."""
        count = min(int(said), len(descriptors))
        close_all(descriptors[count:])
        for box in self._boxes:
            box.close()
        self._boxes = [socket.socket(fileno=one) for one in descriptors[:count]]
        now_s = _now_s()
        self._heard_s = {slot: self._heard_s.get(slot, now_s) for slot in range(count)}
        self._asked_s.clear()
        self.totals.forget_slots(count)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
