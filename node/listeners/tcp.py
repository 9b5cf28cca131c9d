"""Native TCP: persistent connections, one answer per request, in order (RFC 3652 §2.1).

Connections stay open whatever the KPAL flag says: pools of the national SDK need it, classic clients close by
themselves.
What a client has sent or not taken is bounded for each connection and for all together; one timer looks at every
connection, so that a request costs no timer of its own. One connection is ``tcp_connection.Connection``.
"""

import asyncio
import socket
from collections.abc import Sequence

from node.config_sections import MIB, Config
from node.http.patience import idle_limit_s
from node.lane.streams import Handed, Streams, make_lane
from node.lane.udp import SOURCE_MAY_RECURSE
from node.listeners.handover import SETTLE_S, Ending, HandOver, drain
from node.listeners.limits import ByteBudget, ProvenAddresses, Slots
from node.listeners.native import NativeSpeaker
from node.listeners.tcp_connection import Connection
from node.metrics import NATIVE_FAULTS, TCP_CONNECTIONS
from node.service import Service
from node.site import SiteInfo
from node.sockets import BACKLOG
from protocols.handle.codes import OpCode
from protocols.handle.header import DEFAULT_EXPIRATION_S

LOOK_EVERY_S = 0.25
"""How often all connections are looked at; deadlines are exact to this."""


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
        self.hits = 0
        """Answers of the hot path, but for the lane's."""
        self.remembered = 0
        """Answers of other nodes, from the hot path, but for the lane's."""
        self._lane = make_lane(self, lambda: service.now().monotonic_s, service.memo)
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Begin to accept on bound sockets."""
        loop = asyncio.get_running_loop()
        if self._lane is not None:
            self._lane.start(sockets)
        else:
            for sock in sockets:
                server = await loop.create_server(
                    lambda: Connection(self), sock=sock, backlog=BACKLOG
                )
                self._servers.append(server)
        self._look_later()

    @property
    def all_hits(self) -> int:
        """Answers of the hot path."""
        return self.hits + (self._lane.streams.hits if self._lane else 0)

    @property
    def all_remembered(self) -> int:
        """Answers of other nodes, from the hot path."""
        return self.remembered + (self._lane.streams.remembered if self._lane else 0)

    async def adopt(self, sock: socket.socket) -> None:
        """Serve a connection that a predecessor had."""
        if self._lane is not None:
            self._lane.adopt(sock)
            return
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Connection(self), sock)

    async def stop(self, drain_s: float, hand_over: HandOver | None = None) -> None:
        """Accept no more; connections are handed over or close as they rest, at the latest after ``drain_s``.

        Whoever was accepted is served: ``README.md`` tells how.
        """
        if hand_over is None:
            await asyncio.sleep(min(SETTLE_S, drain_s))
        for server in self._servers:
            server.close()
        if self._lane is not None:
            self._lane.stop_accepting()
        await drain(self._present, drain_s, hand_over)
        for connection in tuple(self.connections):
            connection.drop("drained")
        if self._lane is not None:
            await self._lane.close()
        if self._timer is not None:
            self._timer.cancel()

    def look(self, monotonic_s: float) -> None:
        """Close or drop every connection whose time is up; the largest when all together hold too much."""
        TCP_CONNECTIONS.set(self.slots.taken)
        idle_s = idle_limit_s(self.limits.idle_s, self.slots.taken, self.slots.most)
        if self._lane is not None:
            self._lane.drop_silent(monotonic_s - idle_s)
        unread = 0
        for connection in tuple(self.connections):
            connection.look(monotonic_s, idle_s)
            unread += connection.unread_bytes
        while unread > self.unread_budget_bytes:
            largest = max(self.connections, key=lambda c: c.unread_bytes)
            unread -= largest.unread_bytes
            largest.drop("unread-budget")

    # what the lane asks

    def let_in(self, address: str) -> bytes | None:
        """Count a connection in; None when it may stay."""
        refusal = self.slots.take(address)
        if refusal:
            NATIVE_FAULTS.labels("tcp", refusal).inc()
            return b""
        self.proven.prove(address, self.service.now().monotonic_s)
        return None

    def let_out(self, address: str) -> None:
        """Count it out."""
        self.slots.give_back(address)

    def introduce(self, address: str, port: int) -> tuple[object, int]:  # noqa: ARG002  for HTTP
        """Its address, and whether it may have others asked."""
        return address, SOURCE_MAY_RECURSE * (address in self.service.recursion_networks)

    def serve_lane(self, streams: Streams) -> Handed:
        """Answer the plain hits of those who have spoken."""
        service = self.service
        service.refresh()
        hosted, get, snapshot = service.reader.at_hand()
        now_s, wall_s = service.now()
        expiration_s = int(wall_s) + DEFAULT_EXPIRATION_S
        return streams.serve_native(
            hosted, get, snapshot, service.remembered, now_s, self.site.serial, expiration_s
        )

    def make_protocol(self) -> asyncio.Protocol:
        """For a connection that leaves the lane."""
        return Connection(self)

    def _present(self) -> tuple[Ending, ...]:
        return (*self.connections, *(self._lane.present if self._lane else ()))

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self.look(self.service.now().monotonic_s)
        self._timer = loop.call_later(LOOK_EVERY_S, self._look_later)
