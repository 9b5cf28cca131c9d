"""What every measurement does with what it found: a table for people, a document for programs, a page for others."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.commands.load_options import Load
from bench.load.fleet import Fleet, FleetTrouble, Harvest, Interrupted, Tally
from bench.load.plan import Run
from bench.report.document import encode_result
from bench.report.machine import describe_machine, said_of_load
from bench.report.page import render_page
from bench.report.result import Result, Series
from node.clock import read_clocks
from node.commands.options import need_folder_of
from node.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_UNREACHABLE,
    CommandError,
    print_table,
    progress,
    say,
)
from protocols.rest.dates import format_date

_COLUMNS = (
    "series", "offered/s", "right answers/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms",
    "errors", "client CPU", "server µs",
)  # fmt: skip


def begin_result(command: str, target: str, seed: int, load: Load) -> Result:
    """The document before anything is measured; its folders are known to be there."""
    for path in (load.json_file, load.html_file):
        if path is not None:
            need_folder_of(path)
    arguments = ["biaojie", *sys.argv[1:]]
    if load.seed is None:
        arguments += ["--seed", str(seed)]
    started_at = format_date(int(read_clocks().wall_s))
    machine = describe_machine(is_lane_loaded())
    remarks = said_of_load(os.getloadavg()[0], machine.cores)
    return Result(command, arguments, started_at, machine, target, remarks=remarks)


def is_lane_loaded() -> bool | None:
    """Whether this installation loads the compiled lane; None when it has none to ask."""
    try:
        from node.lane.extension import load  # noqa: PLC0415  asked only when something is measured
    except ImportError:
        return None
    return load() is not None


@contextmanager
def told_troubles() -> Iterator[None]:
    """What can go wrong with client processes, told to people."""
    try:
        yield
    except FleetTrouble as trouble:
        next_step = "is the node running, and is this its address?"
        raise CommandError(str(trouble), next_step, EXIT_UNREACHABLE) from None
    except Interrupted:
        raise CommandError("interrupted", "", EXIT_INTERRUPTED) from None


def run_shown(fleet: Fleet, run: Run, title: str) -> Harvest:
    """One load with a bar that shows how it goes."""
    total = max(1, round((run.warm_up_s + run.seconds) * 1000))
    with progress(title, total, is_wanted=True) as bar:

        def watch(at_s: float, moment: Tally) -> None:
            p99_ms = moment.latencies.percentile_ms(99) if moment.latencies.count else 0.0
            rate = moment.answers / run.interval_s
            note = f"{rate:,.0f}/s · p99 {p99_ms:.2f} ms · errors {moment.failed:,}"
            bar.update(min(total, round((run.warm_up_s + at_s) * 1000)), note)

        return fleet.run(run, watch)


def finish(result: Result, load: Load) -> None:
    """Show and write it. Raises ``CommandError`` when nothing was answered as it should be."""
    show_series(result.series)
    for remark in result.remarks:
        say(f"note: {remark}")
    if load.json_file is not None:
        _write(load.json_file, encode_result(result))
    if load.html_file is not None:
        _write(load.html_file, render_page([result]).encode())
    if result.series and not any(series.answers for series in result.series):
        kinds = {kind for series in result.series for kind in series.errors}
        raise CommandError(
            f"no right answer ({', '.join(sorted(kinds)) or 'none at all'})",
            "is it the right server, and are these identifiers there?", EXIT_FAILED,
        )  # fmt: skip


def show_series(all_series: Sequence[Series]) -> None:
    """One line each, and what is to be said about them."""
    print_table("", _COLUMNS, [_row(series) for series in all_series])
    for series in all_series:
        for kind, count in series.errors.items():
            say(f"{series.name}: {count:,} × {kind}")
        for remark in series.remarks:
            say(f"{series.name}: {remark}")


def _row(series: Series) -> list[object]:
    latency = series.latency_ms
    client = max((client.cpu_share for client in series.clients), default=0.0)
    return [
        series.name,
        "closed loop" if series.offered_per_s is None else f"{series.offered_per_s:,.0f}",
        f"{series.achieved_per_s:,.0f}",
        *(_ms(latency.get(name)) for name in ("p50", "p90", "p99", "p99.9", "max")),
        sum(series.errors.values()),
        f"{client:.0%}" + (" limited" if series.client_limited else ""),
        "" if series.server_cpu_us is None else f"{series.server_cpu_us:.2f}",
    ]


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 100 else f"{value:,.0f}"


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    say(f"wrote {path}")
