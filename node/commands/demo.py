"""``biaojie demo``: start three nodes on free loopback ports, show them at work on real rows, check every answer."""

import shutil
import signal
import tempfile
from pathlib import Path
from types import FrameType

import click

from node.asking.web import WebTrouble
from node.demo.at_work import KNOWN, OWN
from node.demo.hierarchy import Hierarchy
from node.demo.journeys import DEVICE, VALVE
from node.demo.node_process import NotReady
from node.demo.stage import Line, Stage
from node.demo.steps import STEPS
from node.output import EXIT_FAILED, CommandError, print_json, print_table, progress, say

COLUMNS = ("", "asked", "over", "answer", "by node", "from", "time")
PARTS = 100
"""A step's share of the progress bar is so fine, for the steps that wait."""

_ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Ask for the end like Ctrl-C does: the service manager's word, and a terminal that is closed."""


@click.command(name="demo")
@click.option(
    "--exit",
    "ends_itself",
    is_flag=True,
    help="End after the table; the exit status says whether all was right.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; implies --exit.")
def command(*, ends_itself: bool, as_json: bool) -> None:
    """Show three nodes at work: a top-level, a secondary and an enterprise one, as in the national hierarchy.

    Import, register, resolve over three protocols, refuse, survive kill -9; then delegate, ask below and above,
    remember, and go on without the top-level node. Everything is real, in a temporary directory, on loopback. The nodes
    stay up until Ctrl-C.
    """
    directory = Path(tempfile.mkdtemp(prefix="biaojie-demo-"))
    for number in _ENDS:
        signal.signal(number, _as_interrupt)
    hierarchy: Hierarchy | None = None
    try:
        hierarchy = Hierarchy(directory)
        hierarchy.start()
        lines = _play(hierarchy, as_json=as_json)
        is_all_right = all(line.is_right for line in lines)
        _show(lines, as_json=as_json)
        if not (ends_itself or as_json):
            _invite(hierarchy)
            _stay(directory)
    except (NotReady, WebTrouble) as trouble:
        raise CommandError(
            str(trouble), "the node's log is above; try again on a quiet machine"
        ) from None
    except KeyboardInterrupt:
        say("stopped")
        return
    finally:
        for number in (signal.SIGINT, *_ENDS):
            # Who is impatient gets no faster end, only a less tidy one.
            signal.signal(number, signal.SIG_IGN)
        if hierarchy is not None:
            hierarchy.stop()
        shutil.rmtree(directory, ignore_errors=True)
    raise SystemExit(0 if is_all_right else EXIT_FAILED)


def _play(hierarchy: Hierarchy, *, as_json: bool) -> list[Line]:
    lines: list[Line] = []
    with progress("demo", len(STEPS) * PARTS, is_wanted=not as_json) as bar:

        def on_wait(share: float, why: str) -> None:
            bar.update(int((len(lines) + share) * PARTS), why)

        stage = Stage(hierarchy, on_wait)
        for number, step in enumerate(STEPS):
            bar.update(number * PARTS, step.__name__.replace("_", " "))
            lines.append(step(stage))
    return lines


def _show(lines: list[Line], *, as_json: bool) -> None:
    if as_json:
        shown = [line._asdict() for line in lines]
        print_json({"is_right": all(line.is_right for line in lines), "lines": shown})
        return
    rows = [
        (
            "✓" if line.is_right else "✗",
            line.asked,
            line.protocol,
            line.answer,
            line.answered_by,
            line.source,
            f"{line.seconds * 1000:.1f} ms",
        )
        for line in lines
    ]
    print_table("Biaojie at work", COLUMNS, rows)
    wrong = sum(not line.is_right for line in lines)
    click.echo(
        f"{len(lines) - wrong} of {len(lines)} lines as they should be"
        + (", SOMETHING IS WRONG" if wrong else "")
    )


def _invite(hierarchy: Hierarchy) -> None:
    node = hierarchy.secondary
    settings = node.made.settings
    click.echo(
        "\nGo on in another terminal (`. .venv/bin/activate` first):\n"
        f"  biaojie resolve {KNOWN} --server {node.native.name} --trace\n"
        f"  biaojie resolve {DEVICE} --server {node.native.name} --trace --authoritative\n"
        f"  biaojie resolve {VALVE} --server {hierarchy.enterprise.native.name} --trace --authoritative\n"
        f"  biaojie resolve {DEVICE} --server {node.native.name} --no-recurse\n"
        f"  biaojie prefix list --config {settings}\n"
        f"  biaojie changes --config {settings} --limit 10\n"
        f"  curl {node.url}/api/handles/{VALVE}?trace=true\n"
        f"  {node.url}/{OWN}?noredirect   in a browser: the values\n"
        f"  {node.url}/api/openapi.json   the HTTP API\n"
        f"  {node.operations_url}/metrics   for Prometheus; /upstreams: whom it asks, and how they are"
    )


def _stay(directory: Path) -> None:
    say(
        f"\nThe three nodes stay up (logs: {directory}/*/node.log); Ctrl-C ends them and removes their data."
    )
    while True:
        signal.pause()


def _as_interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
