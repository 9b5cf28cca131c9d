"""What ``compare`` and ``growth`` share of their command lines: slices, and where results go besides the terminal."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from bench.compare.subject import has_lane
from bench.report.document import encode_result
from bench.report.machine import describe_machine, said_of_load
from bench.report.page import render_page
from bench.report.result import Result, Table
from node.clock import read_clocks
from node.commands.options import need_folder_of
from node.output import print_table, say
from protocols.rest.dates import format_date

JUDGED_ROUNDS = 7
JUDGED_SECONDS = 1.0
"""What a ratio has to rest on before it says whether an aim is met; and what is done unless less is asked for."""


class Wanted(NamedTuple):
    """How long, how often, and where to write."""

    rounds: int
    seconds: float
    json_file: Path | None
    html_file: Path | None

    @property
    def turns(self) -> tuple[int, float]:
        """How many slices, and how long each is."""
        return self.rounds, self.seconds


_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--rounds", default=JUDGED_ROUNDS, show_default=True, type=click.IntRange(1, 999),
                 help="Slices of each; the median counts."),
    click.option("--seconds", default=JUDGED_SECONDS, show_default=True, type=click.FloatRange(0.05, 60),
                 help="Length of a slice."),
    click.option("--json", "json_file", metavar="FILE", type=_FILE,
                 help="Write the result document, for programs and `biaojie bench report`."),
    click.option("--html", "html_file", metavar="FILE", type=_FILE, help="Write the page."),
)  # fmt: skip


def slice_options(function: Callable[..., None]) -> Callable[..., None]:
    """The command gets ``rounds``, ``seconds``, ``json_file`` and ``html_file``."""
    wrapped = function
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def read_wanted(given: dict[str, Any]) -> Wanted:
    """The values of ``slice_options``; their folders are known to be there."""
    wanted = Wanted(**given)
    for path in (wanted.json_file, wanted.html_file):
        if path is not None:
            need_folder_of(path)
    return wanted


def begin_result(command: str) -> Result:
    """The document before anything is measured, and before this process keeps to one of the machine's cores."""
    started_at = format_date(int(read_clocks().wall_s))
    arguments = ["biaojie", *sys.argv[1:]]
    machine = describe_machine(has_lane())
    remarks = said_of_load(os.getloadavg()[0], machine.cores)
    return Result(command, arguments, started_at, machine, "", remarks=remarks)


def said_of_slices(wanted: Wanted) -> list[str]:
    """A remark when there are too few slices, or too short ones, to judge by."""
    if wanted.rounds >= JUDGED_ROUNDS and wanted.seconds >= JUDGED_SECONDS:
        return []
    taken = f"a first look: {wanted.rounds} slices of {wanted.seconds:g} s each"
    return [f"{taken}; aims are judged by {JUDGED_ROUNDS} of {JUDGED_SECONDS:g} s or more"]


def write_result(result: Result, wanted: Wanted) -> None:
    """To the files that were asked for."""
    if wanted.json_file is not None:
        wanted.json_file.write_bytes(encode_result(result))
        say(f"wrote {wanted.json_file}")
    if wanted.html_file is not None:
        wanted.html_file.write_text(render_page([result]), encoding="utf-8")
        say(f"wrote {wanted.html_file}")


def show_tables(tables: Sequence[Table]) -> None:
    """For people."""
    for table in tables:
        rows = [["" if cell is None else cell for cell in row] for row in table.rows]
        print_table(table.title, table.columns, rows)
        if table.note:
            say(table.note)
