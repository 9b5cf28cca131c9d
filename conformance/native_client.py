"""Clients of the native protocol over blocking sockets, one thing at a time.

Silence and hang-ups where an answer is due are ``Failed``: that is what a client of the node would see. That nobody
listens at all is ``Unable``.
"""

import secrets
import socket
from abc import ABC, abstractmethod

from conformance.clock import monotonic_s
from conformance.native_messages import (
    PLAIN,
    Exchange,
    Fields,
    challenge_of,
    read_answer,
    request_bytes,
    sign_challenge,
)
from conformance.outcome import Failed, Unable
from conformance.target import Account
from protocols.errors import ProtocolError
from protocols.handle.codec import Body
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.envelope import ENVELOPE_BYTES, decode_envelope
from protocols.handle.fragments import Reassembly, split
from protocols.handle.stream import MessageStream

READ_BYTES = 65_536


class Client(ABC):
    """What TCP and UDP have in common."""

    def __init__(self, answer_s: float) -> None:
        self.answer_s = answer_s

    @abstractmethod
    def send(self, message: bytes) -> None:
        """Bytes as they are, or, over UDP, in as many packets as needed."""

    @abstractmethod
    def receive_raw(self, request_id: int | None = None) -> bytes:
        """The next whole message (over UDP: that of ``request_id``). Raises ``Failed``."""

    @abstractmethod
    def close(self) -> None:
        """Hang up."""

    def ask_raw(self, message: bytes) -> Exchange:
        """Send a whole message, read its answer. Raises ``Failed``."""
        self.send(message)
        request_id = int.from_bytes(message[8:12]) if len(message) >= ENVELOPE_BYTES else None
        raw = self.receive_raw(request_id)
        return Exchange(message, read_answer(raw), raw)

    def ask(self, op_code: int, body: Body, fields: Fields = PLAIN) -> Exchange:
        """One request, one answer."""
        return self.ask_raw(request_bytes(op_code, body, fields))

    def ask_as(
        self,
        account: Account,
        op_code: int,
        body: Body,
        fields: Fields = PLAIN,
        *,
        mac_code: int | None = None,
    ) -> Exchange:
        """One request, with the answer to its challenge; the last answer, with the first request."""
        first = self.ask(op_code, body, fields)
        if first.code != ResponseCode.AUTHENTICATION_NEEDED:
            return first
        last = self.answer_challenge(first, account, fields, mac_code=mac_code)
        return Exchange(first.sent, last.answer, last.raw)

    def answer_challenge(
        self,
        first: Exchange,
        account: Account,
        fields: Fields = PLAIN,
        *,
        mac_code: int | None = None,
    ) -> Exchange:
        """Answer the challenge in ``first``; what comes then."""
        content = challenge_of(first)
        version = first.answer.envelope.version
        body = sign_challenge(account, content, version=version, mac_code=mac_code)
        session_id = first.answer.envelope.session_id
        later = fields._replace(session_id=session_id, request_id=None, credential=None)
        return self.ask(OpCode.CHALLENGE_ANSWER, body, later)


class HungUp(Failed):
    """The node ended the connection instead of answering."""

    def __init__(self) -> None:
        super().__init__("an answer", "the connection was closed")


