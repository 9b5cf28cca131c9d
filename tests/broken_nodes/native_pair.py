"""Native messages through the node in between: TCP connections, and datagrams."""

import asyncio
import socket
from collections.abc import Sequence
from typing import cast

from protocols.handle.envelope import ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from tests.broken_nodes.breakage import CLOSED, Breakage, Cut, Question, Scene, Told
from tests.broken_nodes.streams import CHUNK_BYTES, Streams, run_both

_FREE_PORT_TRIES = 50


class Messages:
    """Feed it a TCP stream; it says which messages are whole."""

    def __init__(self) -> None:
        self.pending = b""
        self.is_odd = False
        """A length that no message has: no more messages are told apart."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete."""
        self.pending += data
        whole: list[bytes] = []
        while len(self.pending) >= ENVELOPE_BYTES and not self.is_odd:
            end = ENVELOPE_BYTES + int.from_bytes(self.pending[16:20])
            self.is_odd = end > MAX_MESSAGE_BYTES + ENVELOPE_BYTES
            if self.is_odd or len(self.pending) < end:
                break
            whole.append(self.pending[:end])
            self.pending = self.pending[end:]
        return whole


def request_id(message: bytes) -> bytes:
    """As it stands in the envelope."""
    return message[8:12]


class TcpPair:
    """One client's connection and the one to the sound node."""

    def __init__(self, streams: Streams, breakage: Breakage, scene: Scene) -> None:
        self._streams = streams
        self._breakage = breakage
        self._scene = scene
        self._questions: dict[bytes, Question] = {}
        """By request id; and the latest, whole or not, below an empty one."""

    async def run(self) -> None:
        """Until either side ends."""
        await run_both(self._carry_requests(), self._carry_answers())

    async def _carry_requests(self) -> None:
        """Without a ``native_ask`` bytes go on as they come."""
        messages = Messages()
        while data := await self._streams.reader.read(CHUNK_BYTES):
            is_held = self._breakage.native_ask is not None and not messages.is_odd
            if not is_held:
                self._streams.far_writer.write(data)
            for message in messages.feed(data):
                question = Question(message, self._scene, is_udp=False)
                self._questions[request_id(message)] = self._questions[b""] = question
                if is_held:
                    self._ask(question)
            if messages.pending:
                self._questions[b""] = Question(messages.pending, self._scene, is_udp=False)
            if is_held and messages.is_odd:
                self._streams.far_writer.write(messages.pending)
        self._streams.far_writer.write_eof()

    def _ask(self, question: Question) -> None:
        assert self._breakage.native_ask is not None
        asked = self._breakage.native_ask(question)
        if isinstance(asked, Told):
            self._streams.writer.write(asked.message)
        elif asked is not None:
            self._streams.far_writer.write(asked)

    async def _carry_answers(self) -> None:
        messages = Messages()
        while data := await self._streams.far_reader.read(CHUNK_BYTES):
            for message in messages.feed(data):
                if not self._tell(message):
                    return
            await self._streams.writer.drain()

    def _tell(self, message: bytes) -> bool:
        """False when the connection ends with it."""
        question = self._questions.get(request_id(message)) or self._questions.get(b"")
        said = spoil(self._breakage, question, message)
        if said is CLOSED:
            return False
        for part in parts_of(said):
            self._streams.writer.write(part)
        return True


def spoil(
    breakage: Breakage, question: Question | None, message: bytes
) -> bytes | Sequence[bytes] | Cut:
    """What a broken node says instead of ``message``."""
    if breakage.native_answer is None or question is None:
        return message
    return breakage.native_answer(question, message)


def parts_of(said: bytes | Sequence[bytes] | Cut) -> Sequence[bytes]:
    """The messages or datagrams to send."""
    if isinstance(said, Cut):
        return ()
    return (said,) if isinstance(said, bytes) else said


class Datagrams(asyncio.DatagramProtocol):
    """The broken node's UDP port. Every client has a socket of its own towards the sound node."""

    def __init__(self, far: tuple[str, int]) -> None:
        self._far = far
        self._clients: dict[tuple[str, int], socket.socket] = {}
        self._questions: dict[bytes, Question] = {}
        self.troubles: list[BaseException] = []
        self.become(Breakage(""), Scene("", "", b""), "")

    def become(self, breakage: Breakage, scene: Scene, source: str) -> None:
        """Break like this from now on; late answers to others are lost."""
        self._breakage, self._scene, self._source = breakage, scene, source
        self.stop()
        self._questions.clear()

    def stop(self) -> None:
        """Forget the clients."""
        for sock in self._clients.values():
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._clients.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is open."""
        self._port = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """From a client."""
        try:
            question = Question(data, self._scene, is_udp=True)
            self._questions[request_id(data)] = question
            ask = self._breakage.native_ask
            asked = data if ask is None else ask(question)
            if isinstance(asked, Told):
                self._port.sendto(asked.message, addr)
            elif asked is not None:
                self._far_socket(addr).send(asked)
        except Exception as error:  # told by the test
            self.troubles.append(error)

    def _far_socket(self, client: tuple[str, int]) -> socket.socket:
        known = self._clients.get(client)
        if known is not None:
            return known
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((self._source, 0))
        sock.connect(self._far)
        self._clients[client] = sock
        asyncio.get_running_loop().add_reader(sock, self._receive, sock, client)
        return sock

    def _receive(self, sock: socket.socket, client: tuple[str, int]) -> None:
        try:
            datagram = sock.recv(CHUNK_BYTES)
            question = self._questions.get(request_id(datagram))
            for part in parts_of(spoil(self._breakage, question, datagram)):
                self._port.sendto(part, client)
        except OSError:
            return
        except Exception as error:  # told by the test
            self.troubles.append(error)


def bind_pair() -> tuple[socket.socket, socket.socket]:
    """TCP and UDP sockets with the same free number on loopback."""
    for _ in range(_FREE_PORT_TRIES):
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            continue
        return tcp, udp
    raise OSError("no port is free for UDP and TCP")
