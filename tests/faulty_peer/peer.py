"""A Handle server on loopback (UDP, TCP, HTTP, HTTPS) that misbehaves as told, in a thread and event loop of its own.

::

    with FaultyPeer({b"88.118/a": Canned(values=(value,))}) as peer:
        ... ask peer.target(TCP) ...
        peer.behaviour = Behaviour(Mode.SILENT)
        peer.asked            # what it was asked, newest last
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections import Counter, deque
from collections.abc import Coroutine

from protocols.errors import ProtocolError
from protocols.handle.codec import Message
from protocols.handle.stream import MessageStream
from protocols.values.site import HTTP, HTTPS, TCP, UDP
from resolver.asking import Role, Target
from tests.faulty_peer.behaviour import ABSENT, WELL, Asked, Behaviour, Canned
from tests.faulty_peer.speaker import Plan, Speaker, Then, identifier_of

LOOPBACK = "127.0.0.1"
MOST_REMEMBERED = 20_000
FREE_PORT_TRIES = 50
STOP_ROUNDS = 5
_NO_LINGER = struct.pack("ii", 1, 0)


class FaultyPeer:
    """``port`` is the same for UDP and TCP; ``http_port`` (and ``https_port`` with ``tls``) are others."""

    def __init__(
        self,
        records: dict[bytes, Canned] | None = None,
        behaviour: Behaviour = WELL,
        *,
        default: Canned = ABSENT,
        tls: ssl.SSLContext | None = None,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.speaker = Speaker(records or {}, default, behaviour, seed)
        self.counts: Counter[str] = Counter()
        """Questions by transport, ``connections`` accepted, ``streamed_bytes`` of endless answers."""
        self.by_identifier: Counter[bytes] = Counter()
        """Questions by identifier in upper case, whatever the transport."""
        self.asked: deque[Asked] = deque(maxlen=MOST_REMEMBERED)
        self.open_connections = 0
        self._tls = tls
        self._sockets = _bind(port)
        self.port: int = self._sockets[0].getsockname()[1]
        self.http_port: int = self._sockets[2].getsockname()[1]
        self.https_port: int = self._sockets[3].getsockname()[1] if tls else 0
        self._loop = asyncio.new_event_loop()
        self._started, self._stopping = threading.Event(), asyncio.Event()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def behaviour(self) -> Behaviour:
        """What it does with the next question."""
        return self.speaker.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self.speaker.behaviour = behaviour

    def target(self, protocol: int, role: Role = Role.LEARNED, public_key: bytes = b"") -> Target:
        """Where to ask it."""
        ports = {UDP: self.port, TCP: self.port, HTTP: self.http_port, HTTPS: self.https_port}
        return Target(protocol, LOOPBACK, ports[protocol], role, public_key)

    def __enter__(self) -> "FaultyPeer":
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()
            for sock in self._sockets:
                sock.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        udp, tcp, http, https = self._sockets
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), sock=udp)
        servers = [
            await asyncio.start_server(self._accept_native, sock=tcp),
            await asyncio.start_server(self._accept_web, sock=http),
        ]
        if self._tls is not None:
            servers.append(await asyncio.start_server(self._accept_web, sock=https, ssl=self._tls))
        self._started.set()
        await self._stopping.wait()
        transport.close()
        for sock in (tcp, http, https):  # asyncio loses what it accepted if its server closes then
            loop.remove_reader(sock)
        for _ in range(STOP_ROUNDS):  # what was accepted just now appears in the loop's next rounds
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks & set(self._connections.values()):
                task.cancel()  # the others are asyncio's, on their way to a connection
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)
        for server in servers:
            server.close()

    def _accept_native(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(writer, self._native_connection(reader, writer))

    def _accept_web(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(writer, self._web_connection(reader, writer))

    def _keep(self, writer: asyncio.StreamWriter, work: Coroutine[None, None, None]) -> None:
        task = self._connections[writer] = asyncio.get_running_loop().create_task(work)

        def end(_: object) -> None:
            del self._connections[writer]
            if self._stopping.is_set():
                writer.transport.abort()

        task.add_done_callback(end)

    def count(self, asked: Asked) -> None:
        self.counts[asked.transport] += 1
        self.by_identifier[asked.identifier.upper()] += 1
        self.asked.append(asked)

    async def _native_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        port = _port_of(writer)
        answered = 0
        questions: asyncio.Queue[tuple[float, Message] | None] = asyncio.Queue()
        with self._counted(writer):
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read_native(reader, port, questions))
                while (question := await questions.get()) is not None:
                    due_s, request = question
                    await _until(due_s)
                    plan = self.speaker.native(request, "tcp")
                    answered += bool(plan.pieces)
                    is_last = 0 < self.behaviour.closes_after <= answered
                    if not await self._carry_out(plan, writer) or is_last:
                        break
                reading.cancel()

    async def _read_native(
        self,
        reader: asyncio.StreamReader,
        port: int,
        questions: "asyncio.Queue[tuple[float, Message] | None]",
    ) -> None:
        """Questions with the moments their answers are due; None at the end."""
        stream = MessageStream()
        try:
            while stream.failure is None and (data := await reader.read(65_536)):
                due_s = asyncio.get_running_loop().time() + self.behaviour.delay_s
                for message in stream.receive(data):
                    request, asked = self.speaker.asked(message, "tcp", port)
                    self.count(asked)
                    questions.put_nowait((due_s, request))
        except (OSError, ProtocolError):
            return  # as good as the end
        finally:
            questions.put_nowait(None)

    async def _web_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        port = _port_of(writer)
        name = "https" if writer.get_extra_info("ssl_object") else "http"
        with self._counted(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                target = head[0].split(" ")[1]
                fields = (line.partition(":") for line in head[1:] if line)
                headers = tuple((key.lower(), value.strip()) for key, _, value in fields)
                due_s = asyncio.get_running_loop().time() + self.behaviour.delay_s
                self.count(Asked(name, identifier_of(target), port, target=target, headers=headers))
                await _until(due_s)
                if not await self._carry_out(self.speaker.web(target), writer):
                    return

    async def _carry_out(self, plan: Plan, writer: asyncio.StreamWriter) -> bool:
        """False when the connection shall end."""
        for piece in plan.pieces:
            writer.write(piece)
        await writer.drain()
        if plan.then is Then.ENDLESS:
            while True:  # ends by ConnectionError when the asker has had enough
                writer.write(plan.pieces[-1])
                await writer.drain()
                self.counts["streamed_bytes"] += len(plan.pieces[-1])
        if plan.then is Then.RESET:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        return plan.then is Then.KEEP

    @contextlib.contextmanager
    def _counted(self, writer: asyncio.StreamWriter):
        self.counts["connections"] += 1
        self.open_connections += 1
        try:
            yield
        except (OSError, ExceptionGroup, asyncio.CancelledError):  # the asker has gone, or we stop
            writer.transport.abort()
        finally:
            self.open_connections -= 1
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, peer: FaultyPeer) -> None:
        self._peer = peer

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        peer = self._peer
        try:
            request, asked = peer.speaker.asked(data, "udp", address[1])
        except ProtocolError:
            return
        peer.count(asked)
        asyncio.get_running_loop().call_later(
            peer.behaviour.delay_s, self._answer, request, address
        )

    def _answer(self, request: object, address: tuple[str, int]) -> None:
        for piece in self._peer.speaker.native(request, "udp").pieces:
            if len(piece) < 65_000:  # what does not fit a datagram is not sent
                self._transport.sendto(piece, address)


class BlackHole:
    """A port where connections are neither accepted nor refused, and datagrams vanish: a host that is gone."""

    def __init__(self) -> None:
        udp, tcp, *others = _bind(0)
        for sock in others:
            sock.close()
        tcp.listen(0)
        self.port: int = tcp.getsockname()[1]
        self._sockets = [udp, tcp]
        for _ in range(3):  # fill the queue of the listener: further SYNs are dropped
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((LOOPBACK, self.port))
            self._sockets.append(sock)

    def target(self, protocol: int, role: Role = Role.LEARNED) -> Target:
        return Target(protocol, LOOPBACK, self.port, role)

    def __enter__(self) -> "BlackHole":
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            sock.close()


def _port_of(writer: asyncio.StreamWriter) -> int:
    """The asker's; 0 when it was gone before it was looked at."""
    peer = writer.get_extra_info("peername")
    return peer[1] if peer else 0


async def _until(due_s: float) -> None:
    delay_s = due_s - asyncio.get_running_loop().time()
    if delay_s > 0:
        await asyncio.sleep(delay_s)


def _bind(port: int) -> list[socket.socket]:
    """UDP and TCP on one port, then two more TCP sockets."""
    for attempt in range(FREE_PORT_TRIES):
        made = [socket.socket(type=socket.SOCK_DGRAM)]
        made += [socket.socket(type=socket.SOCK_STREAM) for _ in range(3)]
        try:
            for sock in made[1:]:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made[1].bind((LOOPBACK, port))
            made[0].bind(made[1].getsockname())
            for sock in made[2:]:
                sock.bind((LOOPBACK, 0))
        except OSError:
            for sock in made:
                sock.close()
            if port or attempt == FREE_PORT_TRIES - 1:
                raise
        else:
            for sock in made:
                sock.setblocking(False)
            return made
    raise AssertionError("unreachable")
