"""Front: one HTTP connection: counts it, times it, hands its bytes to aiohttp, writes for the handlers.

It stands between the socket and aiohttp's parser because aiohttp has no deadline for a request that never ends and no
bound on connections. While nothing is under way on the connection, plain requests are answered here from the bytes
alone (``node/http/plain.py``), ahead of aiohttp; all others, and whatever comes behind one, are aiohttp's.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any, Protocol, cast

from aiohttp import web

from node.http.exchange import CLOSE, Exchange, Sent
from node.http.framing import Framing
from node.http.methods import is_unknown_method
from node.http.patience import Patience
from node.http.peers import make_peer
from node.http.plain import PlainHttp
from node.http.reply import Reply
from node.listeners.handover import HandOver, pass_on
from resolver.source import Peer

UNKNOWN = Peer("", 0, "http", is_loopback=False)
STALLED_READER_S = 10.0
"""A client that takes nothing of its answer for so long is dropped."""


class Door(Protocol):
    """What a front asks of its listener."""

    now_s: float
    """The listener's clock, monotonic seconds, renewed some times a second: exact enough for idle times."""
    request_s: float
    unread_bytes: int
    exchange: Exchange

    def plain(self) -> PlainHttp | None:
        """Who answers plain requests, told the time of this wake-up; None = aiohttp answers everything."""

    def read_clock(self) -> float:
        """``now_s``, renewed."""

    def admit(self, front: "Front") -> Reply | None:
        """Count the connection in, or say why not."""

    def forget(self, front: "Front") -> None:
        """Count it out."""

    def make_parser(self, front: "Front") -> "Parser":
        """aiohttp's half of the connection."""


