"""Overload: the peak is measured, then a multiple of it offered, then half: what is still answered, and how soon again.

The node runs on one core, the load on another. Over UDP so many questions are offered by the clock; over TCP and HTTP
as many times more connections ask as fast as they get answers, and a crowd beyond the limit of connections knocks.
With ``--share 0.2`` the worker has a fifth of its core, so that the other one can ask ten times what it answers.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.compare.generator import CompiledGenerator, Target
from bench.compare.requests import (
    PREFIX,
    SUFFIX,
    VALUES,
    handle_requests,
    http_requests,
    identifier,
    rows,
    write_requests,
)
from bench.compare.tools import compile_tools
from bench.cores import (
    IS_SHARED,
    LOAD_CORE,
    SERVER_CORE,
    pin_load,
    pin_server,
    started_on,
    worker_of,
)
from bench.outages.probes import (
    HEALTH_PAUSE_S,
    STREAM_PATIENCE_S,
    UDP_PATIENCE_S,
    Datagrams,
    Probe,
    Streams,
    look_at_health,
)
from bench.quota import NoQuota, limited
from bench.slices import Loaded
from node.demo.node_process import NodeProcess

KEYS = 10_000
CONNECTIONS = 512
"""The node's limit: high enough for ten times the connections of the peak, low enough to be reached."""
PEAK_STREAMS = 32
KNOCKS_PER_S = 2_000
"""Connections beyond the limit that are tried, for each protocol that has any; of these, too, its share."""
SETTLE_S = 0.5
"""From the load's first connection to the first knock: those who came first are in."""
WARM_S = 3.0
SHORT_S = 3.0
"""Of the phases before the overload."""
RECOVERY_S = 6.0
WELL_S = 0.02
"""An answer within this is a good one after an overload, on a machine whose cores are all busy."""
KINDS = {"udp": "handle-udp", "tcp": "handle-tcp", "http": "http"}
SETTINGS = {"access.unlimited_networks": ["127.0.0.0/8"], "limits.connections": CONNECTIONS}


class Sockets(Target):
    """A target asked from so many connections."""

    @property
    def sockets(self) -> int:
        """Over UDP source ports."""
        return 1024 if self.kind.endswith("udp") else self.streams

    streams: int = PEAK_STREAMS


class Most(Sockets):
    """Nearly all that the node takes; the crowd soon has the rest."""

    streams = CONNECTIONS - 64


class Half(Sockets):
    """Half the connections of the peak."""

    streams = PEAK_STREAMS // 2


class Stand(NamedTuple):
    """What an experiment runs on."""

    node: NodeProcess
    program: Path
    directory: Path
    share: float

    def target(self, transport: str, kind: type[Sockets]) -> Sockets:
        """Where to, with the requests it takes."""
        web = int(self.node.url.rpartition(":")[2])
        port = web if transport == "http" else self.node.native.port
        return kind(KINDS[transport], port, self.directory / f"{transport}.requests")


async def overload(times: float, seconds: float, share: float = 1.0) -> dict[str, object]:
    """Each protocol alone, then all at once; the worker has this share of its core."""
    with _stand(share) as stand:
        found: dict[str, object] = {"one core for both": IS_SHARED, "times": times, "share": share}
        for transports in (("udp",), ("tcp",), ("http",), tuple(KINDS)):
            name = transports[0] if len(transports) == 1 else "mixed"
            found[name] = await _experiment(stand, transports, times, seconds)
        return found


async def _experiment(
    stand: Stand, transports: tuple[str, ...], times: float, seconds: float
) -> dict[str, object]:
    async with _probing(stand) as probes:
        # Caches are warm and connections made afterwards, also by a worker with a share of its core.
        await _together(stand, transports, Sockets, WARM_S / stand.share)
        peak = await _together(stand, transports, Sockets, SHORT_S)
        quiet_s = time.monotonic()
        await _together(stand, transports, Half, SHORT_S, rate=0.5 * peak.get("udp", 0.0))
        begin_s = time.monotonic()
        knocking = [_crowd(stand, one, seconds) for one in transports if one != "udp"]
        load = _together(stand, transports, Most, seconds, rate=times * peak.get("udp", 0.0))
        reached, *crowds = await asyncio.gather(load, *knocking)
        end_s = time.monotonic()
        await _together(stand, transports, Half, RECOVERY_S, rate=0.5 * peak.get("udp", 0.0))
        after_s = time.monotonic()
    asked = [probes[one] for one in transports]
    health = probes["health"].between(begin_s, after_s)
    goodput = {one: round(reached[one] / peak[one], 3) for one in transports}
    return {
        "peak_per_s": peak,
        "overload_per_s": {one: reached[one] for one in transports},
        "offered_times_peak": reached.get("udp offered", 0.0) / peak["udp"] if "udp" in peak else None,
        "goodput": goodput,
        "goodput_together": round(sum(goodput.values()) / len(goodput), 3),
        "crowds": dict(zip([one for one in transports if one != "udp"], crowds, strict=True)),
        "clients at half load": {
            one: probes[one].between(quiet_s, begin_s) for one in transports
        },
        "clients in overload": {one: probes[one].between(begin_s, end_s) for one in transports},
        "recovered_after_s": max(_recovered_s(one, quiet_s, begin_s, end_s) for one in asked),
        "health": health,
        "refused by the node": _counted(stand, "biaojie_overload_refused", "work"),
    }  # fmt: skip


