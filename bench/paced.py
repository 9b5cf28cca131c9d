"""A steady, modest asker in a process of its own: waits of single UDP and HTTP questions, until its input ends.

Usage: ``python -m bench.paced UDP_PORT HTTP_PORT IDENTIFIER [AUTHORIZATION]``; with a login it registers single
records in between (the same one again and again, each time with another value). At the end it prints one JSON object,
milliseconds by kind of question.
It asks on a fixed schedule whether or not the last answer was late, so a stalled server cannot hide behind a pause of
its own making.
"""

import http.client
import json
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from node.asking.native import resolve_question
from node.asking.web import handle_target
from node.clock import read_clocks
from node.demo.node_process import NodeProcess

PERIOD_S = 0.01
"""A hundred questions a second, of each kind in turn."""
LOST_S = 5.0
"""A question that is unanswered for so long counts as that."""


class Asker:
    """This file in a process of its own, as whoever measures has it."""

    def __init__(self, node: NodeProcess, identifier: str, authorization: str = "") -> None:
        words = [str(node.native.port), node.url.rpartition(":")[2], identifier, authorization]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.paced", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def add_to(self, waits_ms: dict[str, list[float]]) -> None:
        """End it; milliseconds of each question, by kind, come behind those that are there."""
        said, _ = self._process.communicate()
        for name, found in json.loads(said).items():
            waits_ms.setdefault(name, []).extend(found)


def p99(waits_ms: list[float]) -> float:
    """The wait that one question in a hundred exceeds."""
    return statistics.quantiles(waits_ms, n=100)[98]


def main() -> int:
    udp_port, http_port, identifier = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    authorization = sys.argv[4] if len(sys.argv) > 4 else ""
    question = resolve_question(identifier.encode(), (), (), read_clocks().wall_s)
    target = handle_target(identifier)
    web = http.client.HTTPConnection("127.0.0.1", http_port, timeout=LOST_S)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", udp_port))
        udp.settimeout(LOST_S)

        def ask_udp() -> None:
            udp.send(question)
            udp.recv(2048)

        def ask_http() -> None:
            web.request("GET", target)
            answer = web.getresponse()
            assert answer.status == 200
            answer.read()

        ways = {"udp": ask_udp, "http": ask_http}
        if authorization:
            ways["put"] = _putter(http_port, identifier, authorization)
        print(json.dumps(_ask(ways)))
    return 0


def _putter(http_port: int, identifier: str, authorization: str) -> Callable[[], None]:
    """Registers one value after the other beside the identifier that is asked for."""
    web = http.client.HTTPConnection("127.0.0.1", http_port, timeout=LOST_S)
    target = handle_target(f"{identifier}-WRITTEN")
    headers = {"Authorization": authorization, "Content-Type": "application/json"}

    def put() -> None:
        values = [{"index": 1, "type": "N", "data": str(time.monotonic_ns())}]
        web.request("PUT", target, json.dumps({"values": values}), headers)
        answer = web.getresponse()
        assert answer.status in (200, 201), answer.status
        answer.read()

    return put


def _ask(ways: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    waits_ms: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    due_s = time.monotonic()
    turn = 0
    while not select.select([sys.stdin], [], [], max(0.0, due_s - time.monotonic()))[0]:
        name = names[turn % len(names)]
        asked_s = max(due_s, time.monotonic() - LOST_S)
        ways[name]()
        waits_ms[name].append((time.monotonic() - asked_s) * 1000)
        due_s += PERIOD_S
        turn += 1
    return waits_ms


if __name__ == "__main__":
    sys.exit(main())
