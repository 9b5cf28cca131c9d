"""The honest client: asks for one record over UDP, TCP and HTTP all the while, and keeps count."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator

from tests.attacks.attacked_node import GOOD, AttackedNode
from tests.attacks.wire import ask_tcp, connect, question, read_reply, udp_socket

PAUSE_S = 0.02
UDP_WAIT_S = 0.5
"""Then the question is sent again, once, as every client does."""


class HonestClient:
    """Times of good answers in milliseconds, and what went wrong, by protocol."""

    def __init__(self, node: AttackedNode) -> None:
        self._node = node
        self.times_ms: dict[str, list[float]] = {"udp": [], "tcp": [], "http": []}
        self.faults: list[str] = []
        self._is_over = threading.Event()
        self._question = question(GOOD)
        asks = {"udp": self._by_udp, "tcp": self._by_tcp, "http": self._by_http}
        self._threads = [
            threading.Thread(target=self._run, args=(name, ask)) for name, ask in asks.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(20)

    def report(self) -> str:
        lines = []
        for name, times in self.times_ms.items():
            ordered = sorted(times)
            p99 = ordered[int(len(ordered) * 0.99)] if ordered else float("nan")
            worst = ordered[-1] if ordered else float("nan")
            lines.append(f"{name}: {len(times)} answers, p99 {p99:.1f} ms, worst {worst:.1f} ms")
        return "; ".join(lines)

    def assert_served(self, least: int = 10) -> None:
        """Every question got its answer; says how fast."""
        print(f"\nhonest client: {self.report()}")
        assert self.faults == [], self.faults
        for name, times in self.times_ms.items():
            assert len(times) >= least, f"{name}: {len(times)} answers only"

    def _run(
        self, name: str, make: Callable[[], contextlib.AbstractContextManager[Callable[[], None]]]
    ) -> None:
        with make() as ask:
            while not self._is_over.is_set():
                started_s = time.monotonic()
                try:
                    ask()
                except Exception as trouble:
                    self.faults.append(f"{name}: {trouble!r}")
                    return
                self.times_ms[name].append((time.monotonic() - started_s) * 1000)
                self._is_over.wait(PAUSE_S)

    @contextlib.contextmanager
    def _by_udp(self) -> Iterator[Callable[[], None]]:
        with udp_socket(self._node.native_port) as sock:
            sock.settimeout(UDP_WAIT_S)

            def ask() -> None:
                for is_last in (False, True):
                    sock.send(self._question)
                    try:
                        reply = read_reply(sock.recv(2048))
                    except TimeoutError:
                        if is_last:
                            raise
                        continue
                    assert reply.response_code == 1, reply
                    return

            yield ask

    @contextlib.contextmanager
    def _by_tcp(self) -> Iterator[Callable[[], None]]:
        with connect(self._node.native_port) as sock:

            def ask() -> None:
                reply = ask_tcp(sock, self._question)
                assert reply.response_code == 1, reply

            yield ask

    @contextlib.contextmanager
    def _by_http(self) -> Iterator[Callable[[], None]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._node.http_port, timeout=5)

        def ask() -> None:
            connection.request("GET", "/api/handles/" + GOOD)
            answer = connection.getresponse()
            document = json.loads(answer.read())
            assert (answer.status, document["handle"]) == (200, GOOD), document

        with contextlib.closing(connection):
            yield ask


@contextlib.contextmanager
def honest_client(node: AttackedNode) -> Iterator[HonestClient]:
    """Runs while the block runs."""
    client = HonestClient(node)
    client.start()
    try:
        yield client
    finally:
        client.stop()