def _recovered_s(probe: Probe, quiet_s: float, begin_s: float, end_s: float) -> float:
    """Until its answers come again in twice the time they took before, or in ``WELL_S``."""
    before = [one.wait_s for one in probe.samples if quiet_s <= one.at_s < begin_s]
    usual_s = sorted(before)[int(0.99 * len(before))] if before else 0.0
    return probe.recovered_after_s(end_s, max(WELL_S, 2 * usual_s))


async def _together(
    stand: Stand,
    transports: tuple[str, ...],
    kind: type[Sockets],
    seconds: float,
    rate: float = 0.0,
) -> dict[str, float]:
    """Answers a second by transport, all loaded at the same time; ``rate`` is that of UDP, 0 = as it takes them."""

    def load(transport: str) -> Loaded:
        with started_on(frozenset({LOAD_CORE})):
            generator = CompiledGenerator(stand.program, stand.target(transport, kind))
        try:
            if transport == "udp" and rate:
                return generator.pace(seconds, rate).loaded
            return generator.run(seconds)
        finally:
            generator.close()

    before, began_s = await asyncio.to_thread(_udp_answers, stand), time.monotonic()
    loads = await asyncio.gather(*(asyncio.to_thread(load, one) for one in transports))
    sent = await asyncio.to_thread(_udp_answers, stand) - before
    took_s = time.monotonic() - began_s
    found = {
        one: round(loaded.answers / loaded.wall_ns * 1e9)
        for one, loaded in zip(transports, loads, strict=True)
    }
    for one, loaded in zip(transports, loads, strict=True):
        if one == "udp":
            # A flood is more than its sender can count: the node's own count holds, and the probes say how late it is.
            found["udp"] = round(sent / took_s)
            found["udp offered"] = round((loaded.answers + loaded.lost) / loaded.wall_ns * 1e9)
    return found


async def _crowd(stand: Stand, transport: str, seconds: float) -> dict[str, object]:
    settle_s = SETTLE_S / stand.share
    await asyncio.sleep(settle_s)
    port = stand.target(transport, Sockets).port
    words = [
        sys.executable,
        "-m",
        "bench.outages.crowd",
        str(port),
        str(KNOCKS_PER_S * stand.share),
        str(seconds - settle_s),
    ]
    with started_on(frozenset({LOAD_CORE})):
        process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    crowd: dict[str, object] = json.loads(said)
    return crowd


@contextlib.asynccontextmanager
async def _probing(stand: Stand) -> AsyncIterator[dict[str, Probe]]:
    """Clients of every protocol and a monitor, for as long as it takes."""
    names = [identifier(n) for n in range(0, KEYS, 97)]
    web = stand.target("http", Sockets).port
    operations = int(stand.node.operations_url.rpartition(":")[2])
    datagrams = await Datagrams.open(stand.node.native.port)
    tcp, http = Streams(stand.node.native.port, is_http=False), Streams(web, is_http=True)
    probes = {name: Probe(names) for name in (*KINDS, "health")}
    tasks = [
        asyncio.create_task(probes["udp"].run(datagrams.ask, UDP_PATIENCE_S)),
        asyncio.create_task(probes["tcp"].run(tcp.ask, STREAM_PATIENCE_S)),
        asyncio.create_task(probes["http"].run(http.ask, STREAM_PATIENCE_S)),
        asyncio.create_task(
            probes["health"].run(
                lambda _: look_at_health(operations), STREAM_PATIENCE_S, HEALTH_PAUSE_S
            )
        ),
    ]
    try:
        yield probes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _counted(stand: Stand, name: str, label: str) -> dict[str, float]:
    """A counter of the node so far, by the value of its label, over all workers."""
    with urllib.request.urlopen(stand.node.operations_url + "/metrics", timeout=5) as reply:
        lines = reply.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith(f"{name}_total{{"):
            value = line.partition(f'{label}="')[2].partition('"')[0]
            found[value] = found.get(value, 0.0) + float(line.rpartition(" ")[2])
    return found


def _udp_answers(stand: Stand) -> float:
    return _counted(stand, "biaojie_hot_answers", "transport").get("udp", 0.0)


@contextlib.contextmanager
def _stand(share: float) -> Iterator[Stand]:
    pin_load()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-bench-")))
        program = compile_tools(directory).load
        if program is None:
            raise SystemExit("a C compiler is needed: a load generator in Python overloads nobody")
        node = NodeProcess(directory / "node", PREFIX, SETTINGS)
        stack.callback(node.stop)
        node.start()
        _fill(node, directory)
        pin_server(node.pid)
        for transport, make in (("udp", handle_requests), ("tcp", handle_requests)):
            write_requests(directory / f"{transport}.requests", make(range(KEYS), time.time()))
        write_requests(directory / "http.requests", http_requests(range(KEYS)))
        if share < 1.0:
            try:
                stack.enter_context(limited(worker_of(node), share))
            except NoQuota as trouble:
                raise SystemExit(f"--share {share:g}: {trouble}") from None
            # Clients and monitor: the load fills its own core.
            os.sched_setaffinity(0, {SERVER_CORE})
        yield Stand(node, program, directory, share)


def _fill(node: NodeProcess, directory: Path) -> None:
    file = directory / "rows.csv"
    file.write_text("".join(rows(KEYS)))
    values = [word for value in VALUES for word in ("--value", value)]
    done = node.run("import", str(file), "--prefix", PREFIX, "--suffix", SUFFIX, *values)
    assert done.returncode == 0, done.stderr
