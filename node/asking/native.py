"""Asking over the Handle protocol as a client does: UDP first, TCP when UDP does not serve (RFC 3652 §2.1).

Each try is a ``Hop``, so that ``--trace`` can show what was asked where, and how long it took. A Biaojie node that
resolves elsewhere for us also tells its own ``Trail`` when it is asked to (``protocols/handle/via.py``); to any other
server that wish is surplus after the request's last field, where the national SDK puts its token.
"""

import secrets
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import AUTH, DEFAULT_REQUEST_FLAGS, RECU, OpCode, ResponseCode
from protocols.handle.envelope import Envelope
from protocols.handle.header import DEFAULT_EXPIRATION_S, Header
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.stream import MessageStream
from protocols.handle.via import read_trail, write_via
from protocols.trail import Trail
from protocols.values.value import Value

UDP_PATIENCE_S = (0.5, 1.0, 1.5)
"""The reference client's waits; then it goes on with TCP."""
TCP_PATIENCE_S = 10.0
MAX_DATAGRAM_BYTES = 2048
_READ_BYTES = 65_536


class Server(NamedTuple):
    """Where to ask."""

    host: str
    port: int

    @property
    def name(self) -> str:
        """``127.0.0.1:2641``, ``[::1]:2641``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Manner(NamedTuple):
    """How the question may be answered."""

    may_recurse: bool = True
    """The server may ask others (RECU); without it, it names them (RC 302)."""
    is_authoritative: bool = False
    """From the records of the responsible node, not from a cache (AUTH)."""
    wants_trail: bool = False
    """A node that resolves elsewhere for us shall say how it went."""


USUAL = Manner()


class Hop(NamedTuple):
    """One try."""

    transport: str
    server: str
    seconds: float
    asked_bytes: int
    answer_bytes: int
    note: str
    """What came: a response code in words, or why nothing did."""


class Resolution(NamedTuple):
    """What became of a question; ``answer`` is None when nobody answered."""

    hops: list[Hop]
    answer: Message | None

    @property
    def response_code(self) -> int:
        """0 when nobody answered."""
        return self.answer.header.response_code if self.answer else 0

    @property
    def values(self) -> tuple[Value, ...]:
        """Empty unless the answer is a success."""
        body = self.answer.body if self.answer else None
        return body.values if isinstance(body, ResolveAnswer) else ()

    @property
    def referral(self) -> Referral | None:
        """Who is to be asked instead, when the server says so (RC 302, 303)."""
        body = self.answer.body if self.answer else None
        return body if isinstance(body, Referral) else None

    @property
    def trail(self) -> Trail | None:
        """How the server came to its answer, if it told."""
        surplus = getattr(self.answer.body, "surplus", b"") if self.answer else b""
        return read_trail(surplus) if isinstance(surplus, bytes) else None

    @property
    def message(self) -> str:
        """The server's own words, for an error answer."""
        text = getattr(self.answer.body, "message", b"") if self.answer else b""
        return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def resolve_question(
    identifier: bytes,
    indexes: Sequence[int],
    types: Sequence[str],
    wall_s: float,
    manner: Manner = USUAL,
) -> bytes:
    """A public question, encoded, with a random request id."""
    flags = DEFAULT_REQUEST_FLAGS if manner.may_recurse else DEFAULT_REQUEST_FLAGS & ~RECU
    flags |= AUTH if manner.is_authoritative else 0
    header = Header(OpCode.RESOLVE, 0, flags, expiration_s=int(wall_s) + DEFAULT_EXPIRATION_S)
    surplus = write_via((), wants_trail=manner.wants_trail)
    request = ResolveRequest(identifier, tuple(indexes), tuple(types), surplus)
    return encode(Message(Envelope(request_id=secrets.randbits(31)), header, request))


def ask(server: Server, question: bytes, transports: Sequence[str]) -> Resolution:
    """Try the transports (``udp``, ``tcp``) in order; RC 2 over UDP means "ask again over TCP"."""
    hops: list[Hop] = []
    answer = None
    for transport in transports:
        tried, answer = (_ask_udp if transport == "udp" else _ask_tcp)(server, question)
        hops += tried
        is_cut_off = transport == "udp" and transport != transports[-1]
        if answer and not (is_cut_off and answer.header.response_code == ResponseCode.ERROR):
            break
    return Resolution(hops, answer)


def _ask_udp(server: Server, question: bytes) -> tuple[list[Hop], Message | None]:
    hops = []
    try:
        with _connect(server, socket.SOCK_DGRAM) as sock:
            for patience_s in UDP_PATIENCE_S:
                started_s = time.monotonic()
                sock.send(question)
                answer, size, note = _await_datagram(sock, question, started_s + patience_s)
                hops.append(_hop("udp", server, started_s, question, size, note))
                if answer:
                    return hops, answer
    except OSError as error:
        hops.append(Hop("udp", server.name, 0.0, len(question), 0, error.strerror or str(error)))
    return hops, None


def _await_datagram(
    sock: socket.socket, question: bytes, deadline_s: float
) -> tuple[Message | None, int, str]:
    while (left_s := deadline_s - time.monotonic()) > 0:
        sock.settimeout(left_s)
        try:
            data = sock.recv(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            break
        except ConnectionRefusedError:
            return None, 0, "nobody listens there"
        if (answer := _answer_to(question, data)) is not None:
            return answer, len(data), _words(answer)
    return None, 0, "no answer"


def _ask_tcp(server: Server, question: bytes) -> tuple[list[Hop], Message | None]:
    started_s = time.monotonic()
    answer, size, note = None, 0, "the server closed the connection"
    try:
        with _connect(server, socket.SOCK_STREAM) as sock:
            sock.sendall(question)
            stream = MessageStream({})
            while answer is None and stream.failure is None and (data := sock.recv(_READ_BYTES)):
                size += len(data)
                for message in stream.receive(data):
                    answer = answer or _answer_to(question, message)
            note = _words(answer) if answer else str(stream.failure or note)
    except TimeoutError:
        note = "no answer"
    except OSError as error:
        note = error.strerror or str(error)
    return [_hop("tcp", server, started_s, question, size, note)], answer


def _connect(server: Server, kind: socket.SocketKind) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(server.host, server.port, type=kind)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(TCP_PATIENCE_S)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _answer_to(question: bytes, data: bytes) -> Message | None:
    """None when it is not an answer to this question: on UDP anybody can send anything."""
    try:
        message = decode(data)
    except ProtocolError:
        return None
    is_ours = message.envelope.request_id == int.from_bytes(question[8:12])
    return message if is_ours and not message.header.is_request else None


def _words(answer: Message) -> str:
    code = answer.header.response_code
    try:
        name = ResponseCode(code).name.lower().replace("_", " ")
    except ValueError:
        name = "unknown"
    return f"RC {code}, {name}"


def _hop(
    transport: str, server: Server, started_s: float, question: bytes, size: int, note: str
) -> Hop:
    seconds = time.monotonic() - started_s
    return Hop(transport, server.name, seconds, len(question), size, note)
