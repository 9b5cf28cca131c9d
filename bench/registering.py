"""``python -m bench.registering``: batches at full speed and at a pace, single PUTs, and what readers feel meanwhile.

Two nodes that differ in ``store.bulk_rows_per_s`` take turns. In each round each is asked at a steady rate with nothing
else going on, and then while batches of 1,000 rows come in one after the other; the asker (``paced.py``, a process of
its own) reads over UDP and HTTP and registers single records, by a schedule that waits for no answer. At the end single
PUTs come one by one. CPU is that of all processes of the node.
"""

import argparse
import contextlib
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.cpu import tree_times
from bench.paced import Asker, p99
from node.demo.node_process import NodeProcess

PREFIX = "88.118"
ASKED = f"{PREFIX}/SN-0000000000"
ROWS = 1000
PACE_ROWS_PER_S = 32_000
_LINE = (
    '{"handle":"88.118/SN-%010d","values":[{"index":1,"type":"URL",'
    '"data":"https://static.example.org/products/%010d.html"},{"index":2,"type":"NAME","data":"Pump %d"}]}\n'
)
_VALUES = '{"values":[{"index":1,"type":"URL","data":"https://static.example.org/%d.html"}]}'


class Registrations:
    """One HTTP connection to a node, logged in as its administrator."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node
        port = int(node.url.rpartition(":")[2])
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        login = node.web.login
        assert login is not None
        self.authorization = login.header
        self._next = 0

    def batch(self) -> int:
        """One batch of new rows; how many were registered."""
        first, self._next = self._next, self._next + ROWS
        lines = "".join(_LINE % (n, n, n) for n in range(first, first + ROWS))
        said = self._ask("POST", "/api/batch", lines, "application/x-ndjson")
        summary = json.loads(said.splitlines()[-1])
        assert summary["registered"] == ROWS, summary
        return ROWS

    def single(self) -> int:
        """One new record by PUT."""
        self._next += 1
        target = f"/api/handles/{PREFIX}/ONE-{self._next:010d}"
        self._ask("PUT", target, _VALUES % self._next, "application/json")
        return 1

    def _ask(self, method: str, target: str, body: str, kind: str) -> bytes:
        headers = {"Content-Type": kind, "Authorization": self.authorization}
        self._connection.request(method, target, body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        assert answer.status in (200, 201), said
        return said

    def for_seconds(self, seconds: float, act: Callable[[], int]) -> dict[str, float]:
        """Rows a second and the node's CPU a row."""
        before, started_s, rows = tree_times(self._node.pid).cpu_ns, time.monotonic(), 0
        while time.monotonic() - started_s < seconds:
            rows += act()
        wall_s = time.monotonic() - started_s
        cpu_ns = tree_times(self._node.pid).cpu_ns - before
        return {"rows_per_s": rows / wall_s, "cpu_us_per_row": cpu_ns / 1000 / rows}


def main() -> int:
    options = _options()
    names = ("unpaced", "paced")
    waits: dict[str, dict[str, dict[str, list[float]]]] = {
        name: {"quiet": {}, "busy": {}} for name in names
    }
    bulk: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with (
        tempfile.TemporaryDirectory(prefix="biaojie-bench-") as name,
        contextlib.ExitStack() as stack,
    ):
        sides = {}
        for side, pace in zip(names, (0, options.pace), strict=True):
            node = NodeProcess(Path(name) / side, PREFIX, {"store.bulk_rows_per_s": pace})
            node.start()
            stack.callback(node.stop)
            sides[side] = (node, Registrations(node))
            sides[side][1].batch()
        for _ in range(options.rounds):
            for side, (node, registrations) in sides.items():
                asker = Asker(node, ASKED, registrations.authorization)
                time.sleep(options.seconds)
                asker.add_to(waits[side]["quiet"])
                asker = Asker(node, ASKED, registrations.authorization)
                bulk[side].append(registrations.for_seconds(options.seconds, registrations.batch))
                asker.add_to(waits[side]["busy"])
        _, registrations = sides["unpaced"]
        singles = registrations.for_seconds(options.seconds, registrations.single)
    facts: dict[str, object] = {"single_puts": _rounded(singles)}
    for side in names:
        facts[side] = {**_medians(bulk[side]), "waits": _told(waits[side])}
    print(json.dumps(facts, indent=2))
    return 0


def _medians(found: list[dict[str, float]]) -> dict[str, float]:
    return _rounded({key: statistics.median(one[key] for one in found) for key in found[0]})


def _rounded(facts: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 2) for key, value in facts.items()}


def _told(waits: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Of each kind of question, with nothing else going on and beside batches."""
    told = {}
    for name, quiet in waits["quiet"].items():
        busy = waits["busy"][name]
        told[name] = _rounded({
            "quiet_median_ms": statistics.median(quiet),
            "busy_median_ms": statistics.median(busy),
            "quiet_p99_ms": p99(quiet),
            "busy_p99_ms": p99(busy),
            "p99_ratio": p99(busy) / p99(quiet),
        })  # fmt: skip
    return told


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.registering", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase (10)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument(
        "--pace", type=int, default=PACE_ROWS_PER_S, help="rows a second of the paced node"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
