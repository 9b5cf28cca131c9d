"""Small real servers on loopback for the loops to speak with: right, wrong, silent or slow as a test wants."""

import select
import socket
import threading
from collections.abc import Callable
from typing import Self

from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import ResponseCode
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import ResolveAnswer
from protocols.values.value import Value

LATER = 2_000_000_000
VALUES = (Value(1, "URL", b"https://example.org/1"),)

Respond = Callable[[bytes], list[bytes]]
"""What is sent back for one request."""


def right_answer(question: bytes) -> bytes:
    """The record that was asked for."""
    asked = decode(question)
    body = ResolveAnswer(asked.body.handle, VALUES)
    return encode(reply(asked, ResponseCode.SUCCESS, body, serial=1, expiration_s=LATER))


def answer_about(question: bytes, handle: bytes) -> bytes:
    """Success, about another handle."""
    body = ResolveAnswer(handle, VALUES)
    return encode(reply(decode(question), ResponseCode.SUCCESS, body, serial=1, expiration_s=LATER))


def refusal(question: bytes, code: ResponseCode) -> bytes:
    """An error answer."""
    return encode(error_reply(decode(question), code, "no", serial=1, expiration_s=LATER))


def decoded(question: bytes) -> Message:
    """What was asked."""
    return decode(question)


class UdpServer:
    """Answers each datagram by ``respond``, on a thread of its own."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._sock.bind(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._thread.join(10)
        self._sock.close()

    def _serve(self) -> None:
        while not self.stopping.is_set():
            if not select.select([self._sock], [], [], 0.02)[0]:
                continue
            question, address = self._sock.recvfrom(65_535)
            for answer in self._respond(question):
                self._sock.sendto(answer, address)


class TcpServer:
    """Hands each connection to ``talk``, on a thread of its own; ``talk`` ends when its socket does."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._threads[0].join(10)
        for sock in self._open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already
        for thread in self._threads:
            thread.join(10)
        for sock in (self._sock, *self._open):
            sock.close()

    def wait(self, seconds: float) -> None:
        """For ``talk``: take your time, unless the test is over."""
        self._stopping.wait(seconds)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            if select.select([self._sock], [], [], 0.02)[0]:
                sock, _ = self._sock.accept()
                self.connections += 1
                self._open.append(sock)
                thread = threading.Thread(target=self._serve, args=(sock,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            self._talk(sock)
        except OSError:
            return  # the other side is gone
        finally:
            sock.close()
