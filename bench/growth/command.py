"""``biaojie bench growth``: what one identifier costs, from ten thousand to ten million of them.

For each size a node is made by its own import of sorted rows, looked at on disk, started, and asked over UDP.
"""

import dataclasses
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from bench.compare.subject import ImportFailed
from bench.compare.telling import (
    begin_result,
    read_wanted,
    said_of_slices,
    show_tables,
    slice_options,
    write_result,
)
from bench.compare.tools import compile_tools
from bench.cores import pin_load
from bench.growth.stage import Stage, measure_stage
from bench.growth.table import growth_aims, growth_plot, growth_table
from bench.peers.process import PeerFailed
from bench.slices import LoadFailed
from node.output import CommandError, progress, say

SIZES = (10_000, 100_000, 1_000_000)
LARGEST = 10_000_000
LARGEST_POSSIBLE = 50_000_000
"""Numbers have eight digits, and as many are asked for that are not there."""


@click.command(name="growth")
@click.option(
    "--size", "sizes", multiple=True, type=click.IntRange(100, LARGEST_POSSIBLE), metavar="N",
    help="Number of identifiers; repeat it. 10,000, 100,000 and 1,000,000 if left out.",
)  # fmt: skip
@click.option(
    "--largest", is_flag=True, help="Also 10,000,000: minutes of import, gigabytes of disk."
)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Keep the nodes there, one folder for each size; what is there is not made again.",
)  # fmt: skip
@slice_options
def command(*, sizes: tuple[int, ...], largest: bool, keep: Path | None, **slices: Any) -> None:
    """Measure what one identifier costs on disk, in memory, at start and per answer, at growing sizes.

    Makes nodes of its own on this machine, one size after the other.
    """
    wanted = read_wanted(slices)
    chosen = sorted({*(sizes or SIZES), *((LARGEST,) if largest else ())})
    empty = begin_result("growth")
    pin_load()
    try:
        stages = _measure(chosen, keep, wanted.turns)
    except (ImportFailed, PeerFailed, LoadFailed) as failure:
        raise CommandError(str(failure), "is the disk full? does `biaojie demo` work?") from None
    tables = [growth_table(stages), growth_aims(stages)]
    remarks = [*empty.remarks, *said_of_slices(wanted)]
    plots = [growth_plot(stages)] if len(stages) > 1 else []  # one size shows no growth
    result = dataclasses.replace(empty, tables=tables, plots=plots, remarks=remarks)
    show_tables(tables)
    for remark in remarks:
        say(remark)
    write_result(result, wanted)


def _measure(sizes: list[int], keep: Path | None, turns: tuple[int, float]) -> list[Stage]:
    stages = []
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-growth-")))
        tools = compile_tools(place)
        bar = stack.enter_context(progress("growth", len(sizes), is_wanted=True))
        for done, count in enumerate(sizes):
            folder = (keep or place) / str(count)
            on_step = partial(bar.update, done)
            stages.append(measure_stage(folder, tools, count, turns, on_step))
    return stages
