"""``python -m bench.foreign``: a foreign hit beside a local hit: the same node, records of the same size, in turn.

Local answers come from the store's memory map, foreign ones from the encoded answers; neither builds an object.
"""

import argparse
import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.compare.generator import Target
from bench.compare.requests import Request, write_requests
from bench.compare.spread import make_generator
from bench.compare.tools import compile_tools
from bench.cores import pin_load, worker_of
from bench.outages.asker import question, truth_of
from bench.outages.pair import PREFIX, ROOMY, Pair, running_pair
from bench.outages.upstream import key_of
from bench.slices import Peer, alternate, least_ratio, median_cpu_us, ratios
from node.asking.native import Server, ask

DAY_S = 86_400


def main() -> int:
    options = _options()
    pin_load()
    with contextlib.ExitStack() as stack:
        pair = stack.enter_context(running_pair(options.keys, ttl_s=DAY_S, settings=ROOMY))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-bench-")))
        _fill(pair, directory / "rows.csv", options.keys)
        tools = compile_tools(directory)
        worker = worker_of(pair.node)
        asked = {
            "foreign": [key_of(n) for n in range(options.keys)],
            "local": [f"{PREFIX}/SN-{n:06d}" for n in range(options.keys)],
        }
        peers = []
        for name, keys in asked.items():
            path = write_requests(directory / name, _known(pair, keys))
            made = make_generator(stack, tools, Target("handle-udp", pair.port, path))
            peers.append(Peer(name, worker, made.run))
        found = alternate(peers, options.rounds, options.seconds)
        assert not found.failures, found.failures
        results = found.slices
        ratio, low, high = ratios(results["foreign"], results["local"])
        facts = {
            "keys": options.keys,
            "slices": options.rounds,
            "foreign_of_local": round(ratio, 3),
            "low": round(low, 3),
            "high": round(high, 3),
            "of_least_slices": round(least_ratio(results["foreign"], results["local"]), 3),
            "foreign_us": round(median_cpu_us(results["foreign"]), 2),
            "local_us": round(median_cpu_us(results["local"]), 2),
            "lost": sum(one.lost for slices in results.values() for one in slices),
        }
    print(json.dumps(facts, indent=2))
    return 0


def _known(pair: Pair, keys: list[str]) -> list[Request]:
    """Questions for these identifiers; each was asked once over TCP already, so all are known."""
    numbers = itertools.count(1)
    questions = [question(key, next(numbers)) for key in keys]
    server = Server("127.0.0.1", pair.port)
    for asked in questions:
        assert ask(server, asked, ("tcp",)).response_code == 1
    return [Request(asked, key.encode()) for asked, key in zip(questions, keys, strict=True)]


def _fill(pair: Pair, rows: Path, keys: int) -> None:
    names = (f"{PREFIX}/SN-{n:06d}" for n in range(keys))
    lines = (f"{name.partition('/')[2]},{truth_of(name)}" for name in names)
    rows.write_text("number,url\n" + "\n".join(lines) + "\n")
    command = [
        sys.executable, "-m", "node.cli", "import", str(rows), "--prefix", PREFIX, "--suffix", "{number}",
        "--value", "URL={url}", "--config", str(pair.node.made.settings), "--json",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.foreign", description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000, help="identifiers of each (10,000)")
    parser.add_argument("--rounds", type=int, default=15, help="slices of each (15)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a slice (1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
