"""Native TCP: persistent connections, one answer per request, in order (RFC 3652 §2.1).

Connections stay open whatever the KPAL flag says: pools of the national SDK need it, classic clients close by
themselves.
What a client has sent or not taken is bounded for each connection and for all together; one timer looks at every
connection, so that a request costs no timer of its own.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from typing import cast

from node.config_sections import MIB, Config
from node.http.patience import idle_limit_s
from node.listeners.limits import ByteBudget, ProvenAddresses, Slots, is_loopback
from node.listeners.native import NativeSpeaker
from node.metrics import NATIVE_FAULTS, TCP_CONNECTIONS
from node.service import Service
from node.site import SiteInfo
from protocols.handle.codec import encode
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.envelope import ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.handle.fast import plain_answer, plain_question
from protocols.handle.header import DEFAULT_EXPIRATION_S
from protocols.handle.stream import MessageStream
from protocols.record import DELETED, NO_VALUES, public_offset
from resolver.source import Now, Peer

LOOK_EVERY_S = 0.25
"""How often all connections are looked at; deadlines are exact to this."""
STALLED_S = 10.0
"""A client that takes nothing of its answers for so long is dropped."""
MOST_ANSWER_BYTES = MAX_MESSAGE_BYTES + ENVELOPE_BYTES


class TcpListener:
    """All native connections of one worker."""

    def __init__(
        self,
        service: Service,
        speaker: NativeSpeaker,
        site: SiteInfo,
        proven: ProvenAddresses,
        config: Config,
    ) -> None:
        self.service, self.speaker, self.site, self.proven = service, speaker, site, proven
        limits = config.limits
        self.limits = limits
        self.request_limits: dict[int, int] = {
            OpCode.RESOLVE: limits.resolve_request_bytes,
            OpCode.GET_SITE_INFO: limits.resolve_request_bytes,
        }
        self.slots = Slots(
            limits.connections, limits.connections_per_address, config.access.unlimited_networks
        )
        self.partial = ByteBudget(config.memory.partial_requests_mib * MIB)
        self.unread_budget_bytes = config.memory.unread_answers_mib * MIB
        self.connections: set[Connection] = set()
        self.is_draining = False
        self.hits = 0
        """Answers of the hot path."""
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Begin to accept on bound sockets."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            self._servers.append(await loop.create_server(lambda: Connection(self), sock=sock))
        self._look_later()

    async def stop(self, drain_s: float) -> None:
        """Accept no more; connections close after the answers they wait for, at the latest after ``drain_s``."""
        self.is_draining = True
        for server in self._servers:
            server.close()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + drain_s
        while self.connections and loop.time() < until_s:
            for connection in tuple(self.connections):
                connection.close_if_resting()
            await asyncio.sleep(0.02)
        for connection in tuple(self.connections):
            connection.drop("drained")
        if self._timer is not None:
            self._timer.cancel()

    def look(self, monotonic_s: float) -> None:
        """Close or drop every connection whose time is up; the largest when all together hold too much."""
        TCP_CONNECTIONS.set(len(self.connections))
        idle_s = idle_limit_s(self.limits.idle_s, self.slots.taken, self.slots.most)
        unread = 0
        for connection in tuple(self.connections):
            connection.look(monotonic_s, idle_s)
            unread += connection.unread_bytes
        while unread > self.unread_budget_bytes:
            largest = max(self.connections, key=lambda c: c.unread_bytes)
            unread -= largest.unread_bytes
            largest.drop("unread-budget")

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self.look(self.service.now().monotonic_s)
        self._timer = loop.call_later(LOOK_EVERY_S, self._look_later)


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._peer = Peer("", 0, "tcp", is_loopback=False)
        limits = listener.limits
        self._stream = MessageStream(listener.request_limits, limits.message_bytes)
        self._messages: deque[bytes] = deque()
        """Whole requests not yet answered, because the client takes its answers slowly."""
        self._booked_bytes = 0
        self._is_paused = self._is_counted = self._is_closing = False
        self._partial_since_s = self._paused_since_s = 0.0
        self._unread_seen_bytes = 0
        self._last_s = listener.service.now().monotonic_s

    @property
    def unread_bytes(self) -> int:
        """Answers the client has not taken."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop: a peer is there."""
        transport = self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername") or ("", 0)
        self._peer = Peer(name[0], name[1], "tcp", is_loopback=is_loopback(name[0]))
        refusal = self._listener.slots.take(self._peer.address)
        if refusal or self._listener.is_draining:
            self._is_counted = not refusal
            self.drop(refusal or "draining")
            return
        self._is_counted = True
        self._listener.connections.add(self)
        self._listener.proven.prove(self._peer.address, self._last_s)
        transport.set_write_buffer_limits(high=self._listener.limits.unread_answer_bytes)

    def connection_lost(self, _: Exception | None) -> None:
        """The event loop: the peer is gone."""
        self._transport = None
        self._messages.clear()
        self._listener.partial.change(-self._booked_bytes)
        self._booked_bytes = 0
        self._listener.connections.discard(self)
        if self._is_counted:
            self._is_counted = False
            self._listener.slots.give_back(self._peer.address)

    def data_received(self, data: bytes) -> None:
        """The event loop: bytes came."""
        now = self._listener.service.now()
        self._messages.extend(self._stream.receive(data))
        held = self._stream.buffered_bytes
        if held and not (self._partial_since_s and len(data) < held):
            self._partial_since_s = (
                now.monotonic_s
            )  # the first bytes of the request that is now unfinished
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
        return bool(self._messages)  # half-closed: what was asked is answered, then we close too

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
        now = self._listener.service.now()
        self._answer_all(now)
        if not self._is_paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

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

    def close_if_resting(self) -> None:
        """Close between requests; bytes on their way to the client still arrive."""
        if self._transport is not None and not self._messages and not self._stream.buffered_bytes:
            self._transport.close()

    def drop(self, reason: str) -> None:
        """Close at once."""
        NATIVE_FAULTS.labels("tcp", reason).inc()
        if self._transport is not None:
            self._transport.abort()

    def _answer_all(self, now: Now) -> None:
        """Answer what waits, in one write, until the client has enough to read."""
        transport, high = self._transport, self._listener.limits.unread_answer_bytes
        if transport is None or transport.is_closing():
            return
        if self._messages:
            self._listener.service.reader.refresh()
        while self._messages and not self._is_paused:
            answers: list[bytes] = []
            size = 0
            while self._messages and size < high:
                answer = self._answer(self._messages.popleft(), now)
                if (
                    answer is None
                ):  # a response where a request belongs: the peer is confused or playing
                    self._messages.clear()
                    transport.write(b"".join(answers))
                    transport.close()
                    return
                answers.append(answer)
                size += len(answer)
            transport.write(b"".join(answers))
        if self._stream.failure is not None and not self._messages:
            self._give_up(transport, now)

    def _answer(self, message: bytes, now: Now) -> bytes | None:
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
        return listener.speaker.answer(message, self._peer, now, MOST_ANSWER_BYTES)

    def _give_up(self, transport: asyncio.Transport, now: Now) -> None:
        """The stream is broken and cannot be cut into messages any more: say why, if we can, and close."""
        NATIVE_FAULTS.labels("tcp", "broken-stream").inc()
        head = self._stream.failed_head
        if head is not None and head.header.is_request:
            text = str(self._stream.failure)
            refusal = self._listener.speaker.refusal(head, ResponseCode.PROTOCOL_ERROR, text, now)
            transport.write(encode(refusal))
        transport.close()