class Parser(web.RequestHandler):
    """aiohttp's side of one connection; errors it finds are told in our words."""

    __slots__ = ("front",)

    def __init__(self, front: "Front", server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self.front = front

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Sent:
        """What is not HTTP gets a JSON error and the end of the connection."""
        return self.front.door.exchange.refuse(self.front, status, exc)


class Front(asyncio.Protocol):
    """The listener's half of a connection; ``Connection`` for the handlers."""

    __slots__ = (
        "_unsent_bytes", "_writable", "answered", "asked", "door", "ends_soon", "framing", "idle_since_s",
        "is_bulk", "is_closed", "is_last", "is_tls", "on_gone", "parser", "peer", "reading", "taking", "transport",
    )  # fmt: skip

    def __init__(self, door: Door) -> None:
        self.door = door
        self.parser: Parser | None = None
        """aiohttp's half, made when there is something for it: it takes longer than a hundred plain answers."""
        self.transport: asyncio.Transport | None = None
        self.peer = UNKNOWN
        self.framing = Framing()
        self.reading = Patience(door.request_s)
        """Until when the present request must be complete."""
        self.taking = Patience(STALLED_READER_S)
        """Until when the client must have taken some of its answer."""
        self.asked = self.answered = 0
        """Requests handed to the handlers, and those they are done with."""
        self.idle_since_s = door.now_s
        self.is_tls = self.is_bulk = self.is_closed = False
        self.ends_soon = False
        """The worker ends, and nobody can take the connection over."""
        self.is_last = False
        """An answer has said that the connection ends with it."""
        self.on_gone: Callable[[], None] | None = None
        self._writable: asyncio.Event | None = None
        self._unsent_bytes = 0

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was accepted (TLS is done): count it in or refuse it."""
        self.transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername") or ("", 0)
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        self.peer = make_peer(str(name[0]), int(name[1]), "http")
        refusal = self.door.admit(self)
        if refusal is not None:
            self.door.exchange.send(self, refusal, CLOSE)
            self.is_closed = True
            self.transport.close()
            return
        self.transport.set_write_buffer_limits(high=self.door.unread_bytes)

    def data_received(self, data: bytes) -> None:
        """Answer what is plain, ahead of aiohttp; hand it the rest."""
        if self.is_closed or self.transport is None:
            return
        framing = self.framing
        is_quiet = framing.is_between and self.answered >= framing.completed
        if is_quiet and not (self.ends_soon or self.is_last or self._writable is not None):
            plain = self.door.plain()
            if plain is not None:
                answers, taken = plain.serve(data, self.peer)
                if taken:
                    self.transport.write(answers)
                    self.idle_since_s = self.door.now_s
                    if taken == len(data):
                        return
                    data = data[taken:]
        self._hand_on(data)

    def _hand_on(self, data: bytes) -> None:
        """Time the request, then let aiohttp parse it."""
        assert self.transport is not None
        if self.parser is None:
            self.parser = self.door.make_parser(self)
            self.parser.connection_made(self.transport)
        framing = self.framing
        completed, was_between = framing.completed, framing.is_between
        if was_between and is_unknown_method(data):
            self.give_up(501)
            return
        framing.feed(data)
        if framing.is_between:
            self.idle_since_s = self.door.now_s
            if not was_between:
                self.reading.stop()
        elif was_between or framing.completed != completed:
            self.reading.start(self.door.read_clock())
        elif self.is_bulk:
            self.reading.credit(self.door.read_clock(), len(data))
        if framing.is_too_long or framing.is_broken:
            self.give_up(431 if framing.is_too_long else 400)
        else:
            self.parser.data_received(data)

    def eof_received(self) -> bool | None:
        """The transport closes; a client that shuts its side down early gets what is written by then."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out, and tell whoever waits for the client."""
        self.is_closed = True
        self.door.forget(self)
        if self.on_gone is not None:
            self.on_gone()
        if self._writable is not None:
            self._writable.set()
        if self.parser is not None:
            self.parser.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads slower than we write: from now on it must take some."""
        self._writable = asyncio.Event()
        self._unsent_bytes = self._unsent()
        self.taking.start(self.door.read_clock())

    def resume_writing(self) -> None:
        """It has."""
        self.taking.stop()
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # what the exchange and the handlers call

    def write(self, data: bytes) -> None:
        """Send bytes; raises ``ConnectionResetError`` when the client is gone."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written; raises ``ConnectionResetError`` when it is gone."""
        if self._writable is not None:
            await self._writable.wait()
            if self.is_closed:
                raise ConnectionResetError("the client is gone")

    async def answer(self, asked: web.BaseRequest) -> web.StreamResponse:
        """One request, from aiohttp."""
        self.asked += 1
        try:
            sent = await self.door.exchange.answer(self, asked)
            self.is_last = not sent.keep_alive
            return sent
        finally:
            self.answered += 1
            self.idle_since_s = self.door.now_s

    @property
    def certificate(self) -> bytes:
        """The certificate that the client has shown (DER), and has the private key of; b"" when it showed none."""
        shown = self.transport.get_extra_info("ssl_object") if self.transport is not None else None
        return b"" if shown is None else shown.getpeercert(binary_form=True) or b""

    # what the listener calls

    def look(self, now_s: float, idle_limit_s: float) -> None:
        """Close or drop the connection if its time is up; called some times a second."""
        assert self.transport is not None
        is_closing = self.transport.is_closing()
        if is_closing and self.taking.deadline_s == inf:  # below the mark nobody has timed it yet
            self.taking.start(now_s)
            self._unsent_bytes = self._unsent()
        if self._writable is not None or is_closing:
            unsent = self._unsent()
            self.taking.credit(now_s, max(0, self._unsent_bytes - unsent))
            self._unsent_bytes = unsent
        if self.taking.is_over(now_s):
            self.drop()
        elif is_closing:
            return  # what is written goes out, or the line above ends it; nothing more can be said
        elif self.reading.is_over(now_s):
            if self.transport.is_reading():
                self.give_up(408)
            else:  # it is us who keep the client from sending
                self.reading.start(now_s)
        elif self.is_resting and now_s - self.idle_since_s >= idle_limit_s:
            self.transport.close()
        elif self.is_lost and now_s - self.idle_since_s >= self.door.request_s:
            self.drop()

    @property
    def is_draining(self) -> bool:
        """The present answer is to be the last one: nothing more has been asked, and nobody would answer it."""
        framing = self.framing
        return self.ends_soon and framing.is_between and self.asked >= framing.completed

    def close_if_resting(self) -> None:
        """Close between requests."""
        if self.is_resting and self.transport is not None:
            self.transport.close()

    def give_to(self, hand_over: HandOver) -> None:
        """Hand the connection over if it rests and the client has its answers; an encrypted one stays."""
        if self.is_resting and self.transport is not None and not (self.is_tls or self.is_closed):
            pass_on(self.transport, hand_over)

    @property
    def is_resting(self) -> bool:
        """Between requests, and nothing is being answered."""
        return self.framing.is_between and self.answered >= self.framing.completed

    @property
    def is_lost(self) -> bool:
        """Framing counted a request that aiohttp never saw: nobody will answer it, so it must not hold a slot."""
        framing = self.framing
        return framing.is_between and self.asked == self.answered < framing.completed

    def give_up(self, status: int) -> None:
        """The present request will not be read to its end: say why, if no other answer is under way, and close."""
        assert self.transport is not None
        if self.is_bulk or self.answered < self.framing.completed:
            self.drop()
            return
        self.door.exchange.refuse(self, status, None)
        self.is_closed = True
        self.transport.close()

    def drop(self) -> None:
        """Close at once; what was not sent is lost."""
        assert self.transport is not None
        self.is_closed = True
        self.transport.abort()

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size() if self.transport is not None else 0
