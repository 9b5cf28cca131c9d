"""Relay: what belongs to a session of another worker of this node is passed to it, and what others pass is answered.

The kernel gives a client's datagram or connection to any worker, but a session or a pending challenge lives in one; its
id says in which (``node/slots.py``). Over UDP the owner answers the client itself, from its own socket of the same
address and port. Over TCP its answer comes back through the worker that has the connection. What was passed on once is
answered by whoever got it, so nothing can go in circles; and an owner that does not answer is gone, with its sessions.
Of one that dies the supervisor tells at once.

A list is told in parts: the owner makes one, sends it, and makes the next when the client has taken it. So each worker
holds one part of a list at most, and a client that does not read holds up nobody else::

    client       worker of the connection      owner of the session
    request ->   MESSAGE                  ->
            <-                            <-   PART     (and a way to say TAKEN)
                 TAKEN                    ->            once the client has room for more
            <-                            <-   ANSWER   the last message
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from node.listeners.limits import is_loopback
from node.listeners.native import NativeSpeaker
from node.mailbox import (
    ANSWER,
    DATAGRAM,
    GONE,
    MESSAGE,
    PART,
    TAKEN,
    Mailbox,
    Receive,
    close_all,
    make_mailbox,
    send,
)  # fmt: skip
from node.metrics import RELAYED
from node.native.asked import Asked, Relayed
from node.native.link import Link
from node.service import Service
from node.slots import slot_of
from protocols.handle.envelope import ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.message import Answer
from resolver.source import Peer

ANSWER_S = 8.0
"""An owner that has not answered, or sent the next part, for so long is gone. Longer than guessing is slowed down (5 s)
or a command waits for the registrar (3 s): a wrong secret must not sound like a session that is over. The national SDK
waits 10 s."""
TAKEN_S = 60.0
"""For so long a client may take one part; the worker of the connection drops one that takes nothing for 10 s."""
MOST_WAITING = 256
"""Messages of this worker that others are to answer."""
MOST_BYTES = ENVELOPE_BYTES + MAX_MESSAGE_BYTES
SEND_TRIES, SEND_EVERY_S = 100, 0.01
"""A mailbox that is full now has room as soon as its worker has its turn."""


class _Passed:
    """A message that a sibling is to answer."""

    def __init__(
        self, relayed: Relayed, then: Callable[[bytes | None], None], answer_s: float
    ) -> None:
        self.owner, self.send_part, self.then = relayed.owner, relayed.send_part, then
        self._answer_s = answer_s
        self.sending: asyncio.Task[None] | None = None
        """A part on its way to the client."""
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def wait(self) -> None:
        """For the owner, who is gone when it says nothing."""
        if self._is_over:  # the client has left when it had just taken its part
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._answer_s, self.then, None)

    def stop_waiting(self) -> None:
        """It is the client's turn, or everything is said."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Nothing more of it goes to the client."""
        self._is_over = True
        self.stop_waiting()
        if self.sending is not None:
            self.sending.cancel()


class _Part(NamedTuple):
    """A part of a list on its way to a sibling's client."""

    asker: int
    """The slot of the sibling."""
    taken: "asyncio.Future[bool]"


