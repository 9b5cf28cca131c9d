"""One native TCP connection: bytes in, answers out in the order of the questions, bounds in between.

What is at hand is answered in the callback that brought the question. A few questions may wait for other nodes at a
time; what is answered meanwhile is kept behind them, because clients match answers by their order (RFC 3652 §2.1). What
is worked at (a login, a change, anything of a session) is finished before the next request is looked at.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from node.config_sections import LimitsSection
from node.listeners.handover import HandOver, pass_on
from node.listeners.limits import ByteBudget, ProvenAddresses, Slots, is_loopback
from node.listeners.native import NativeSpeaker
from node.metrics import NATIVE_FAULTS
from node.native.asked import Asked, Deed, Relayed
from node.native.link import Link
from node.service import TOO_LATE, Service, forget_nothing
from node.site import SiteInfo
from protocols.handle.codec import encode
from protocols.handle.codes import ResponseCode
from protocols.handle.envelope import ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.handle.fast import plain_answer, plain_question, remembered_question
from protocols.handle.header import DEFAULT_EXPIRATION_S
from protocols.handle.stream import MessageStream
from protocols.message import Answer
from protocols.record import DELETED, NO_VALUES, public_offset
from resolver.source import Now, Peer

STALLED_S = 10.0
"""A client that takes nothing of its answers for so long is dropped."""
MOST_ANSWER_BYTES = MAX_MESSAGE_BYTES + ENVELOPE_BYTES
MOST_OWED = 8
"""Answers of one connection that wait for other nodes, or stand behind one that does; nodes pipeline so many."""
MOST_BEHIND_BYTES = 8192
"""Requests of one connection not yet begun because of these; above it the client is not read from."""
BEGUN = b""
"""In place of an answer: another node is asked."""


class Door(Protocol):
    """What a connection asks of its listener."""

    service: Service
    speaker: NativeSpeaker
    site: SiteInfo
    proven: ProvenAddresses
    limits: LimitsSection
    request_limits: dict[int, int]
    slots: Slots
    partial: ByteBudget
    connections: "set[Connection]"
    hits: int
    remembered: int


class Owed:
    """An answer that is not sent yet, at its place in the order."""

    __slots__ = ("_connection", "answer", "asked", "forget")

    def __init__(self, connection: "Connection", asked: Asked | None, answer: bytes = b"") -> None:
        self._connection = connection
        self.asked = asked
        """What another node is asked; None when the answer only stands behind such a one."""
        self.answer = answer
        """Empty while unknown."""
        self.forget: Callable[[], None] = forget_nothing

    @property
    def is_worked_at(self) -> bool:
        """Whether a worker of this node makes it and has not made it yet; there is one at most.

        What comes behind it has to wait: it may change who is speaking, and what there is to be read.
        """
        return not self.answer and isinstance(self.asked, Deed | Relayed)

    def then(self, answer: Answer | None) -> None:
        """Another node has answered."""
        self._connection.tell(self, answer or TOO_LATE)


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, listener: Door) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._link = Link(self._send_part)
        self._may_send = asyncio.Event()
        """Set whenever the client has taken something, or an answer has come to its turn."""
        self._peer = Peer("", 0, "tcp", is_loopback=False)
        limits = listener.limits
        self._stream = MessageStream(listener.request_limits, limits.message_bytes)
        self._messages: deque[bytes] = deque()
        """Whole requests not yet begun: the client takes its answers slowly, or enough is owed already."""
        self._owed: deque[Owed] = deque()
        """Answers not yet sent; the first waits for another node, or for the client to take some."""
        self._booked_bytes = 0
        self._is_paused = self._is_counted = self._is_closing = False
        self._is_held = self._is_asking = self._is_ending = False
        self._partial_since_s = self._paused_since_s = 0.0
        self._unread_seen_bytes = 0
        self._last_s = listener.service.now().monotonic_s

    @property
    def unread_bytes(self) -> int:
        """Answers the client has not taken, or could not be given yet."""
        unsent = sum(len(one.answer) for one in self._owed)
        return unsent + (self._transport.get_write_buffer_size() if self._transport else 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop: a peer is there."""
        transport = self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername") or ("", 0)
        self._peer = Peer(name[0], name[1], "tcp", is_loopback=is_loopback(name[0]))
        refusal = self._listener.slots.take(self._peer.address)
        if refusal:
            self.drop(refusal)
            return
        self._is_counted = True
        self._listener.connections.add(self)
        self._listener.proven.prove(self._peer.address, self._last_s)
        transport.set_write_buffer_limits(high=self._listener.limits.unread_answer_bytes)

    def connection_lost(self, _: Exception | None) -> None:
        """The event loop: the peer is gone."""
        self._transport = None
        self._may_send.set()
        self._messages.clear()
        while self._owed:
            self._owed.popleft().forget()
        self._book(0)
        self._listener.connections.discard(self)
        if self._is_counted:
            self._is_counted = False
            self._listener.slots.give_back(self._peer.address)

    def data_received(self, data: bytes) -> None:
        """The event loop: bytes came."""
        if self._is_ending:
            return
        now = self._listener.service.now()
        self._messages.extend(self._stream.receive(data))
        held = self._stream.buffered_bytes
        if held and not (self._partial_since_s and len(data) < held):
            # The first bytes of the request that is now unfinished.
            self._partial_since_s = now.monotonic_s
        elif not held:
            self._partial_since_s = 0.0
        self._last_s = now.monotonic_s
        fits = self._listener.partial.change(held - self._booked_bytes)
        self._booked_bytes = held
        if not fits and held:
            self.drop("partial-budget")
            return
        self._answer_all(now)

    def eof_received(self) -> bool:
        """The event loop: the peer sends no more; True keeps our side open."""
        self._is_ending = True  # half-closed: what was asked is answered, then we close too
        return bool(self._messages or self._owed)

    def pause_writing(self) -> None:
        """The event loop: the peer takes its answers slowly."""
        self._is_paused = True
        self._paused_since_s = self._listener.service.now().monotonic_s
        if self._transport is not None:
            self._unread_seen_bytes = self.unread_bytes
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The event loop: the peer has taken most of what was written."""
        self._is_paused = False
        self._may_send.set()
        now = self._listener.service.now()
        self._answer_all(now)
        if not self._is_paused and not self._is_held:
            self._resume_reading()

    def look(self, monotonic_s: float, idle_s: float) -> None:
        """Close or drop the connection if its time is up."""
        is_closing = self._transport is not None and self._transport.is_closing()
        if is_closing and not self._is_closing:  # it ends when the client has taken what is written
            self._is_closing, self._paused_since_s = True, monotonic_s
            self._unread_seen_bytes = self.unread_bytes
        if self._is_paused or is_closing:
            if self.unread_bytes < self._unread_seen_bytes:
                self._paused_since_s = monotonic_s
            self._unread_seen_bytes = self.unread_bytes
            if monotonic_s - self._paused_since_s >= STALLED_S:
                self.drop("slow-reader")
        elif self._partial_since_s:
            if monotonic_s - self._partial_since_s >= self._listener.limits.tcp_request_s:
                self.drop("slow-request")
        elif monotonic_s - self._last_s >= idle_s:
            self.close_if_resting()

    @property
    def _is_resting(self) -> bool:
        """Between requests."""
        return not (self._messages or self._owed or self._stream.buffered_bytes)

    def close_if_resting(self) -> None:
        """Close between requests; bytes on their way to the client still arrive."""
        if self._transport is not None and self._is_resting:
            self._transport.close()

    def give_to(self, hand_over: HandOver) -> None:
        """Hand the connection over if it rests and the client has its answers.

        One that somebody is logged in on is closed instead: its clients open another and log in there, while a
        successor that knows nothing of the login would refuse what they ask.
        """
        if self._link.logins or self._link.pending:
            self.close_if_resting()
        elif self._transport is not None and self._is_resting and not self._is_ending:
            pass_on(self._transport, hand_over)

    def drop(self, reason: str) -> None:
        """Close at once."""
        NATIVE_FAULTS.labels("tcp", reason).inc()
        if self._transport is not None:
            self._transport.abort()

    def tell(self, owed: Owed, answer: Answer) -> None:
        """Another node has answered what was owed."""
        listener, asked = self._listener, owed.asked
        assert asked is not None
        now = listener.service.now()
        encoded = listener.speaker.finish(asked, answer, now, MOST_ANSWER_BYTES)
        assert encoded, "over TCP every answer fits, an error if nothing else"
        owed.answer = encoded
        self._last_s = now.monotonic_s
        if not self._is_asking:
            self._answer_all(now)

    def _answer_all(self, now: Now) -> None:
        """Answer what waits, in one write, until the client has enough to read or something waits for other nodes."""
        transport, high = self._transport, self._listener.limits.unread_answer_bytes
        if transport is None or transport.is_closing():
            return
        if self._messages:
            self._listener.service.refresh()
        while self._messages and not self._is_paused and not self._owed:
            answers: list[bytes] = []
            size = 0
            while self._messages and size < high:
                answer = self._answer(self._messages.popleft(), now)
                if not answer:
                    if answer is None:
                        self._end_confused()
                    break
                answers.append(answer)
                size += len(answer)
            transport.write(b"".join(answers))
        if self._owed or self._is_held:
            self._answer_behind(transport, now, high)
        if self._is_ending or self._stream.failure is not None:
            self._end(transport, now)

    def _answer_behind(self, transport: asyncio.Transport, now: Now, high: int) -> None:
        """Send what is known, begin what may be begun, while answers are owed."""
        while not self._is_paused:
            self._send_owed(transport)
            if not self._begin_behind(now, high):
                break
        self._hold()

    def _begin_behind(self, now: Now, high: int) -> bool:
        """Some more requests; False when all there are have to wait."""
        known = sum(len(one.answer) for one in self._owed)
        began = False
        while self._messages and len(self._owed) < MOST_OWED and known < high:
            if any(one.is_worked_at for one in self._owed):
                break
            answer = self._answer(self._messages.popleft(), now)
            began = True
            if answer is None:
                self._end_confused()
            elif answer:
                self._owed.append(Owed(self, None, answer))
                known += len(answer)
        return began

    def _end(self, transport: asyncio.Transport, now: Now) -> None:
        """Close, if everything is answered; a broken stream is told why."""
        if self._messages or self._owed:
            return
        if self._stream.failure is not None:
            self._give_up(transport, now)
        else:
            transport.close()

    def _end_confused(self) -> None:
        """A response where a request belongs: the peer is confused or playing."""
        self._messages.clear()
        self._is_ending = True

    def _send_owed(self, transport: asyncio.Transport) -> None:
        """What is known of it, in order."""
        answers = []
        while self._owed and self._owed[0].answer:
            answers.append(self._owed.popleft().answer)
        if answers:
            transport.write(b"".join(answers))
            self._may_send.set()

    def _hold(self) -> None:
        """Count requests that wait behind others, and do not read more than a few of them."""
        behind = sum(map(len, self._messages)) if self._owed else 0
        if not self._book(self._stream.buffered_bytes + behind) and behind:
            self.drop("partial-budget")
        elif behind > MOST_BEHIND_BYTES and not self._is_held:
            self._is_held = True
            if self._transport is not None:
                self._transport.pause_reading()
        elif behind <= MOST_BEHIND_BYTES and self._is_held:
            self._is_held = False
            if not self._is_paused:
                self._resume_reading()

    async def _send_part(self, part: bytes) -> None:
        """The beginning of the answer that is worked at, in its turn. Raises ``ConnectionResetError``."""
        while True:
            if self._transport is None or self._transport.is_closing():
                raise ConnectionResetError
            working = next((one for one in self._owed if one.is_worked_at), None)
            if working is not None and working is self._owed[0] and not self._is_paused:
                self._transport.write(part)
                self._last_s = self._listener.service.now().monotonic_s
                await asyncio.sleep(
                    0
                )  # others have their turn, and so has a client that does not read
                return
            self._may_send.clear()
            await self._may_send.wait()

    def _book(self, held_bytes: int) -> bool:
        """Count what is kept of unfinished or waiting requests; False when all connections keep too much."""
        fits = self._listener.partial.change(held_bytes - self._booked_bytes)
        self._booked_bytes = held_bytes
        return fits

    def _resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _answer(self, message: bytes, now: Now) -> bytes | None:
        """The answer; ``BEGUN`` = it is owed; None = the message is none that has one."""
        listener = self._listener
        question = plain_question(message)
        if question is not None:
            stored = listener.service.reader.stored(question[0])
            if stored is not None and not stored[1] & DELETED:
                public = stored[public_offset(stored) :]
                if public != NO_VALUES:
                    listener.hits += 1
                    expiration_s = int(now.wall_s) + DEFAULT_EXPIRATION_S
                    return plain_answer(question, public, listener.site.serial, expiration_s)
            elif (
                stored is None
                and (values := listener.service.remembered(question[0], now.monotonic_s))
                and self._peer.address in listener.service.recursion_networks
                and (asked := remembered_question(message, question)) is not None
            ):
                listener.remembered += 1
                expiration_s = int(now.wall_s) + DEFAULT_EXPIRATION_S
                return plain_answer(asked, values, listener.site.serial, expiration_s)
        answer = listener.speaker.answer(message, self._peer, now, MOST_ANSWER_BYTES, self._link)
        if not isinstance(answer, Asked):
            return answer
        owed = Owed(self, answer)
        self._owed.append(owed)
        self._is_asking = True  # who is told at once is answered in its turn
        owed.forget = listener.speaker.ask(answer, now, owed.then)
        self._is_asking = False
        return BEGUN

    def _give_up(self, transport: asyncio.Transport, now: Now) -> None:
        """The stream is broken and cannot be cut into messages any more: say why, if we can, and close."""
        NATIVE_FAULTS.labels("tcp", "broken-stream").inc()
        head = self._stream.failed_head
        if head is not None and head.header.is_request:
            text = str(self._stream.failure)
            refusal = self._listener.speaker.refusal(head, ResponseCode.PROTOCOL_ERROR, text, now)
            transport.write(encode(refusal))
        transport.close()
