"""``biaojie bench compare``: Biaojie and its peers side by side, judged by server CPU per answer.

Starts a node of its own and every peer that is installed, on loopback, with as many names and answers as long; loads
them in turn for a second or two; prints what each answer cost, the ratios, and which aims of the project are met.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.compare.aims import aims_table
from bench.compare.contest import PATHS, hold, rows_of
from bench.compare.field import Field
from bench.compare.spread import compare_spread
from bench.compare.subject import ImportFailed, count_identifiers, has_lane, serving, settings_of
from bench.compare.tools import Tools, compile_tools
from bench.cores import IS_SHARED, pin_load
from bench.peers.process import PeerFailed
from bench.report.document import encode_result
from bench.report.machine import describe_machine
from bench.report.result import CompareRow, Result, Table
from node.output import CommandError, print_table, progress, say

LEAST_KEYS = 1000
COLUMNS = ("peer", "CPU µs/answer", "answers/s", "ratio", "lowest", "highest", "aim", "remark")


@click.command(name="compare")
@click.option(
    "--path",
    "paths",
    multiple=True,
    type=click.Choice(list(PATHS)),
    help="Only this path; repeat it. All if left out.",
)
@click.option(
    "--rounds", default=7, show_default=True, type=click.IntRange(1, 999), help="Slices of each."
)
@click.option(
    "--seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.05, 60),
    help="Length of a slice.",
)
@click.option(
    "--keys",
    default=100_000,
    show_default=True,
    type=click.IntRange(LEAST_KEYS, 10_000_000),
    help="Identifiers, asked in turn.",
)
@click.option(
    "--store",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Ask a node kept by `biaojie bench growth --keep`: all its keys, its hottest one.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the result document there, for `biaojie bench report`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result document, not tables.")
def command(
    *,
    paths: tuple[str, ...],
    rounds: int,
    seconds: float,
    keys: int,
    store: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Measure Biaojie beside NSD, Knot DNS, nginx, Redis, aiohttp and bare echoes, on this machine.

    Peers that are not installed are named and skipped. Servers run on one core, the load on another; every answer is
    checked. A ratio above 1 means that Biaojie needs less CPU for an answer.
    """
    chosen = list(paths) or ([] if store else list(PATHS))
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    pin_load()
    try:
        rows = _measure(chosen, store, keys, (rounds, seconds), as_json=as_json)
    except (ImportFailed, PeerFailed) as failure:
        raise CommandError(str(failure), "try again on a quiet machine") from None
    result = Result(
        command="compare",
        arguments=["biaojie", *sys.argv[1:]],
        started_at=started_at,
        machine=describe_machine(has_lane()),
        target="",
        compare=rows,
        tables=[aims_table(rows)],
        remarks=_remarks(rows),
    )
    if output is not None:
        output.write_bytes(encode_result(result))
    if as_json:
        click.echo(encode_result(result).decode(), nl=False)
    else:
        _show(result)


def _measure(
    chosen: Sequence[str],
    store: Path | None,
    keys: int,
    turns: tuple[int, float],
    *,
    as_json: bool,
) -> list[CompareRow]:
    rows: list[CompareRow] = []
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-compare-")))
        tools = compile_tools(place)
        slices = sum(len(PATHS[key].contestants()) for key in chosen) * (turns[0] + 1)
        bar = stack.enter_context(progress("compare", slices or 1, is_wanted=not as_json))
        done = 0

        def on_slice(name: str) -> None:
            nonlocal done
            done += not name.startswith("starting")
            bar.update(done, name)

        field = Field(stack, place, tools, keys)
        for key in chosen:
            contest, versions = hold(field, PATHS[key], *turns, on_slice)
            rows += rows_of(key, PATHS[key], contest, versions)
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
    absent = sorted({row.peer for row in rows if row.note in {"not installed", "not built"}})
    said = [f"{name}: skipped, {_why(rows, name)}" for name in absent]
    if IS_SHARED:
        said.append("one core: servers and load shared it, throughput says little")
    return said


def _why(rows: Sequence[CompareRow], name: str) -> str:
    return next(row.note for row in rows if row.peer == name)


def _show(result: Result) -> None:
    for path in dict.fromkeys(row.path for row in result.compare):
        rows = [row for row in result.compare if row.path == path]
        print_table(path, COLUMNS, [_cells(row) for row in rows])
    for table in result.tables:
        print_table(table.title, table.columns, _plain(table))
    for remark in result.remarks:
        say(remark)


def _cells(row: CompareRow) -> list[object]:
    remarks = [row.note] if row.note else []
    remarks += ["client-limited"] if row.client_limited else []
    cells = (row.median_cpu_us, row.answers_per_s, row.ratio, row.ratio_low, row.ratio_high, row.aim)  # fmt: skip
    numbers = ["" if cell is None else cell for cell in cells]
    if row.answers_per_s is not None:
        numbers[1] = int(row.answers_per_s)
    return [row.peer, *numbers, "; ".join(remarks)]


def _plain(table: Table) -> list[list[object]]:
    return [["" if cell is None else cell for cell in row] for row in table.rows]
