"""``python -m bench.cache_traces``: which eviction policy misses least, on traces of what nodes are asked.

Prints a table of miss ratios (share of requests; the least of each row but the bound's is marked) and, with ``--json``,
the same as JSON. Pure arithmetic with fixed seeds: every machine prints the same.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from bench.cache_traces.policies import (
    GHOST_BYTES,
    Belady,
    Fifo,
    Lru,
    Policy,
    S3Fifo,
    SecondChance,
    Sieve,
)
from bench.cache_traces.traces import TRACES, loop, record_sizes, sizes_of

SHARES = (0.001, 0.01, 0.1)
"""Of the footprint: bytes of everything that a trace asks for."""
POLICIES: dict[str, Callable[[int], Policy]] = {
    "FIFO": Fifo,
    "LRU": Lru,
    "second chance": SecondChance,
    "SIEVE": Sieve,
    "S3-FIFO": S3Fifo,
    "S3-FIFO, ghosts paid": partial(S3Fifo, ghost_bytes=GHOST_BYTES),
    "S3-FIFO, one bit": partial(S3Fifo, most_count=1, ghost_bytes=GHOST_BYTES),
}


class Row(NamedTuple):
    """One trace against one size of cache."""

    trace: str
    cache_share: float
    cache_bytes: int
    requests: int
    keys: int
    miss_ratio: dict[str, float]


def main() -> int:
    options = _options()
    rows = []
    for name, make in TRACES.items():
        trace = make(random.Random(f"{options.seed} {name}"), options.keys, options.requests)
        sizes = sizes_of(trace, random.Random(f"{options.seed} sizes"))
        footprint = sum(sizes.values())
        for share in SHARES:
            rows.append(_measure(name, share, int(footprint * share), trace, sizes))
            print(_line(rows[-1]), file=sys.stderr)
    mean = sum(known := record_sizes()) // len(known)
    for share in SHARES:
        entries = int(options.keys * share)
        trace = loop(entries, options.requests)
        rows.append(
            _measure("loop of 1.1 caches", share, entries * mean, trace, dict.fromkeys(trace, mean))
        )
        print(_line(rows[-1]), file=sys.stderr)
    print(json.dumps([row._asdict() for row in rows], indent=1) if options.json else _table(rows))
    return 0


def _measure(
    name: str, share: float, most_bytes: int, trace: list[int], sizes: dict[int, int]
) -> Row:
    sized = [(key, sizes[key]) for key in trace]
    ratios = {}
    for policy, make in {**POLICIES, "bound": partial(Belady, trace=trace)}.items():
        access = make(most_bytes).access
        hits = sum(access(key, size) for key, size in sized)
        ratios[policy] = round(1 - hits / len(trace), 4)
    return Row(name, share, most_bytes, len(trace), len(sizes), ratios)


def _line(row: Row) -> str:
    return f"{row.trace} {row.cache_share:.1%}: {row.miss_ratio}"


def _table(rows: list[Row]) -> str:
    """Markdown."""
    names = list(rows[0].miss_ratio)
    lines = ["| trace | cache | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for row in rows:
        least = min(ratio for name, ratio in row.miss_ratio.items() if name != "bound")
        cells = [
            f"**{ratio:.3f}**" if ratio == least and name != "bound" else f"{ratio:.3f}"
            for name, ratio in row.miss_ratio.items()
        ]
        lines.append(f"| {row.trace} | {row.cache_share:.1%} | " + " | ".join(cells) + " |")
    mean = {name: sum(row.miss_ratio[name] for row in rows) / len(rows) for name in names}
    lines.append("| mean | | " + " | ".join(f"{mean[name]:.3f}" for name in names) + " |")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cache_traces", description=__doc__)
    parser.add_argument("--keys", type=int, default=50_000, help="popular identifiers (50,000)")
    parser.add_argument(
        "--requests", type=int, default=500_000, help="requests in a trace (500,000)"
    )
    parser.add_argument("--seed", default="biaojie", help="other traces of the same kinds")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
