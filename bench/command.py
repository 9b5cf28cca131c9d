"""The command ``biaojie bench``: one table of measurements, each imported only when it is called.

It stands above ``node``: the node never needs it, and ``node/cli.py`` knows nothing of it but the name of this module.
"""

import importlib
from typing import NamedTuple

import click


class Entry(NamedTuple):
    """Where a measurement lives and what it is for, in half a line."""

    module: str
    help: str


COMMANDS: dict[str, Entry] = {
    "resolve": Entry(
        "bench.commands.resolve",
        "ask one server: at a rate, as fast as it goes, or up to its limit",
    ),
    "register": Entry(
        "bench.commands.register", "register and delete again, one by one or in batches"
    ),
    "mixed": Entry("bench.commands.mixed", "reads alone, then beside writes: what readers feel"),
    "compare": Entry(
        "bench.compare.command", "beside NSD, Knot, nginx, Redis and echo servers on this machine"
    ),
    "growth": Entry(
        "bench.growth.command", "what an identifier costs as there are ten times more of them"
    ),
    "report": Entry("bench.commands.report", "one HTML page of any number of results"),
}


class LazyBench(click.Group):
    """Imports a measurement's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """None for an unknown name; click then suggests the nearest."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found = importlib.import_module(entry.module).command
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table itself, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(name="bench", cls=LazyBench)
def command() -> None:
    """Measure this node, or any other Handle or HTTP node, and prove it to others.

    \b
    biaojie bench resolve --keys '88.118/SN-{000000..999999}' --zipf 0.9 --rate 20000
    biaojie bench resolve --keys 88.118/SN-000001 --http --search --max-p99 5
    biaojie bench register --prefix 88.118 --batch 1000 --config my-node/node.toml ...
    biaojie bench report one.json two.json -o report.html

    Every answer is checked: request id, response code, and that it is about the identifier asked. A load goes to this
    machine only, unless you say with --i-may-load HOST that you may load another. Every measurement says how to
    repeat it, and whether the load generator itself was the limit ("client-limited"): then give it more --processes.
    """