class TcpClient(Client):
    """One connection; or one after another, for nodes that hang up after each answer (``may_reconnect``)."""

    def __init__(
        self, host: str, port: int, answer_s: float, *, may_reconnect: bool = True
    ) -> None:
        super().__init__(answer_s)
        self._place = host, port
        self._may_reconnect = may_reconnect
        self._connect()

    def _connect(self) -> None:
        host, port = self._place
        try:
            self.socket = socket.create_connection((host, port), timeout=self.answer_s)
        except OSError as error:
            raise Unable(f"no connection to {host}:{port}: {error}") from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = MessageStream(limits={})
        self._waiting: list[bytes] = []
        self._is_used = False

    def ask_raw(self, message: bytes) -> Exchange:
        """As Handle.Net's clients do: whoever hangs up after an answer is called again for the next question."""
        if not self._may_reconnect or not self._is_used:
            return super().ask_raw(message)
        try:
            return super().ask_raw(message)
        except HungUp:
            self.close()
            self._connect()
            return super().ask_raw(message)

    def send(self, message: bytes) -> None:
        """Bytes as they are. A peer that has hung up is noticed when its answer is read."""
        self.socket.settimeout(self.answer_s)
        try:
            self.socket.sendall(message)
        except TimeoutError:
            raise Failed("a node that reads what it is sent", "a full pipe") from None
        except OSError:
            return

    def receive_raw(self, request_id: int | None = None) -> bytes:  # noqa: ARG002  in order on TCP
        """The next whole message; a late, cut or malformed one is ``Failed``."""
        deadline_s = monotonic_s() + self.answer_s
        while not self._waiting:
            data = self.read(deadline_s - monotonic_s())
            if data is None:
                raise Failed(f"an answer within {self.answer_s:g} s", "silence")
            if not data:
                raise HungUp
            self._waiting += self._stream.receive(data)
            if self._stream.failure is not None and not self._waiting:
                raise Failed("an answer in the protocol's format", str(self._stream.failure))
        self._is_used = True
        return self._waiting.pop(0)

    def is_silent(self, for_s: float) -> bool:
        """Whether nothing comes and nobody hangs up for so long."""
        return not self._waiting and self.read(for_s) is None

    def unasked(self, for_s: float) -> bytes:
        """What comes, or came, without being asked for; empty = nothing, or the end of the connection."""
        return self._waiting.pop(0) if self._waiting else self.read(for_s) or b""

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def read(self, patience_s: float) -> bytes | None:
        """None = nothing came; empty = hung up."""
        self.socket.settimeout(max(patience_s, 0.001))
        try:
            return self.socket.recv(READ_BYTES)
        except TimeoutError:
            return None
        except OSError:
            return b""


class UdpClient(Client):
    """One local port, which hears only the node."""

    def __init__(
        self, host: str, port: int, answer_s: float, *, from_stranger: bool = False
    ) -> None:
        """``from_stranger``: from a loopback address that nobody has used, where the node is on loopback."""
        super().__init__(answer_s)
        self.is_stranger = False
        """Whether the local address is a fresh one."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM
            )[0]
            self.socket = socket.socket(family, kind, protocol)
            if from_stranger and family == socket.AF_INET and str(address[0]).startswith("127."):
                middle, last = 1 + secrets.randbelow(254), 2 + secrets.randbelow(250)
                self.socket.bind((f"127.{middle}.{secrets.randbelow(256)}.{last}", 0))
                self.is_stranger = True
            self.socket.connect(address)
        except OSError as error:
            raise Unable(f"{host}:{port}: {error}") from None

    def send(self, message: bytes) -> None:
        """In as many packets as it needs."""
        for packet in split(message) if len(message) >= ENVELOPE_BYTES else [message]:
            self.send_datagram(packet)

    def send_datagram(self, data: bytes) -> None:
        """One packet, whatever is in it."""
        try:
            self.socket.send(data)
        except OSError as error:
            raise Unable(f"UDP: {error}") from None

    def receive_datagram(self, within_s: float) -> bytes | None:
        """The next packet, None when none comes."""
        self.socket.settimeout(max(within_s, 0.001))
        try:
            return self.socket.recv(READ_BYTES)
        except TimeoutError:
            return None
        except OSError as error:
            raise Unable(f"nobody listens on the UDP port: {error}") from None

    def receive_raw(self, request_id: int | None = None) -> bytes:
        """The message that answers ``request_id``, put together from its packets."""
        reassembly = Reassembly(request_id or 0)
        deadline_s = monotonic_s() + self.answer_s
        while (data := self.receive_datagram(deadline_s - monotonic_s())) is not None:
            try:
                if request_id is None:
                    reassembly.request_id = decode_envelope(data).request_id
                whole = reassembly.receive(data)
            except ProtocolError as error:
                raise Failed("packets in the protocol's format", str(error)) from None
            if whole is not None:
                return whole
        raise Failed(f"an answer over UDP within {self.answer_s:g} s", "silence")

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()
