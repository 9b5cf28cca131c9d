"""The operations port over real sockets, and workers that answer by mail, late, or never."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from node.mailbox import ASK, REPORT, Mailbox, make_mailbox, send
from node.operations import MAX_HEAD_BYTES, Operations
from node.reports import Check, Report, ServerRow, pack, read_families
from node.watch import PATIENCE_S, SILENT_S, Watch
from node.writer import Writer

FINE = Check("disk", is_fine=True, reason="50 % free")


@dataclass
class StandIn:
    """A worker's side of the mail."""

    slot: int
    is_serving: bool = True
    checks: list[Check] = field(default_factory=lambda: [FINE])
    servers: list[ServerRow] = field(default_factory=list)
    is_hung: bool = False
    life: str = "first"
    is_last: bool = False

    def __post_init__(self) -> None:
        self.registry = CollectorRegistry()
        self.count = Counter("biaojie_receipts", "Some.", ["outcome"], registry=self.registry)
        self.open = Gauge("biaojie_tcp_connections", "Open.", registry=self.registry)
        self.seq = Gauge("biaojie_follower_seq", "Seen.", registry=self.registry)
        self.reading, self.box = make_mailbox()

    def start(self, operations: socket.socket) -> None:
        self._operations = operations
        self.mailbox = Mailbox(self.reading, {ASK: self._take})
        self.mailbox.start()

    def _take(self, _: Any, __: list[int]) -> None:
        if not self.is_hung:
            self.report()

    def report(self) -> None:
        families = read_families(self.registry.collect())
        report = Report(
            self.slot, f"{self.slot} {self.life}", 100 + self.slot, self.is_last, self.is_serving, self.checks,
            self.servers, families,
        )  # fmt: skip
        assert send(self._operations, REPORT, pack(report))


