"""The command ``biaojie bench``: one table of measurements, each imported only when it is called.

It stands above ``node``: the node never needs it, and ``node/cli.py`` knows nothing of it but the name of this module.
"""

import click

from node.lazy_group import Entry, LazyGroup

COMMANDS = {
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


@click.group(name="bench", cls=LazyGroup, entries=COMMANDS)
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
