"""``biaojie demo``: start a node on free loopback ports, show it at work on real rows, check every answer."""

import shutil
import signal
import tempfile
from pathlib import Path
from types import FrameType

import click

from node.asking.web import WebTrouble
from node.demo.node_process import NodeProcess, NotReady
from node.demo.steps import KNOWN, OWN, PREFIX, STEPS, Line, Stage
from node.output import EXIT_FAILED, CommandError, print_json, print_table, progress, say


@click.command(name="demo")
@click.option(
    "--exit",
    "ends_itself",
    is_flag=True,
    help="End after the table; the exit status says whether all was right.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; implies --exit.")
def command(*, ends_itself: bool, as_json: bool) -> None:
    """Show a node at work: import, register, update, resolve over three protocols, refuse, survive kill -9.

    Everything is real: a node of its own in a temporary directory, on loopback. It stays up until Ctrl-C.
    """
    directory = Path(tempfile.mkdtemp(prefix="biaojie-demo-"))
    signal.signal(signal.SIGTERM, _as_interrupt)
    node: NodeProcess | None = None
    try:
        node = NodeProcess(directory / "node", PREFIX)
        node.start()
        lines = _play(Stage(node), as_json=as_json)
        is_all_right = all(line.is_right for line in lines)
        _show(lines, as_json=as_json)
        if not (ends_itself or as_json):
            _invite(node)
            _stay(node)
    except (NotReady, WebTrouble) as trouble:
        raise CommandError(
            str(trouble), "the node's log is above; try again on a quiet machine"
        ) from None
    except KeyboardInterrupt:
        say("stopped")
        return
    finally:
        if node is not None:
            node.stop()
        shutil.rmtree(directory, ignore_errors=True)
    raise SystemExit(0 if is_all_right else EXIT_FAILED)


def _play(stage: Stage, *, as_json: bool) -> list[Line]:
    lines = []
    with progress("demo", len(STEPS), is_wanted=not as_json) as bar:
        for number, step in enumerate(STEPS):
            bar.update(number, step.__name__.replace("_", " "))
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
            f"{line.seconds * 1000:.1f} ms",
        )
        for line in lines
    ]
    print_table("Biaojie at work", ("", "asked", "over", "answer", "time"), rows)
    wrong = sum(not line.is_right for line in lines)
    click.echo(
        f"{len(lines) - wrong} of {len(lines)} lines as they should be"
        + (", SOMETHING IS WRONG" if wrong else "")
    )


def _invite(node: NodeProcess) -> None:
    settings = node.made.settings
    click.echo(
        "\nGo on in another terminal (`. .venv/bin/activate` first):\n"
        f"  biaojie resolve {KNOWN} --server {node.native.name} --trace\n"
        f"  biaojie get {OWN} --config {settings}\n"
        f"  biaojie changes --config {settings} --limit 10\n"
        f"  curl {node.url}/api/handles/{OWN}\n"
        f"  {node.url}/{OWN}?noredirect   in a browser: the values\n"
        f"  {node.url}/api/openapi.json   the HTTP API\n"
        f"  {node.operations_url}/metrics   for Prometheus"
    )


def _stay(node: NodeProcess) -> None:
    say(f"\nThe node stays up (log: {node.log}); Ctrl-C ends it and removes its data.")
    while True:
        signal.pause()


def _as_interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
