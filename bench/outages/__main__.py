"""``python -m bench.outages``: what clients feel while the upstream is in trouble, with real processes.

black-hole   every key learned, the upstream silent, all TTLs over, Zipf traffic
herd         many clients ask for one expired key at the same moment
flood        random suffixes at a multiple of the capacity, beside real traffic
brown-outs   seven kinds of a sick upstream
overload     ten times what the node can do, over each protocol and all at once, then half of it
"""

import argparse
import asyncio
import gc
import json
import sys

from bench.outages.experiments import black_hole, brown_outs, herd
from bench.outages.flood import flood
from bench.outages.overload import overload


def main() -> int:
    options = _options()
    gc.disable()  # the collector of a measuring process must not show up in what it measures
    match options.what:
        case "black-hole":
            work = black_hole(
                options.keys or 100_000, options.seconds or 600.0, options.rate or 400.0, 60
            )
        case "herd":
            work = herd(options.clients)
        case "flood":
            work = flood(
                options.times or 5.0,
                options.seconds or 60.0,
                options.rate or 100.0,
                options.sources,
            )
        case "overload":
            work = overload(options.times or 10.0, options.seconds or 10.0, options.share)
        case _:
            work = brown_outs(options.keys or 4_000, options.seconds or 10.0, options.rate or 400.0)
    print(json.dumps({options.what: asyncio.run(work)}, indent=2, ensure_ascii=False))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.outages", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("what", choices=["black-hole", "herd", "flood", "brown-outs", "overload"])
    parser.add_argument("--keys", type=int, help="identifiers (100,000; brown-outs 4,000)")
    parser.add_argument(
        "--seconds", type=float, help="length (600; flood 60; brown-outs and overload 10 each)"
    )
    parser.add_argument("--rate", type=float, help="real questions a second (400; flood 100)")
    parser.add_argument("--clients", type=int, default=10_000, help="herd: clients (10,000)")
    parser.add_argument("--times", type=float, help="times the capacity (flood 5; overload 10)")
    parser.add_argument(
        "--share", type=float, default=1.0, help="overload: of its core for the worker (1.0; root)"
    )
    parser.add_argument("--sources", type=int, default=2_000, help="flood: addresses (2,000)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
