"""``biaojie bench growth``: what one identifier costs, from ten thousand to ten million of them.

For each size a node is made by its own import of sorted rows, looked at on disk, started, and asked over UDP.
"""

import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from bench.compare.subject import ImportFailed
from bench.compare.tools import compile_tools
from bench.cores import pin_load
from bench.growth.stage import Stage, measure_stage
from bench.growth.table import growth_aims, growth_plot, growth_table
from bench.peers.process import PeerFailed
from bench.report.document import encode_result
from bench.report.machine import describe_machine
from bench.report.result import Result, Table
from bench.slices import LoadFailed
from node.lane.extension import load as load_lane
from node.output import CommandError, print_table, progress, say

SIZES = (10_000, 100_000, 1_000_000)
LARGEST = 10_000_000


@click.command(name="growth")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(100, 1_000_000_000),
    help="Number of identifiers; repeat it. 10,000, 100,000 and 1,000,000 if left out.",
)
@click.option(
    "--largest", is_flag=True, help="Also 10,000,000: minutes of import, gigabytes of disk."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the nodes there, one folder for each size; those that are there already are not made again.",
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
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the result document there, for `biaojie bench report`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result document, not tables.")
def command(
    *,
    sizes: tuple[int, ...],
    largest: bool,
    keep: Path | None,
    rounds: int,
    seconds: float,
    output: Path | None,
    as_json: bool,
) -> None:
    """Measure what one identifier costs on disk, in memory, at start and per answer, at growing sizes.

    Makes nodes of its own on this machine, one size after the other.
    """
    wanted = sorted({*(sizes or SIZES), *((LARGEST,) if largest else ())})
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    pin_load()
    try:
        stages = _measure(wanted, keep, (rounds, seconds), as_json=as_json)
    except (ImportFailed, PeerFailed, LoadFailed) as failure:
        raise CommandError(str(failure), "is the disk full? does `biaojie demo` work?") from None
    result = Result(
        command="growth",
        arguments=["biaojie", *sys.argv[1:]],
        started_at=started_at,
        machine=describe_machine(load_lane() is not None),
        target="",
        tables=[growth_table(stages), growth_aims(stages)],
        plots=[growth_plot(stages)],
    )
    if output is not None:
        output.write_bytes(encode_result(result))
    if as_json:
        click.echo(encode_result(result).decode(), nl=False)
        return
    for table in result.tables:
        _show(table)


def _measure(
    sizes: list[int], keep: Path | None, turns: tuple[int, float], *, as_json: bool
) -> list[Stage]:
    stages = []
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-growth-")))
        tools = compile_tools(place)
        bar = stack.enter_context(progress("growth", len(sizes), is_wanted=not as_json))
        for done, count in enumerate(sizes):
            folder = (keep or place) / str(count)
            on_step = partial(bar.update, done)
            stages.append(measure_stage(folder, tools, count, turns, on_step))
    return stages


def _show(table: Table) -> None:
    rows = [["" if cell is None else cell for cell in row] for row in table.rows]
    print_table(table.title, table.columns, rows)
    if table.note:
        say(table.note)