class Node:
    """Stand-ins for workers and the real operations port."""

    def __init__(self, workers: list[StandIn]) -> None:
        self.workers = workers
        self.port = 0

    async def get(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return int(head.split()[1]), body

    async def metric(self, line: str) -> float:
        text = (await self.get("/metrics"))[1].decode()
        (value,) = [
            row.rpartition(" ")[2] for row in text.splitlines() if row.startswith(line + " ")
        ]
        return float(value)


@contextlib.asynccontextmanager
async def node(tmp_path: Path, *workers: StandIn) -> AsyncIterator[Node]:
    reading, writing = make_mailbox()
    for worker in workers:
        worker.start(writing)
    watch = Watch(reading, [worker.box for worker in workers])
    watch.start()
    served = Operations(watch, Writer(tmp_path / "none", 1000, lambda _: None))
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    await served.start([sock])
    shown = Node(list(workers))
    shown.port = sock.getsockname()[1]
    try:
        yield shown
    finally:
        await served.stop()
        sock.close()
        watch.stop()
        for worker in workers:
            worker.mailbox.stop()
        for box in (reading, writing, *(s for w in workers for s in (w.reading, w.box))):
            box.close()


async def test_ready_as_long_as_one_worker_serves(tmp_path: Path) -> None:
    async with node(tmp_path, StandIn(0), StandIn(1)) as shown:
        assert (await shown.get("/ready"))[0] == 200
        shown.workers[0].is_serving = False
        assert (await shown.get("/ready"))[0] == 200
        shown.workers[1].is_serving = False
        assert (await shown.get("/ready"))[0] == 503


async def test_health_names_what_is_wrong_and_with_which_worker(tmp_path: Path) -> None:
    late = Check("event-loop", is_fine=False, reason="2000.0 ms late")
    fine = Check("event-loop", is_fine=True, reason="0.1 ms late")
    workers = StandIn(0, checks=[FINE, fine]), StandIn(1, checks=[FINE, late])
    async with node(tmp_path, *workers) as shown:
        status, body = await shown.get("/health")
    told = json.loads(body)
    checks = {check["name"]: check for check in told["checks"]}
    assert (status, told["status"]) == (503, "trouble")
    assert checks["disk"] == FINE._asdict()
    assert checks["event-loop"]["reason"] == "worker 1: 2000.0 ms late"
    assert [row["pid"] for row in told["workers"]] == [100, 101]


async def test_a_hung_worker_is_named_and_holds_nobody_up(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with node(tmp_path, StandIn(0), StandIn(1)) as shown:
        assert (await shown.get("/health"))[0] == 200
        hung = shown.workers[1]
        hung.count.labels("success").inc(5)
        assert await shown.metric('biaojie_receipts_total{outcome="success"}') == 5
        hung.is_hung = True
        started_s = loop.time()
        assert (await shown.get("/health"))[0] == 200, "one late answer is not a hung worker"
        assert loop.time() - started_s >= PATIENCE_S
        await asyncio.sleep(SILENT_S)
        status, body = await shown.get("/health")
        assert status == 503
        assert "worker 1 has not answered for" in json.loads(body)["checks"][0]["reason"]
        assert (await shown.get("/ready"))[0] == 200
        assert await shown.metric('biaojie_worker_up{worker="0"}') == 1
        assert await shown.metric('biaojie_worker_up{worker="1"}') == 0
        assert await shown.metric('biaojie_receipts_total{outcome="success"}') == 5


async def test_counters_are_summed_and_gauges_as_befits_each(tmp_path: Path) -> None:
    async with node(tmp_path, StandIn(0), StandIn(1)) as shown:
        for worker, number in zip(shown.workers, (3, 4), strict=True):
            worker.count.labels("success").inc(number)
            worker.open.set(number)
            worker.seq.set(number)
        assert await shown.metric('biaojie_receipts_total{outcome="success"}') == 7
        assert await shown.metric("biaojie_tcp_connections") == 7
        assert await shown.metric('biaojie_follower_seq{worker="1"}') == 4


async def test_no_total_falls_back_when_a_worker_is_replaced(tmp_path: Path) -> None:
    line = 'biaojie_receipts_total{outcome="success"}'
    async with node(tmp_path, StandIn(0), StandIn(1)) as shown:
        first, second = shown.workers
        first.count.labels("success").inc(10)
        second.count.labels("success").inc(1)
        assert await shown.metric(line) == 11
        # Replaced in a reload: the successor speaks first, the last word of the other comes later.
        last_words = StandIn(0, is_last=True)
        last_words.count.labels("success").inc(12)
        first.life, first.registry = "second", CollectorRegistry()
        Counter("biaojie_receipts", "Some.", ["outcome"], registry=first.registry).labels(
            "success"
        ).inc(2)
        assert await shown.metric(line) == 13
        last_words._operations = first._operations
        last_words.reading.close()
        last_words.box.close()
        last_words.report()
        assert await shown.metric(line) == 15
        last_words.report()
        assert await shown.metric(line) == 15, "one last word counts once"


async def test_metrics_work_without_a_registrar_and_carry_help(tmp_path: Path) -> None:
    async with node(tmp_path, StandIn(0)) as shown:
        status, body = await shown.get("/metrics")
    assert status == 200
    assert b"# HELP biaojie_receipts_total Some." in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/health", 405),
        ("HEAD", "/ready", 503),
        ("GET", "/version?x", 200),
    ],
)
async def test_other_requests_get_a_plain_no(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async with node(tmp_path, StandIn(0, is_serving=False)) as shown:
        got, body = await shown.get(path, method)
    assert got == status
    assert (body == b"") is (method == "HEAD")


async def test_servers_of_other_nodes_are_listed_as_each_worker_sees_them(tmp_path: Path) -> None:
    row: ServerRow = {"server": "tcp://192.0.2.1:2641", "breaker": "open", "smoothed_ms": None}
    async with node(tmp_path, StandIn(0, servers=[row])) as shown:
        assert json.loads((await shown.get("/upstreams"))[1]) == [row]
    async with node(tmp_path, StandIn(0, servers=[row]), StandIn(1, servers=[row])) as shown:
        told = json.loads((await shown.get("/upstreams"))[1])
        assert told == [{**row, "worker": 0}, {**row, "worker": 1}]


async def test_a_head_that_never_ends_is_dropped(tmp_path: Path) -> None:
    async with node(tmp_path, StandIn(0)) as shown:
        reader, writer = await asyncio.open_connection("127.0.0.1", shown.port)
        writer.write(b"GET / HTTP/1.1\r\n" + b"x" * (MAX_HEAD_BYTES * 2))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.transport.abort()
