"""One size: a node made with so many identifiers, its disk, start and memory looked at, and its answers measured."""

import re
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.compare.requests import PREFIX, identifier
from bench.compare.spread import Spread, make_spread
from bench.compare.subject import make_node, question, serving, settings_of
from bench.compare.tools import Tools
from bench.cores import ALL_CORES
from bench.cpu import tree
from bench.growth.disk import DiskUse, read_disk_use
from bench.peers.process import PeerFailed, Running, ask_datagram
from bench.slices import Contest, Peer, alternate, median_cpu_us
from node.child import name_of
from node.lane.extension import load as load_lane
from protocols.handle.codes import RESPONSE_CODES
from protocols.message import Outcome

STARTS = 3
"""Starts of each node, on all cores; the median counts, the page cache being warm after the import."""
PACE_PER_S = 2000.0
"""For waits: far below what a worker can do, so that they are the answer's and not a queue's."""
_AUTHORITY_BYTES = 4
"""Of a store key, instead of the prefix."""
_HIT, _HOTTEST, _MISS = "hit", "hottest", "miss"


class Stage(NamedTuple):
    """What one number of identifiers costs. Bytes, seconds, microseconds of server CPU per answer, milliseconds."""

    keys: int
    rows_per_s: float | None
    """Of the import; None when the store was there already."""
    disk: DiskUse
    content_bytes: int
    """Keys and values as they go on the wire: what records cannot do without."""
    start_s: float
    rss_anon_bytes: int
    hit_us: float
    hottest_us: float
    miss_us: float
    hit_p99_ms: float
    miss_p99_ms: float

    @property
    def record_ratio(self) -> float:
        """Record bytes on disk for each byte of content."""
        return self.disk.records / self.content_bytes

    @property
    def spread_ratio(self) -> float:
        """The hottest key's cost by that of all keys: 1 = it does not matter what is asked."""
        return self.hottest_us / self.hit_us


def measure_stage(
    place: Path, tools: Tools, count: int, turns: tuple[int, float], on_step: Callable[[str], None]
) -> Stage:
    """Make the node in ``place`` unless it is there, and measure it. ``turns``: how many slices, how long."""
    rows_per_s = None
    settings = settings_of(place)
    if not settings.exists():
        on_step(f"importing {count:,} identifiers")
        settings, rows_per_s = make_node(place, count)
    disk = read_disk_use(settings)
    starts = []
    is_pure = load_lane() is None
    for _ in range(min(STARTS, turns[0])):
        on_step(f"starting with {count:,} identifiers")
        began_s = time.monotonic()
        with serving(settings, is_pure=is_pure, cores=ALL_CORES):
            starts.append(time.monotonic() - began_s)
    with serving(settings, is_pure=is_pure) as running, ExitStack() as stack:
        answer_bytes = len(ask_datagram(running.port, question()))
        spread = make_spread(stack, place, tools, running.port, count)
        spread.absent.expect_code(RESPONSE_CODES[Outcome.NOT_FOUND])
        found = _take_turns(spread, running, turns, on_step)
        on_step(f"waits with {count:,} identifiers")
        hit_p99, miss_p99 = (
            each.pace(turns[0] * turns[1], PACE_PER_S).waits_us.get("p99", float("nan")) / 1000
            for each in (spread.uniform, spread.absent)
        )
        rss = rss_anon_of_worker(running.pid)
    costs = {name: median_cpu_us(slices) for name, slices in found.slices.items()}
    return Stage(
        count, rows_per_s, disk, count * content_bytes(answer_bytes), statistics.median(starts),
        rss, costs[_HIT], costs[_HOTTEST], costs[_MISS], hit_p99, miss_p99,
    )  # fmt: skip


def content_bytes(answer_bytes: int) -> int:
    """Key and values of one record. Around them an answer has envelope, header, the identifier and no credential."""
    name = identifier(0).encode()
    key_bytes = _AUTHORITY_BYTES + len(name) - len(PREFIX) - 1
    return key_bytes + answer_bytes - 20 - 24 - 4 - len(name) - 4


def rss_anon_of_worker(pid: int) -> int:
    """Bytes of the largest serving worker below ``pid`` that no file backs. Raises ``PeerFailed`` without one."""
    found = []
    for each in tree(pid):
        process = Path(f"/proc/{each}")
        if name_of(each).startswith("worker-"):
            match = re.search(r"RssAnon:\s+(\d+) kB", (process / "status").read_text())
            found += [int(match[1]) * 1024] if match else []
    if not found:
        raise PeerFailed("the node has no worker")
    return max(found)


def _take_turns(
    spread: Spread, running: Running, turns: tuple[int, float], on_step: Callable[[str], None]
) -> Contest:
    peers = [
        Peer(_HIT, running.pid, spread.uniform.run),
        Peer(_HOTTEST, running.pid, spread.hottest.run),
        Peer(_MISS, running.pid, spread.absent.run),
    ]
    found = alternate(peers, *turns, on_step)
    if found.failures:
        raise PeerFailed("; ".join(f"{name}: {why}" for name, why in found.failures.items()))
    return found
