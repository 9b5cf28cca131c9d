"""``biaojie bench compare``: Biaojie and its peers side by side, judged by server CPU per answer.

Starts a node of its own and every peer that is installed, on loopback, with as many names and answers as long; loads
them in turn for a second or two; prints what each answer cost, the ratios, and which aims of the project are met.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from bench.compare.aims import aims_table
from bench.compare.contest import NOT_BUILT, PATHS, hold, rows_of
from bench.compare.field import LANE, PURE, Field
from bench.compare.rows import NOT_INSTALLED
from bench.compare.spread import compare_spread
from bench.compare.subject import ImportFailed, count_identifiers, has_lane, serving, settings_of
from bench.compare.telling import (
    begin_result,
    read_wanted,
    said_of_slices,
    show_tables,
    slice_options,
    write_result,
)
from bench.compare.tools import Tools, compile_tools
from bench.compare.writes import compare_writes
from bench.cores import IS_SHARED, pin_load
from bench.peers.process import PeerFailed
from bench.report.result import CompareRow
from bench.slices import LoadFailed
from node.output import CommandError, print_table, progress, say

LEAST_KEYS = 1000
WRITES = "writes"
CHOICES = [*PATHS, WRITES]
COLUMNS = ("peer", "CPU µs/answer", "answers/s", "ratio", "lowest", "highest", "aim", "remark")


@click.command(name="compare")
@click.option(
    "--path", "paths", multiple=True, type=click.Choice(CHOICES),
    help="Only this path; repeat it. All if left out.",
)  # fmt: skip
@click.option(
    "--keys", default=100_000, show_default=True, type=click.IntRange(LEAST_KEYS, 10_000_000),
    help="Identifiers, asked in turn.",
)  # fmt: skip
@click.option(
    "--store", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Ask a node kept by `biaojie bench growth --keep`, too: all its keys, its hottest one.",
)  # fmt: skip
@slice_options
def command(*, paths: tuple[str, ...], keys: int, store: Path | None, **slices: Any) -> None:
    """Measure Biaojie beside NSD, Knot DNS, nginx, Redis, aiohttp and bare echoes, on this machine.

    Peers that are not installed are named and skipped. Servers run on one core, the load on another; every answer is
    checked. A ratio above 1 means that Biaojie needs less CPU for an answer.
    """
    wanted = read_wanted(slices)
    chosen = list(paths) or ([] if store else CHOICES)
    empty = begin_result("compare")
    pin_load()
    try:
        rows = _measure(chosen, store, keys, wanted.turns)
    except (ImportFailed, PeerFailed, LoadFailed) as failure:
        raise CommandError(str(failure), "does `biaojie demo` work here?") from None
    result = dataclasses.replace(
        empty,
        compare=rows,
        tables=[aims_table(rows)],
        remarks=[*empty.remarks, *said_of_slices(wanted), *_remarks(rows)],
    )
    _show_rows(rows)
    show_tables(result.tables)
    for remark in result.remarks:
        say(remark)
    write_result(result, wanted)


def _measure(
    chosen: Sequence[str],
    store: Path | None,
    keys: int,
    turns: tuple[int, float],
) -> list[CompareRow]:
    rows: list[CompareRow] = []
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-compare-")))
        tools = compile_tools(place)
        reads = [key for key in chosen if key != WRITES]
        contestants = sum(len(PATHS[key].contestants()) for key in reads)
        slices = (contestants + 2 * (WRITES in chosen) + 4 * (store is not None)) * (turns[0] + 1)
        bar = stack.enter_context(progress("compare", slices, is_wanted=True))
        done = 0

        def on_slice(name: str) -> None:
            nonlocal done
            done += not name.startswith("starting")
            bar.update(done, name)

        field = Field(stack, place, tools, keys)
        for key in reads:
            contest, versions = hold(field, PATHS[key], *turns, on_slice)
            rows += rows_of(key, PATHS[key], contest, versions)
        if WRITES in chosen:  # last: what it registers is not there for the others
            own = LANE if has_lane() else PURE
            rows += compare_writes(field.start(own), field.place(own), turns, on_slice)
        if store is not None:
            rows += _spread(place, tools, store, turns, on_slice)
    return rows


def _spread(
    place: Path,
    tools: Tools,
    store: Path,
    turns: tuple[int, float],
    on_slice: Callable[[str], None],
) -> list[CompareRow]:
    rows = []
    for is_pure in (True, False) if has_lane() else (True,):
        with serving(settings_of(store), is_pure=is_pure) as running, ExitStack() as stack:
            count = count_identifiers(running.port)
            title = "pure Python" if is_pure else "with the extension"
            rows += compare_spread(stack, place, tools, running, count, turns, title, on_slice)
    return rows


def _remarks(rows: Sequence[CompareRow]) -> list[str]:
    absent = sorted({row.peer for row in rows if row.note in {NOT_INSTALLED, NOT_BUILT}})
    said = [f"{name}: skipped, {_why(rows, name)}" for name in absent]
    if IS_SHARED:
        said.append("one core: servers and load shared it, throughput says little")
    return said


def _why(rows: Sequence[CompareRow], name: str) -> str:
    note = next(row.note for row in rows if row.peer == name)
    return f"{note} for these sources: make lane" if note == NOT_BUILT else note


def _show_rows(rows: Sequence[CompareRow]) -> None:
    for path in dict.fromkeys(row.path for row in rows):
        print_table(path, COLUMNS, [_cells(row) for row in rows if row.path == path])


def _cells(row: CompareRow) -> list[object]:
    remarks = [row.note] if row.note else []
    remarks += ["client-limited"] if row.client_limited else []
    cells = (row.median_cpu_us, row.answers_per_s, row.ratio, row.ratio_low, row.ratio_high, row.aim)  # fmt: skip
    numbers: list[object] = ["" if cell is None else cell for cell in cells]
    if row.answers_per_s is not None:
        numbers[1] = int(row.answers_per_s)
    return [row.peer, *numbers, "; ".join(remarks)]
