"""HTTP listener: sockets to fronts, with the bounds every connection is held to.

``start`` is what a worker calls. Connections are counted in and out here; one timer looks at all of them, so that a
request costs no timer of its own.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from logging import CRITICAL, getLogger

from aiohttp import web

from node.config_sections import MIB, Config
from node.http.api import Api
from node.http.dates import DateLine
from node.http.errors import http_trouble
from node.http.exchange import CLOSE, Exchange
from node.http.framing import MAX_HEAD_BYTES
from node.http.patience import idle_limit_s
from node.http.peers import make_peer
from node.http.plain import PlainHttp
from node.http.reply import Reply, head_bytes
from node.http.router import Router
from node.lane.streams import Handed, Lane, Streams, make_lane
from node.listeners.handover import SETTLE_S, Ending, HandOver, drain
from node.listeners.http_front import Front, Parser
from node.listeners.tls import Certificates, make_certificates
from node.metrics import HTTP_CONNECTIONS, HTTP_SESSIONS
from node.service import Service
from node.sockets import BACKLOG
from resolver.networks import NetworkSet

LOOK_EVERY_S = 0.25
"""How often all connections are looked at: 1,024 of them take about 0.3 ms."""
TLS_HANDSHAKE_S = 5.0
"""asyncio would wait a minute, and a handshake costs the client nothing."""
MAX_LINE_BYTES = 16_384
"""Request line or one header field: a DELETE may name 2,048 indexes."""
MAX_HEADERS = 100
"""Header fields of one request."""
SEND_BUFFER_BYTES = 131_072
"""The kernel's share of an unread answer; left alone it grows to 4 MiB for each client that does not read."""
FOREVER_S = 1e6
"""aiohttp's own idle timer is not wanted; ours knows how many slots are left."""

_silent = getLogger("biaojie.http.parser")
_silent.setLevel(CRITICAL + 1)
"""aiohttp would log every malformed request with a traceback, at the sender's will."""