class Relay:
    """One worker's dealings with its siblings; ``boxes`` are their mailboxes by slot, its own among them."""

    def __init__(  # noqa: PLR0913  # the parts of a worker, and its patience
        self,
        slot: int,
        boxes: Mapping[int, socket.socket],
        speaker: NativeSpeaker,
        service: Service,
        udp: Sequence[socket.socket],
        answer_s: float = ANSWER_S,
        taken_s: float = TAKEN_S,
    ) -> None:
        self._slot, self._boxes, self._speaker, self._service = slot, boxes, speaker, service
        self._udp, self._answer_s, self._taken_s = udp, answer_s, taken_s
        self._waiting: dict[int, _Passed] = {}
        self._parts: dict[int, _Part] = {}
        """Until their clients have taken them; one for each deed at most."""
        self._late: set[asyncio.Task[None]] = set()
        """Words for which there was no room at once."""
        self._last_number = 0
        self._reading, self._back = make_mailbox()
        """Where answers come to: the mailbox of the slot is the successor's as well while a reload goes on."""
        self._answers = Mailbox(
            self._reading,
            {ANSWER: self._take_answer, PART: self._take_part, TAKEN: self._take_taken},
        )

    @property
    def receivers(self) -> dict[bytes, Receive]:
        """What it takes from the mailbox."""
        return {
            DATAGRAM: self._take_datagram,
            MESSAGE: self._take_message,
            GONE: self._take_gone,
        }

    def start(self) -> None:
        """Begin to read answers."""
        self._answers.start()

    def stop(self) -> None:
        """Read no more; who still waits has been told or dropped."""
        self._answers.stop()
        self._reading.close()
        self._back.close()

    # what the speaker calls (``Siblings``)

    def owner_of(self, session_id: int) -> int | None:
        """The slot of the sibling that made the id."""
        slot = slot_of(session_id)
        return slot if slot in self._boxes and slot != self._slot else None

    def pass_datagram(
        self, owner: int, place: int, message: bytes, peer: Peer, most_bytes: int
    ) -> bool:
        """Have it answered by the owner's own socket ``place``."""
        said = (place, peer.address, peer.port, most_bytes, message)
        return self._pass(owner, DATAGRAM, said)

    def pass_message(
        self, relayed: Relayed, then: Callable[[bytes | None], None]
    ) -> Callable[[], None] | None:
        """Have it answered to ``then``; None when there is no room."""
        number, peer = self._next_number(), relayed.peer
        takes_parts = relayed.send_part is not None
        said = (number, self._slot, peer.address, peer.port, relayed.message, takes_parts)
        is_full = len(self._waiting) >= MOST_WAITING
        if is_full or not self._pass(relayed.owner, MESSAGE, said, [self._back.fileno()]):
            return None

        def tell(answer: bytes | None) -> None:
            forget()
            then(answer)

        def forget() -> None:
            if self._waiting.pop(number, None) is not None:
                passed.end()

        passed = self._waiting[number] = _Passed(relayed, tell, self._answer_s)
        passed.wait()
        return forget

    # what comes by mail

    def _take_datagram(self, said: Any, descriptors: list[int]) -> None:
        close_all(descriptors)
        place, address, port, most_bytes, message = said
        if place >= len(self._udp):  # its addresses are those of other settings
            return
        sock = self._udp[place]

        def send_back(answer: bytes | None) -> None:
            if answer is not None:
                with suppress(OSError):  # the client asks again
                    sock.sendto(answer, (address, port))

        peer = Peer(address, port, "udp", is_loopback=is_loopback(address))
        self._answer(message, peer, most_bytes, send_back)

    def _take_message(self, said: Any, descriptors: list[int]) -> None:
        number, asker, address, port, message, takes_parts = said
        (back,) = descriptors
        box = socket.socket(fileno=back)
        peer = Peer(address, port, "tcp", is_loopback=is_loopback(address))

        async def send_part(part: bytes) -> None:
            await self._send_part(box, asker, number, part)

        def send_back(answer: bytes | None) -> None:
            self._say_last(box, ANSWER, (number, answer))

        link = Link(send_part, is_elsewhere=True) if takes_parts else None
        self._answer(message, peer, MOST_BYTES, send_back, link)

    def _take_answer(self, said: Any, descriptors: list[int]) -> None:
        close_all(descriptors)
        number, answer = said
        passed = self._waiting.get(number)
        if passed is not None:
            passed.then(answer)

    def _take_gone(self, said: Any, descriptors: list[int]) -> None:
        """The supervisor has buried the worker in this slot: it answers nothing any more, and its clients are gone."""
        close_all(descriptors)
        for passed in [one for one in self._waiting.values() if one.owner == said]:
            passed.then(None)
        for part in self._parts.values():
            if part.asker == said and not part.taken.done():
                part.taken.set_result(False)

    # parts of a list

    async def _send_part(self, box: socket.socket, asker: int, number: int, part: bytes) -> None:
        """To the worker that has the client. Raises ``ConnectionResetError`` when one of them is gone, or too slow."""
        receipt = self._next_number()
        taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._parts[receipt] = _Part(asker, taken)
        try:
            async with asyncio.timeout(self._taken_s):
                said = (number, receipt, part)
                if await _say(box, PART, said, [self._back.fileno()]) and await taken:
                    return
        except TimeoutError:
            pass
        finally:
            del self._parts[receipt]
        raise ConnectionResetError

    def _take_part(self, said: Any, descriptors: list[int]) -> None:
        number, receipt, part = said
        (back,) = descriptors
        box = socket.socket(fileno=back)
        passed = self._waiting.get(number)
        if passed is None or passed.send_part is None:  # the client has left
            self._say_last(box, TAKEN, (receipt, False))
            return
        passed.stop_waiting()
        passed.sending = asyncio.get_running_loop().create_task(passed.send_part(part))
        passed.sending.add_done_callback(partial(self._handed_on, passed, box, receipt))

    def _handed_on(
        self, passed: _Passed, box: socket.socket, receipt: int, sending: "asyncio.Task[None]"
    ) -> None:
        """The client has room for more, or has left; now it is the owner's turn."""
        error = None if sending.cancelled() else sending.exception()
        is_taken = error is None and not sending.cancelled()
        passed.wait()
        self._say_last(box, TAKEN, (receipt, is_taken))
        if error is not None and not isinstance(error, ConnectionResetError):
            raise error

    def _take_taken(self, said: Any, descriptors: list[int]) -> None:
        close_all(descriptors)
        receipt, is_taken = said
        part = self._parts.get(receipt)
        if part is not None and not part.taken.done():
            part.taken.set_result(is_taken)

    def _answer(
        self,
        message: bytes,
        peer: Peer,
        most_bytes: int,
        tell: Callable[[bytes | None], None],
        link: Link | None = None,
    ) -> None:
        """As if it had come here; others may have to be asked first."""
        self._service.refresh()
        answer = self._speaker.answer_here(message, peer, self._service.now(), most_bytes, link)
        if not isinstance(answer, Asked):
            tell(answer)
            return
        question = answer

        def finish(told: Answer | None) -> None:
            now = self._service.now()
            tell(told and self._speaker.finish(question, told, now, most_bytes))

        self._speaker.ask(question, self._service.now(), finish)

    def _say_last(self, box: socket.socket, kind: bytes, said: object) -> None:
        """At once if there is room; then the way back is closed."""
        if send(box, kind, said):
            box.close()
            return

        async def say_late() -> None:
            with box:
                await _say(box, kind, said)

        task = asyncio.get_running_loop().create_task(say_late())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _pass(self, owner: int, kind: bytes, said: object, descriptors: Sequence[int] = ()) -> bool:
        is_said = send(self._boxes[owner], kind, said, descriptors)
        RELAYED.labels("passed" if is_said else "refused").inc()
        return is_said


async def _say(
    box: socket.socket, kind: bytes, said: object, descriptors: Sequence[int] = ()
) -> bool:
    """Say something to a worker whose mailbox may be full for a moment; False when it stays so, or nobody is there."""
    for _ in range(SEND_TRIES):
        if send(box, kind, said, descriptors):
            return True
        await asyncio.sleep(SEND_EVERY_S)
    return False
