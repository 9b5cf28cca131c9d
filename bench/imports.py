"""``python -m bench.imports``: bulk into a stopped node and into a running one, and what readers feel meanwhile.

Rounds alternate, because the machine is rarely quiet: rows into the stopped node; the node started and asked at a
steady rate with nothing else going on; as many new rows into the running node while it is asked at the same rate.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cpu import tree_times
from bench.paced import Asker, p99
from node.demo.node_process import NodeProcess

PREFIX = "88.118"
ASKED = f"{PREFIX}/SN-000000000"
QUIET_S = 10.0
"""How long readers are watched without an import: a thousand questions."""


def main() -> int:
    options = _options()
    rates: dict[str, list[float]] = {"stopped": [], "running": []}
    waits: dict[str, dict[str, list[float]]] = {"quiet": {}, "importing": {}}
    node_share = []
    with tempfile.TemporaryDirectory(prefix="biaojie-bench-") as directory:
        node = NodeProcess(Path(directory) / "node", PREFIX)
        for turn in range(options.rounds):
            first = 2 * turn * options.rows
            rates["stopped"].append(_import(node, first, options.rows)["rows_per_s"])
            node.start()
            with contextlib.ExitStack() as stack:
                stack.callback(node.stop)
                asker = Asker(node, ASKED)
                time.sleep(QUIET_S)
                asker.add_to(waits["quiet"])
                asker, started_s = Asker(node, ASKED), time.monotonic()
                before = tree_times(node.pid).cpu_ns
                rates["running"].append(
                    _import(node, first + options.rows, options.rows)["rows_per_s"]
                )
                used_ns = tree_times(node.pid).cpu_ns - before
                node_share.append(used_ns / 1e9 / (time.monotonic() - started_s))
                asker.add_to(waits["importing"])
    _report(options.rows, rates, waits, node_share)
    return 0


def _import(node: NodeProcess, first: int, count: int) -> dict[str, Any]:
    rows = node.made.directory / "rows.csv"
    with rows.open("w") as file:
        file.write("number,url,name\n")
        for n in range(first, first + count):
            file.write(f"{n:09d},https://static.example.org/products/{n:09d}.html,Pump {n}\n")
    command = [
        sys.executable, "-m", "node.cli", "import", str(rows), "--prefix", PREFIX, "--suffix", "SN-{number}",
        "--value", "URL={url}", "--value", "NAME={name}", "--config", str(node.made.settings), "--json",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["registered"] == count, report
    return report


def _report(
    rows: int,
    rates: dict[str, list[float]],
    waits: dict[str, dict[str, list[float]]],
    node_share: list[float],
) -> None:
    stopped, running = statistics.median(rates["stopped"]), statistics.median(rates["running"])
    facts: dict[str, object] = {
        "rows": rows,
        "stopped_rows_per_s": stopped,
        "running_rows_per_s": running,
        "ratio": round(running / stopped, 3),
        "node_cpu_share": round(statistics.median(node_share), 2),
    }
    for name, quiet in waits["quiet"].items():
        busy = waits["importing"][name]
        facts[name] = {
            "questions": len(busy),
            "quiet_median_ms": round(statistics.median(quiet), 3),
            "importing_median_ms": round(statistics.median(busy), 3),
            "quiet_p99_ms": round(p99(quiet), 3),
            "importing_p99_ms": round(p99(busy), 3),
            "importing_most_ms": round(max(busy), 1),
            "p99_ratio": round(p99(busy) / p99(quiet), 2),
        }
    print(json.dumps(facts, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of one import (200,000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