class HttpListener:
    """The HTTP side of one worker; ``Door`` for its fronts."""

    def __init__(self, api: Api, config: Config, *, answers_ahead: bool = True) -> None:
        """``answers_ahead``: whether plain requests are answered ahead of aiohttp."""
        loop = asyncio.get_running_loop()
        limits = config.limits
        self.request_s = limits.http_request_s
        self.unread_bytes = limits.unread_answer_bytes
        self.idle_s = limits.idle_s
        self.slots = limits.connections
        self.slots_per_address = limits.connections_per_address
        self.unlimited = NetworkSet(config.access.unlimited_networks)
        self.now_s = loop.time()
        self.dates = DateLine(api.service.now().wall_s)
        router = Router(api)
        self.mail = api.mail
        self._finder = api.finder
        self.exchange = Exchange(router, self.dates)
        self.service = api.service
        self.ahead = PlainHttp(api, router, self.dates, config.memory.rendered_answers_mib * MIB)
        """Answers plain requests; look at its counts, and ask ``plain`` for it before it answers."""
        self._answers_ahead = answers_ahead
        self._read_loop_s = loop.time
        self._ticked_s = -1.0
        self.fronts: set[Front] = set()
        self.per_address: Counter[str] = Counter()
        self._guests = 0
        """Connections in the lane, or on their way out of it."""
        self._lane: Lane | None = None
        self.certificates: Certificates | None = None
        """Of HTTPS; None for plain HTTP."""
        self.is_draining = False
        self._servers: list[asyncio.Server] = []
        self._aiohttp = web.Server(_answer)
        self._timer = loop.call_later(LOOK_EVERY_S, self._look)

    async def listen(self, sockets: Sequence[socket.socket], tls: Certificates | None) -> None:
        """Begin to accept on sockets that are bound already."""
        self.certificates = tls
        loop = asyncio.get_running_loop()
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # inherited
        if self._answers_ahead and tls is None:
            self._lane = make_lane(self, self._read_loop_s)
        if self._lane is not None:
            self._lane.start(sockets)
            return
        for sock in sockets:
            server = await loop.create_server(
                lambda: Front(self),
                sock=sock,
                backlog=BACKLOG,
                ssl=tls.context if tls else None,
                ssl_handshake_timeout=TLS_HANDSHAKE_S if tls else None,
            )
            self._servers.append(server)

    async def adopt(self, sock: socket.socket) -> None:
        """Serve a connection that a predecessor had; it was not encrypted."""
        if self._lane is not None:
            self._lane.adopt(sock)
            return
        await asyncio.get_running_loop().connect_accepted_socket(lambda: Front(self), sock)

    async def close(self, drain_s: float = 0.0, hand_over: HandOver | None = None) -> None:
        """Accept no more; connections are handed over or close as they rest, the others after ``drain_s``.

        Whoever was accepted is served: ``README.md`` tells how.
        """
        self.is_draining = hand_over is None
        for front in self.fronts:
            front.ends_soon = self.is_draining or front.is_tls
        if hand_over is None:
            await asyncio.sleep(min(SETTLE_S, drain_s))
        for server in self._servers:
            server.close()
        if self._lane is not None:
            self._lane.stop_accepting()
        await drain(self._present, drain_s, hand_over)
        for front in tuple(self.fronts):
            front.drop()
        if self._lane is not None:
            await self._lane.close()
        self._finder.close()
        self.mail.close()
        self._timer.cancel()

    def read_clock(self) -> float:
        """Monotonic seconds; ``now_s`` is renewed by the way."""
        self.now_s = asyncio.get_running_loop().time()
        return self.now_s

    def plain(self) -> PlainHttp | None:
        """Who answers plain requests, told the time of this wake-up; None = aiohttp answers everything."""
        now_s = self._read_loop_s()  # uvloop's stands still while it hands out what came
        if now_s != self._ticked_s:
            self._ticked_s = self.now_s = now_s
            try:
                self.ahead.tick(self.service.now())
            except Exception:  # noqa: BLE001  # the guard behind aiohttp meets it again, tells it and logs it
                self._ticked_s = -1.0
                return None
        return self.ahead if self._answers_ahead else None

    def admit(self, front: Front) -> Reply | None:
        """Count the connection in, or refuse it: 503 when all slots are taken, 429 when one address has its share."""
        address = front.peer.address
        refusal = self._refusal(address)
        if refusal is None:
            self.fronts.add(front)
            front.ends_soon = self.is_draining
            self.per_address[address] += 1
        return refusal

    def forget(self, front: Front) -> None:
        """Count it out; a refused one was never counted in."""
        if front in self.fronts:
            self.fronts.remove(front)
            self._count_out(front.peer.address)

    # what the lane asks

    def let_in(self, address: str) -> bytes | None:
        """Count a connection in; None when it may stay, else what to tell it."""
        refusal = self._refusal(address)
        if refusal is not None:
            return head_bytes(refusal, self.dates.line, CLOSE) + refusal.body
        self._guests += 1
        self.per_address[address] += 1
        return None

    def let_out(self, address: str) -> None:
        """Count it out."""
        self._guests -= 1
        self._count_out(address)

    def introduce(self, address: str, port: int) -> tuple[object, int]:
        """The peer of its requests."""
        return make_peer(address, port, "http"), 0

    def serve_lane(self, streams: Streams) -> Handed:
        """Answer the plain requests of those who have spoken; a listener that ends has asyncio do it."""
        plain = None if self.is_draining else self.plain()
        if plain is None:
            return streams.serve_http({}, _nothing, _nothing, self.now_s)
        return streams.serve_http(plain.heads, plain.hit, plain.answer, self.now_s)

    def make_protocol(self) -> asyncio.Protocol:
        """For a connection that leaves the lane."""
        return Front(self)

    def make_parser(self, front: Front) -> Parser:
        """aiohttp's half of a connection, its own limits set to ours."""
        return Parser(
            front,
            self._aiohttp,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=FOREVER_S,
            access_log=None,
            logger=_silent,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            lingering_time=self.request_s,
        )

    @property
    def taken(self) -> int:
        """Connections that are open."""
        return len(self.fronts) + self._guests

    def _present(self) -> tuple[Ending, ...]:
        return (*self.fronts, *(self._lane.present if self._lane else ()))

    def _refusal(self, address: str) -> Reply | None:
        if self.taken >= self.slots:
            return http_trouble(503)
        if self.per_address[address] >= self.slots_per_address and address not in self.unlimited:
            return http_trouble(429)
        return None

    def _count_out(self, address: str) -> None:
        self.per_address[address] -= 1
        if not self.per_address[address]:
            del self.per_address[address]

    def _look(self) -> None:
        now_s = self.read_clock()
        self.dates.renew(self.service.now().wall_s)
        self.exchange.router.tally.flush()
        HTTP_CONNECTIONS.set(self.taken)
        HTTP_SESSIONS.set(len(self.mail.sessions))
        if self.certificates is not None:
            self.certificates.look(now_s)
        idle_s = idle_limit_s(self.idle_s, self.taken, self.slots)
        if self._lane is not None:
            self._lane.drop_silent(now_s - idle_s)
        for front in tuple(self.fronts):
            front.look(now_s, idle_s)
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)


assert MAX_LINE_BYTES < MAX_HEAD_BYTES


def _nothing(*_: object) -> None:
    """No plain answer."""


async def _answer(asked: web.BaseRequest) -> web.StreamResponse:
    front: Front = asked.protocol.front  # type: ignore[attr-defined]  # always our Parser
    return await front.answer(asked)


async def start(
    service: Service,
    sockets: Sequence[socket.socket],
    config: Config,
    *,
    answers_ahead: bool = True,
    api: Api | None = None,
) -> HttpListener:
    """Serve HTTP (HTTPS when a certificate is configured) on bound sockets until ``close``.

    ``answers_ahead``: whether plain requests are answered ahead of aiohttp; what they get is the same without.
    ``api``: what handlers are given; None = of one worker without siblings, that speaks nothing but HTTP.
    """
    listener = HttpListener(api or Api(service, config), config, answers_ahead=answers_ahead)
    await listener.listen(sockets, make_certificates(config))
    return listener
