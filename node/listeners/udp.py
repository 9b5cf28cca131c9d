"""Native UDP: datagrams in, datagrams out, on our own non-blocking socket.

The hot path is all here: a plain public question for a stored record is read, looked up and answered without a task, an
await, a log line or an object of ours. Before an address is proved it gets at most three bytes for each one it sent, so
the node is useless to whoever forges senders (RFC 9000 §8); what is larger becomes RC 2, and clients go to TCP.
What another node must be asked waits as a ``Late`` and is answered when that node has; the same bounds hold then.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import starmap

from node.config_check import MAX_WAITING_DATAGRAMS
from node.config_sections import LimitsSection
from node.lane.udp import SOURCE_IS_FREE, SOURCE_IS_PROVEN, SOURCE_MAY_RECURSE, Udp, make_udp
from node.listeners.limits import ProvenAddresses, is_loopback
from node.listeners.native import NativeSpeaker
from node.listeners.stale import Room
from node.metrics import NATIVE_FAULTS
from node.native.asked import Asked
from node.native.office import USE_TCP
from node.overload import MOST_WAIT_S
from node.service import Service, forget_nothing
from node.site import SiteInfo
from protocols.handle.codes import RESPONSE_CODES, ResponseCode
from protocols.handle.envelope import Action, accept
from protocols.handle.fast import (
    PlainQuestion,
    plain_answer,
    plain_error,
    plain_question,
    remembered_question,
)
from protocols.handle.header import DEFAULT_EXPIRATION_S
from protocols.message import Answer, Outcome
from protocols.record import BODY_OFFSET, DELETED, NO_VALUES, PARTS, public_offset
from resolver.policies.ratelimit import RateLimit
from resolver.source import Peer

DATAGRAMS_PER_WAKEUP = 64
"""Then the loop looks at other sockets; a flood must not starve TCP and HTTP."""
LATE_S = 0.05
"""A loop that comes so late leaves datagrams waiting; the turns it takes for them are made longer."""
LATE_BATCHES = 7
"""So many more at a time: some 3 ms of a turn that took 50."""
RECEIVE_BYTES = 4096
"""Requests are 512 bytes at most (RFC 3652 §2.3); what fills this was cut and is sent to TCP."""

TOO_MANY = Answer(
    Outcome.BUSY, reason="too many questions wait for other nodes", is_authoritative=False
)

_BATCH = (RECEIVE_BYTES,) * DATAGRAMS_PER_WAKEUP
_BUSY = RESPONSE_CODES[Outcome.BUSY].to_bytes(4)
_ABSENT = RESPONSE_CODES[Outcome.NOT_FOUND].to_bytes(4)
_Datagram = tuple[bytes, tuple[str, int]]


class UdpListener:
    """One socket of one worker. Its counts are plain integers that the metrics read."""

    def __init__(  # noqa: PLR0913  # everything a datagram meets
        self,
        sock: socket.socket,
        service: Service,
        speaker: NativeSpeaker,
        site: SiteInfo,
        proven: ProvenAddresses,
        rate: RateLimit,
        limits: LimitsSection,
    ) -> None:
        self._socket = sock
        self._service, self._speaker, self._site, self._proven = service, speaker, site, proven
        self._rate = rate
        self._most_bytes = limits.udp_answer_bytes
        self._amplification = limits.udp_amplification
        self._late: set[Late] = set()
        """Questions that wait for other nodes."""
        self._all_told: asyncio.Event | None = None
        """While draining: set when none is left."""
        self._limits = limits
        self._lane: Udp | None = None
        self._serve_batch = self._serve
        self._is_behind = False
        self._hits = self._remembered = self._unsent = self._refused = 0
        self.absent = self.over_budget = self.too_large = 0
        """Refusals of the short way: not registered here; nobody may be asked; only by TCP."""

    @property
    def hits(self) -> int:
        """Answers of the hot path."""
        return self._hits + (self._lane.hits if self._lane else 0)

    @property
    def remembered(self) -> int:
        """Answers of other nodes, from the hot path."""
        return self._remembered + (self._lane.remembered if self._lane else 0)

    @property
    def unsent(self) -> int:
        """Answers the kernel did not take; the client asks again."""
        return self._unsent + (self._lane.unsent if self._lane else 0)

    @property
    def refused(self) -> int:
        """Questions of sources over their rate."""
        return self._refused + (self._lane.refused if self._lane else 0)

    def start(self) -> None:
        """Begin to receive."""
        self._room = Room(self._socket)
        self._lane = make_udp(
            self._socket, self._rate, self._limits, self._know, self._service.memo
        )
        if self._lane is not None:
            self._serve_batch = self._serve_by_lane
        asyncio.get_running_loop().add_reader(self._socket, self._wake_up)

    def stop(self) -> None:
        """Receive no more; what waits in the socket is for the successor."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._room.give_back()

    async def drain(self, drain_s: float) -> None:
        """After ``stop``: answer what waits for other nodes, for ``drain_s`` seconds at most."""
        self._all_told = asyncio.Event()
        if self._late:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_told.wait(), drain_s)
        for late in tuple(self._late):
            late.forget()
        self._late.clear()

    def tell(self, late: "Late", answer: Answer | None) -> None:
        """Another node has answered; None = too late to be of use."""
        self._late.discard(late)
        if self._all_told is not None and not self._late:
            self._all_told.set()
        if answer is not None:
            now = self._service.now()
            most = self._most(late.address[0], late.size, now.monotonic_s)
            encoded = self._speaker.finish(late.asked, answer, now, most)
            if encoded is not None:
                self._send([(encoded, late.address)])

    def look(self) -> None:
        """Some times a second: is there a queue? Then the old of it is dropped at the next wake-up, if it is old."""
        self._is_behind = self._room.much_waits()

    def _wake_up(self) -> None:
        """Something waits in the socket. When the loop comes late, more is answered at a time."""
        if self._is_behind:
            self._is_behind = False
            self._serve_batch()  # the last of these tells how old the queue is
            self._drop_old()
        if self._service.overload.lag_s > LATE_S:
            for _ in range(LATE_BATCHES):
                self._serve_batch()
        self._serve_batch()

    def _drop_old(self) -> None:
        wall_s = self._service.now().wall_s
        received, count = self._room.receive_fresh(RECEIVE_BYTES, wall_s, MOST_WAIT_S)
        self._service.overload.stale += count
        self._send(self._answers(received))

    def _serve_by_lane(self) -> None:
        """The same with the compiled part: what is not a plain hit comes back from it."""
        assert self._lane is not None
        service = self._service
        try:
            service.refresh()
            hosted, get, snapshot = service.reader.at_hand()
        except Exception:
            self._receive()  # and lose it, as ``_serve`` does: else the loop is woken for it over and over
            raise
        now_s, wall_s = service.now()
        expiration_s = int(wall_s) + DEFAULT_EXPIRATION_S
        left = self._lane.serve(
            hosted, get, snapshot, service.remembered, now_s, self._site.serial, expiration_s
        )
        if left is not None:
            others, over_rate = left
            answers = self._answers(others, is_counted=True) if others else []
            for data, address in over_rate:
                refusal = self._tell_over_rate(data)
                if refusal is not None:
                    answers.append((refusal, address))
            self._send(answers)

    def _know(self, host: str) -> int:
        """For the compiled part: what holds for an address as long as the settings do."""
        return (
            SOURCE_IS_FREE * self._rate.is_free(host)
            | SOURCE_MAY_RECURSE * (host in self._service.recursion_networks)
            | SOURCE_IS_PROVEN * self._proven.is_always_proven(host)
        )

    def _serve(self) -> None:
        """Receive what waits, answer it all, send it all.

        In this order because a system call leaves the processor's caches and predictors cold: measured, going through
        receive, answer and send for each datagram in turn takes half as long again.
        """
        received = self._receive()
        self._service.refresh()
        self._send(self._answers(received))

    def _receive(self) -> list[_Datagram]:
        received: list[_Datagram] = []
        try:
            # Whatever ``extend`` got before the socket was empty stays in the list.
            received.extend(map(self._socket.recvfrom, _BATCH))
        except BlockingIOError:
            pass
        except OSError:
            self._unsent += 1  # an earlier answer was refused by its receiver (ICMP)
        return received

    def _answers(  # noqa: C901  # in one piece, because each call counts here
        self, received: list[tuple[bytes, tuple[str, int]]], *, is_counted: bool = False
    ) -> list[_Datagram]:
        """The hot path, with local names; ``is_counted``: the sources' rates have been charged with these already."""
        reader, rate = self._service.reader, self._rate
        stored_of = reader.stored
        serial, most_bytes, amplification = self._site.serial, self._most_bytes, self._amplification
        now_s, wall_s = self._service.now()
        expiration_s = int(wall_s) + DEFAULT_EXPIRATION_S
        answers: list[_Datagram] = []
        slow_count = 0
        host, bucket = "", None
        for data, address in received:
            if address[0] != host:  # bursts come from few sources
                host = address[0]
                bucket = None if is_counted else rate.filled(host, now_s)
            if bucket is not None:
                if bucket.tokens < 1.0:
                    slow_count += 1
                    refusal = self._over_rate(data)
                    if refusal is not None:
                        answers.append((refusal, address))
                    continue
                bucket.tokens -= 1.0
            question, stored = plain_question(data), None
            if question is not None:
                stored = stored_of(question[0])
                if stored is not None and not (flags := stored[1]) & DELETED:
                    public = stored[public_offset(stored) if flags & PARTS else BODY_OFFSET :]
                    answer = plain_answer(question, public, serial, expiration_s)
                    size = len(answer)
                    if (
                        size <= most_bytes
                        and public != NO_VALUES
                        and (size <= amplification * len(data) or self._is_proven(host))
                    ):
                        answers.append((answer, address))
                        continue
                    if public != NO_VALUES:
                        slow_count += 1
                        answers += self._too_large(data, address, now_s)
                        continue
            slow_count += 1
            other = None
            if question is not None and stored is None:
                other = self._remembered_answer(question, data, host, now_s, expiration_s)
                if other is None:
                    other = self._refusal(question, data, host, now_s, expiration_s)
            other = other or self._answer(data, address)
            if other is not None:
                answers.append((other, address))
        self._hits += len(received) - slow_count
        return answers

    def _remembered_answer(
        self, question: PlainQuestion, data: bytes, host: str, now_s: float, expiration_s: int
    ) -> bytes | None:
        """What another node told, if it is at hand and this source may hear it; None = look further."""
        values = self._service.remembered(question[0], now_s)
        if values is None or host not in self._service.recursion_networks:
            return None
        asked = remembered_question(data, question)
        if asked is None:
            return None
        answer = plain_answer(asked, values, self._site.serial, expiration_s)
        size = len(answer)
        if size <= self._most_bytes and (
            size <= self._amplification * len(data) or self._is_proven(host)
        ):
            self._remembered += 1
            return answer
        return self._refuse_too_large(data, host, now_s)

    def _refusal(
        self, question: PlainQuestion, data: bytes, host: str, now_s: float, expiration_s: int
    ) -> bytes | None:
        """The short way to say no, which floods of made-up identifiers take; None = look further."""
        asked = remembered_question(data, question)
        refused = self._service.refuse_at_once(question[0], host, now_s, may_ask=asked is not None)
        if refused is None:
            return None
        outcome, text = refused
        if outcome is Outcome.BUSY and asked is not None:
            question, code = asked, _BUSY
            self.over_budget += 1
        else:
            code = _ABSENT
            self.absent += 1
        answer = plain_error(question, code, text.encode(), self._site.serial, expiration_s)
        return answer if len(answer) <= self._most(host, len(data), now_s) else None

    def _too_large(
        self, data: bytes, address: tuple[str, int], now_s: float
    ) -> Iterable[_Datagram]:
        refusal = self._refuse_too_large(data, address[0], now_s)
        return () if refusal is None else ((refusal, address),)

    def _refuse_too_large(self, data: bytes, host: str, now_s: float) -> bytes | None:
        """RC 2 for a record that does not fit, without reading it: the largest takes a tenth of a second."""
        self.too_large += 1
        most = self._most(host, len(data), now_s)
        return self._speaker.refuse(data, ResponseCode.ERROR, USE_TCP, self._service.now(), most)

    def _send(self, answers: list[_Datagram]) -> None:
        waiting = iter(answers)
        while True:
            try:
                for _ in starmap(self._socket.sendto, waiting):
                    pass
            except OSError:
                self._unsent += 1  # the rest goes on
            else:
                return

    def _over_rate(self, data: bytes) -> bytes | None:
        """Every second one gets RC 2 and can go on over TCP, where its address is proved; the others get silence."""
        self._refused += 1
        return None if self._refused % 2 else self._tell_over_rate(data)

    def _tell_over_rate(self, data: bytes) -> bytes | None:
        if accept(data).action is Action.IGNORE:
            return None
        now = self._service.now()
        return self._speaker.refuse(data, ResponseCode.ERROR, USE_TCP, now, len(data))

    def _answer(self, data: bytes, address: tuple[str, int]) -> bytes | None:
        """Anything but a plain hit; None = silence."""
        verdict = accept(data)
        if verdict.action is Action.IGNORE:
            NATIVE_FAULTS.labels("udp", "ignored").inc()
            return None
        now = self._service.now()
        most = self._most(address[0], len(data), now.monotonic_s)
        if len(data) == RECEIVE_BYTES:
            NATIVE_FAULTS.labels("udp", "oversize").inc()
            return self._speaker.refuse(data, ResponseCode.ERROR, USE_TCP, now, most)
        if verdict.action is Action.REFUSE:
            NATIVE_FAULTS.labels("udp", "refused").inc()
            return self._speaker.refuse(data, verdict.response_code, verdict.reason, now, most)
        peer = Peer(address[0], address[1], "udp", is_loopback=is_loopback(address[0]))
        answer = self._speaker.answer(data, peer, now, most)
        if not isinstance(answer, Asked):
            return answer
        if len(self._late) >= MAX_WAITING_DATAGRAMS:
            NATIVE_FAULTS.labels("udp", "too-many-waiting").inc()
            return self._speaker.finish(answer, TOO_MANY, now, most)
        late = Late(self, answer, address, len(data))
        self._late.add(late)
        late.forget = self._speaker.ask(answer, now, late.then)
        return None

    def _most(self, host: str, asked_bytes: int, monotonic_s: float) -> int:
        """The largest answer that may go there now."""
        if self._proven.is_proven(host, monotonic_s):
            return self._most_bytes
        return min(self._most_bytes, int(self._amplification * asked_bytes))

    def _is_proven(self, address: str) -> bool:
        return self._proven.is_proven(address, self._service.now().monotonic_s)


class Late:
    """One question that waits for another node, and where its answer goes."""

    __slots__ = ("_listener", "address", "asked", "forget", "size")

    def __init__(
        self, listener: UdpListener, asked: Asked, address: tuple[str, int], size: int
    ) -> None:
        self._listener = listener
        self.asked = asked
        self.address = address
        self.size = size
        """Bytes of the question."""
        self.forget: Callable[[], None] = forget_nothing

    def then(self, answer: Answer | None) -> None:
        """Another node has answered."""
        self._listener.tell(self, answer)
