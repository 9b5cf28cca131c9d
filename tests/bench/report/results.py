"""Results to show, made of real histograms."""

from random import Random

from bench.load.latencies import Latencies
from bench.report.machine import describe_machine
from bench.report.result import (
    Client,
    CompareRow,
    Line,
    Moment,
    Plot,
    Result,
    SearchStep,
    Series,
    Table,
)


def latencies(seed: int, count: int) -> Latencies:
    random = Random(seed)
    made = Latencies()
    made.record_all([int(random.lognormvariate(12, 1)) for _ in range(count)])
    return made


def series(name: str, seed: int = 1, count: int = 20_000, **other) -> Series:
    found = latencies(seed, count)
    facts = {
        "name": name, "loop": "open", "transport": "udp", "keys": "uniform over 88.118/{1..9}",
        "seconds": 2.0, "offered_per_s": 10_000.0, "achieved_per_s": count / 2, "sent": count,
        "answers": count, "errors": {"timeout": 3}, "misses": 0, "latency_ms": found.summary_ms(),
        "curve": found.curve(), "histogram": found.encode(),
        "timeline": [
            Moment(0.0, 1.0, count // 2, 0, 1.5), Moment(1.0, 1.0, count // 2, 3, None),
        ],
        "clients": [Client(0, 0.95, 0.4, count)], "client_limited": True,
        "remarks": ["client-limited: process 0 used 95% of its core"],
    }  # fmt: skip
    return Series(**(facts | other))


def result(*all_series: Series, **other) -> Result:
    arguments = [
        "biaojie",
        "bench",
        "resolve",
        "--keys",
        "88.118/SN-{000000..999999}",
        "--seed",
        "7",
    ]
    facts = {
        "command": "resolve", "arguments": arguments, "started_at": "2026-11-22T08:00:00Z",
        "machine": describe_machine(None), "target": "udp://127.0.0.1:2641",
        "series": list(all_series),
    }  # fmt: skip
    return Result(**(facts | other))


def full_result() -> Result:
    """One with everything a document can hold."""
    return result(
        series("UDP"),
        search=[SearchStep(10_000.0, 9_999.0, 1.25, 0.0, True, False)],
        compare=[
            CompareRow("udp", "biaojie", "0.1.0", 9, 2.0, 50_000.0, 1.0, 1.0, 1.0, 0.5),
            CompareRow("udp", "NSD", "4.6.1", 9, 1.6, 60_000.0, 0.8, 0.7, 0.9, 0.5, aim=0.7),
            CompareRow("udp", "Knot", None),
        ],
        tables=[Table("Growth", ["identifiers", "bytes"], [[10_000, 120.5], ["10^7", None]], "n")],
        plots=[
            Plot("Cost", "identifiers", "bytes", [Line("disk", [[1e4, 120], [1e7, 118]])], True)
        ],
        remarks=["a remark"],
    )
