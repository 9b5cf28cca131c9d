"""A scripted peer, and checks and results made up for tests."""

import socket
import threading
from collections.abc import Callable

from conformance.check import Check, Need
from conformance.outcome import Result, Verdict
from conformance.target import Target
from conformance.visit import Visit


def made_up(
    id_: str, run: Callable[[Visit], None] = lambda _: None, *needs: Need, source: str = "RFC 3652"
) -> Check:
    """A check that is in no table."""
    return Check(id_, f"Something about {id_}.", source, frozenset(needs), run)


def result(check: Check, verdict: Verdict, expected: str = "", came: str = "") -> Result:
    """How it ended, after 250 ms."""
    return Result(check.id, verdict, expected, came, 0.25)


class Peer:
    """Listens on loopback; each connection is served by the next function, the last one for ever."""

    def __init__(self, *serve: Callable[[socket.socket], None]) -> None:
        self._serve = list(serve)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def target(self, answer_s: float = 5.0) -> Target:
        """This peer as a node."""
        return Target("127.0.0.1", self.port, answer_s=answer_s, silence_s=0.05)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                serve = self._serve[min(self.connections, len(self._serve) - 1)]
                self.connections += 1
                serve(connection)


def answering(*answers: Callable[[bytes], bytes]) -> Callable[[socket.socket], None]:
    """Reads a request for each, answers it, and hangs up."""

    def serve(connection: socket.socket) -> None:
        for answer in answers:
            head = _read(connection, 20)
            if len(head) < 20:
                return
            request = head + _read(connection, int.from_bytes(head[16:20]))
            connection.sendall(answer(request))

    return serve


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data
