"""Closed-loop UDP load: a window of prepared datagrams out, the answers in, every answer checked by its request id."""

import select
import socket
import time
from collections.abc import Sequence

WINDOW = 32
"""Datagrams in flight per socket; small enough for default socket buffers."""
SOURCE_PORTS = 64
"""What a busy resolver or gateway asks from, rather than one port."""
REQUEST_ID_AT = 8
"""Offset of the request id in a native envelope; an echo peer sends it back at the same place."""


class UdpLoad:
    """Asks ``requests`` in turn from ``ports`` source ports. Call it with the seconds to run."""

    def __init__(self, address: tuple[str, int], requests: Sequence[bytes], ports: int) -> None:
        self.requests = [bytearray(request) for request in requests]
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(ports)]
        for each in self.sockets:
            each.connect(address)
            each.setblocking(False)
        self.next_request = 0
        self.lost = 0

    def __call__(self, seconds: float) -> int:
        answers, turn, deadline = 0, 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            answers += self._window(self.sockets[turn % len(self.sockets)])
            turn += 1
        return answers

    def close(self) -> None:
        for each in self.sockets:
            each.close()

    def _window(self, sock: socket.socket) -> int:
        waiting = set()
        for _ in range(WINDOW):
            number = self.next_request
            request = self.requests[number % len(self.requests)]
            request_id = (number & 0x7FFFFFFF).to_bytes(4)
            request[REQUEST_ID_AT : REQUEST_ID_AT + 4] = request_id
            sock.send(request)
            waiting.add(request_id)
            self.next_request = number + 1
        while waiting:
            try:
                answer = sock.recv(2048)
            except BlockingIOError:
                if not select.select([sock], [], [], 0.5)[0]:
                    self.lost += len(waiting)
                    break
                continue
            waiting.discard(answer[REQUEST_ID_AT : REQUEST_ID_AT + 4])
        return WINDOW - len(waiting)
