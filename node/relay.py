"""Relay: what belongs to a session of another worker of this node is passed to it, and what others pass is answered.

The kernel gives a client's datagram or connection to any worker, but a session or a pending challenge lives in one; its
id says in which (``node/slots.py``). Over UDP the owner answers the client itself, from its own socket of the same
address and port. Over TCP its answer comes back through the worker that has the connection. What was passed on once is
answered by whoever got it, so nothing can go in circles; and an owner that does not answer is gone, with its sessions.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from node.listeners.limits import is_loopback
from node.listeners.native import NativeSpeaker
from node.mailbox import (
    ANSWER,
    DATAGRAM,
    MESSAGE,
    Mailbox,
    Receive,
    close_all,
    make_mailbox,
    send,
)  # fmt: skip
from node.metrics import RELAYED
from node.native.asked import Asked
from node.service import Service
from node.slots import slot_of
from protocols.handle.envelope import ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.message import Answer
from resolver.source import Peer

ANSWER_S = 8.0
"""An owner that has not answered for so long is gone. Longer than guessing is slowed down (5 s) or a command waits for
the registrar (3 s): a wrong secret must not sound like a session that is over. The national SDK waits 10 s."""
MOST_WAITING = 256
"""Messages of this worker that others are to answer."""
MOST_BYTES = ENVELOPE_BYTES + MAX_MESSAGE_BYTES


class Relay:
    """One worker's dealings with its siblings; ``boxes`` are their mailboxes by slot, its own among them."""

    def __init__(
        self,
        slot: int,
        boxes: Mapping[int, socket.socket],
        speaker: NativeSpeaker,
        service: Service,
        udp: Sequence[socket.socket],
    ) -> None:
        self._slot, self._boxes, self._speaker, self._service = slot, boxes, speaker, service
        self._udp = udp
        self._waiting: dict[int, Callable[[bytes | None], None]] = {}
        self._last_number = 0
        self._reading, self._back = make_mailbox()
        """Where answers come to: the mailbox of the slot is the successor's as well while a reload goes on."""
        self._answers = Mailbox(self._reading, {ANSWER: self._take_answer})

    @property
    def receivers(self) -> dict[bytes, Receive]:
        """What it takes from the mailbox."""
        return {DATAGRAM: self._take_datagram, MESSAGE: self._take_message}

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
        return self._say(owner, DATAGRAM, said)

    def pass_message(
        self, owner: int, message: bytes, peer: Peer, then: Callable[[bytes | None], None]
    ) -> Callable[[], None] | None:
        """Have it answered to ``then``; None when there is no room."""
        number = self._last_number = self._last_number + 1
        said = (number, peer.address, peer.port, message)
        is_full = len(self._waiting) >= MOST_WAITING
        if is_full or not self._say(owner, MESSAGE, said, [self._back.fileno()]):
            return None
        timer = asyncio.get_running_loop().call_later(ANSWER_S, self._tell, number, None)

        def tell(answer: bytes | None) -> None:
            timer.cancel()
            then(answer)

        def forget() -> None:
            timer.cancel()
            self._waiting.pop(number, None)

        self._waiting[number] = tell
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
        number, address, port, message = said
        (back,) = descriptors
        peer = Peer(address, port, "tcp", is_loopback=is_loopback(address))

        def send_back(answer: bytes | None) -> None:
            with socket.socket(fileno=back) as box:
                send(box, ANSWER, (number, answer))

        self._answer(message, peer, MOST_BYTES, send_back)

    def _take_answer(self, said: Any, descriptors: list[int]) -> None:
        close_all(descriptors)
        number, answer = said
        self._tell(number, answer)

    def _answer(
        self, message: bytes, peer: Peer, most_bytes: int, tell: Callable[[bytes | None], None]
    ) -> None:
        """As if it had come here; others may have to be asked first."""
        self._service.refresh()
        answer = self._speaker.answer_here(message, peer, self._service.now(), most_bytes)
        if not isinstance(answer, Asked):
            tell(answer)
            return
        question = answer

        def finish(told: Answer | None) -> None:
            now = self._service.now()
            tell(told and self._speaker.finish(question, told, now, most_bytes))

        self._speaker.ask(question, self._service.now(), finish)

    def _tell(self, number: int, answer: bytes | None) -> None:
        tell = self._waiting.pop(number, None)
        if tell is not None:
            tell(answer)

    def _say(self, owner: int, kind: bytes, said: object, descriptors: Sequence[int] = ()) -> bool:
        is_said = send(self._boxes[owner], kind, said, descriptors)
        RELAYED.labels("passed" if is_said else "refused").inc()
        return is_said
