"""``biaojie serve``: run the node until it is told to stop."""

from pathlib import Path

import click

from node.serving import serve


@click.command(name="serve")
@click.option(
    "--config", "config_path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE", help="The node's settings, as `biaojie init` makes them.",
)  # fmt: skip
def command(*, config_path: Path | None) -> None:
    """Run the node: UDP and TCP for the Handle protocol, HTTP, and the operations port.

    Without --config it serves with an embedded default on loopback and says what it chose. HUP reads the settings
    again, TERM and Ctrl-C finish what was begun and stop.
    """
    raise SystemExit(serve(config_path))
