"""Session mail: any worker can have any session of the node asked, by a word to the worker that has it.

The kernel gives a client's next connection to any worker, the session stays where it was made. What is asked is small
and told at once (``Errand`` to ``State``), so it travels instead of the request: passwords, proofs and bodies stay
where they came in. A worker that does not answer in time is gone, and its sessions with it: clients log in again.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from node.http.sessions import Errand, Sessions, State, owner_of
from node.mailbox import ANSWER, SESSION, Mailbox, Receive, close_all, make_mailbox, send

ANSWER_S = 1.0
"""A sibling whose event loop comes later than this is as good as gone."""
MOST_WAITING = 256
"""Errands of this worker that others are to do."""


class SessionMail:
    """One worker's; ``boxes`` are the mailboxes of all workers by slot, its own among them."""

    def __init__(
        self,
        slot: int,
        boxes: Mapping[int, socket.socket],
        sessions: Sessions,
        monotonic_s: Callable[[], float],
        answer_s: float = ANSWER_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.sessions = sessions
        self._slot, self._boxes, self._monotonic_s = slot, boxes, monotonic_s
        self._answer_s, self._most_waiting = answer_s, most_waiting
        self._waiting: dict[int, asyncio.Future[State | None]] = {}
        self._last_number = 0
        self._return: _Return | None = None
        """Where answers come to: the mailbox of the slot is the successor's as well while a reload goes on."""

    @property
    def receivers(self) -> dict[bytes, Receive]:
        """What it takes from the mailbox of its slot."""
        return {SESSION: self._take_errand}

    def open(self, address: str) -> State | None:
        """A new session of this worker; None when there is no room."""
        return self.sessions.open(address, self._monotonic_s())

    async def do(self, errand: Errand) -> State | None:
        """What became of the session, wherever it is; None when it is nowhere."""
        owner = owner_of(errand.id)
        if owner == self._slot:
            return self.sessions.do(errand, self._monotonic_s())
        if owner is None or owner not in self._boxes or len(self._waiting) >= self._most_waiting:
            return None
        return await self._ask(owner, errand)

    def close(self) -> None:
        """Read no more; who still waits is told that there is no such session."""
        for told in self._waiting.values():
            if not told.done():
                told.set_result(None)
        if self._return is not None:
            self._return.close()
            self._return = None

    async def _ask(self, owner: int, errand: Errand) -> State | None:
        if self._return is None:
            self._return = _Return(self._take_answer)
        number = self._last_number = self._last_number + 1
        if not send(self._boxes[owner], SESSION, (number, *errand), [self._return.descriptor]):
            return None
        told: asyncio.Future[State | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = told
        try:
            return await asyncio.wait_for(told, self._answer_s)
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]

    def _take_errand(self, said: Any, descriptors: list[int]) -> None:
        """A sibling asks."""
        (back,) = descriptors
        with socket.socket(fileno=back) as box:
            number, *errand = said
            state = self.sessions.do(Errand(*errand), self._monotonic_s())
            send(box, ANSWER, (number, state))

    def _take_answer(self, said: Any, descriptors: list[int]) -> None:
        close_all(descriptors)
        number, state = said
        told = self._waiting.get(number)
        if told is not None and not told.done():
            told.set_result(None if state is None else State(*state))


class _Return:
    """The way back for answers, made when the first one is expected."""

    def __init__(self, take_answer: Receive) -> None:
        self._reading, self._back = make_mailbox()
        self._answers = Mailbox(self._reading, {ANSWER: take_answer})
        self._answers.start()
        self.descriptor = self._back.fileno()

    def close(self) -> None:
        self._answers.stop()
        self._reading.close()
        self._back.close()
