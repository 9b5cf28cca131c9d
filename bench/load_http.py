"""Closed-loop HTTP/1.1 load over keep-alive connections: prepared requests out, whole answers in, status checked."""

import selectors
import socket
import time
from collections.abc import Sequence


class HttpLoad:
    """``connections`` persistent connections, one request in flight on each. Call it with the seconds to run."""

    def __init__(
        self, address: tuple[str, int], requests: Sequence[bytes], connections: int
    ) -> None:
        self.requests = requests
        self.next_request = 0
        self.selector = selectors.DefaultSelector()
        self.sockets = [socket.create_connection(address) for _ in range(connections)]
        for each in self.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(each, selectors.EVENT_READ)

    def __call__(self, seconds: float) -> int:
        answers, deadline = 0, time.monotonic() + seconds
        in_flight = 0
        for sock in self.sockets:
            self._ask(sock)
            in_flight += 1
        while in_flight:
            ready = self.selector.select(5)
            if not ready:
                raise TimeoutError("no answer for 5 s")
            go_on = time.monotonic() < deadline
            for key, _ in ready:
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                self._read_answer(sock)
                answers += 1
                in_flight -= 1
                if go_on:
                    self._ask(sock)
                    in_flight += 1
        return answers

    def close(self) -> None:
        self.selector.close()
        for each in self.sockets:
            each.close()

    def _ask(self, sock: socket.socket) -> None:
        sock.sendall(self.requests[self.next_request % len(self.requests)])
        self.next_request += 1

    def _read_answer(self, sock: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive(sock)
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"unexpected answer: {head[:80]!r}")
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < size:
            body += self._receive(sock)

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        data = sock.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data
