"""Connections to the registrar: frames in, jobs to the desk, frames out. Trust is socket mode and peer user."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from node.control_socket import is_trusted_peer
from node.logs import get_log
from node.metrics import REGISTRAR, scrape
from node.registrar_desk import Desk, Refused
from node.registrar_wire import (
    MAX_OUTSTANDING,
    MAX_PARCELS,
    Frame,
    FrameBuffer,
    encode_frame,
    pack_chunk_receipt,
    pack_receipts,
    unpack_chunk,
    unpack_load,
    unpack_submissions,
)  # fmt: skip
from protocols.errors import Malformed, ProtocolError

MAX_CONNECTIONS = 192
"""64 workers, as many again while a reload rolls them, and the commands of one machine."""
SERVING_LOAD_ROWS, ALONE_LOAD_ROWS = 2_000, 20_000
"""Rows a load should have: with workers, one commit must not keep ordinary commands waiting for long."""
CUT_AT_ONCE = 10_000
CLOSE_S = 2.0
"""How long the last answers may take to leave."""

log = get_log("registrar")


class Server:
    """All connections of one registrar; ``status`` gives the facts of the process."""

    def __init__(
        self, desk: Desk, loop: asyncio.AbstractEventLoop, status: Callable[[], dict[str, object]]
    ) -> None:
        self.desk, self.loop = desk, loop
        self._status = status
        self.connections: set[Connection] = set()
        self.is_closing = False

    def connect(self) -> "Connection":
        """The protocol of one new connection."""
        return Connection(self)

    def push_head(self, seq: int) -> None:
        """Tell everybody who follows."""
        frame = encode_frame(0, "head", seq)
        for connection in self.connections:
            if connection.is_following:
                connection.write(frame)

    def refuse_more(self) -> None:
        """What arrives from now on is answered "later"."""
        self.is_closing = True

    async def close(self) -> None:
        """Let the last answers leave, then hang up."""
        deadline_s = self.loop.time() + CLOSE_S
        while any(c.unsent_bytes for c in self.connections) and self.loop.time() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        for connection in tuple(self.connections):
            connection.close()

    def status(self) -> dict[str, object]:
        """Facts for a client."""
        facts = self._status()
        rows = SERVING_LOAD_ROWS if facts["serving"] else ALONE_LOAD_ROWS
        return {**facts, "load_rows": rows}


class Connection(asyncio.Protocol):
    """One worker or command."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = FrameBuffer()
        self._transport: asyncio.Transport | None = None
        self._outstanding = 0
        self.is_following = False

    @property
    def unsent_bytes(self) -> int:
        """What the peer has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop: a peer is there."""
        transport = self._transport = cast("asyncio.Transport", transport)
        if not is_trusted_peer(transport.get_extra_info("socket")):
            log.warning("a stranger was refused at the control socket")
            transport.abort()
        elif len(self._server.connections) >= MAX_CONNECTIONS:
            log.warning("too many connections to the registrar", extra={"limit": MAX_CONNECTIONS})
            transport.abort()
        else:
            self._server.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """The event loop: the peer is gone."""
        self._transport = None
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """The event loop: bytes came."""
        try:
            for frame in self._buffer.receive(data):
                self._take(frame)
        except ProtocolError as error:
            log.warning("a client broke the wire format", extra={"reason": str(error)})
            self.close()

    def write(self, frame: bytes) -> None:
        """Send, if the peer is still there."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _take(self, frame: Frame) -> None:
        self._outstanding += 1
        if (
            self._outstanding > MAX_OUTSTANDING + MAX_PARCELS + 2
        ):  # status and follow come beside the work
            raise Malformed(f"more than {MAX_OUTSTANDING} frames unanswered")
        if self._server.is_closing:
            self._outstanding -= 1
            self.write(encode_frame(frame.id, "later", "the registrar is stopping"))
            return
        handler = HANDLERS.get(frame.kind)
        try:
            if handler is None:
                raise Malformed(f"no such call: {frame.kind}")
            handler(self, frame.id, frame.payload)
        except ProtocolError as error:
            self._answer(frame.id, Refused(str(error)))

    def _submit(self, id_: int, payload: Any) -> None:
        self._server.desk.submit(unpack_submissions(payload), self._later(id_, pack_receipts))

    def _load(self, id_: int, payload: Any) -> None:
        self._server.desk.call(unpack_load(payload), self._later(id_))

    def _chunk(self, id_: int, payload: Any) -> None:
        self._server.desk.call(unpack_chunk(payload), self._later(id_, pack_chunk_receipt))

    def _follow(self, id_: int, _: Any) -> None:
        self.is_following = True
        self._answer(id_, self._server.desk.head.seq)

    def _status(self, id_: int, _: Any) -> None:
        self._answer(id_, self._server.status())

    def _metrics(self, id_: int, _: Any) -> None:
        self._server.status()  # brings the gauges up to date
        self._answer(id_, scrape(REGISTRAR))

    def _truncate(self, id_: int, payload: Any) -> None:
        if not isinstance(payload, int) or payload < 0:
            raise Malformed("truncate: the number of a change is needed")
        self._server.desk.call(
            lambda store: store.truncate_changes(payload, CUT_AT_ONCE), self._later(id_)
        )

    def _later(
        self, id_: int, pack: Callable[[Any], object] | None = None
    ) -> Callable[[object], None]:
        """What the desk calls, on its own thread, when the job is done."""

        def done(result: object) -> None:
            if pack is not None and not isinstance(result, Exception):
                result = pack(result)
            self._server.loop.call_soon_threadsafe(self._answer, id_, result)

        return done

    def _answer(self, id_: int, result: object) -> None:
        self._outstanding -= 1
        if isinstance(result, Exception):
            self.write(encode_frame(id_, "error", str(result)))
        else:
            self.write(encode_frame(id_, "ok", result))


HANDLERS: dict[str, Callable[[Connection, int, Any], None]] = {
    "submit": Connection._submit,  # noqa: SLF001  # the class's own table
    "load": Connection._load,  # noqa: SLF001
    "chunk": Connection._chunk,  # noqa: SLF001
    "follow": Connection._follow,  # noqa: SLF001
    "status": Connection._status,  # noqa: SLF001
    "metrics": Connection._metrics,  # noqa: SLF001
    "truncate": Connection._truncate,  # noqa: SLF001
}
