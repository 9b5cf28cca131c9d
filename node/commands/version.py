"""``biaojie version``: this program, its Python, and the protocol it speaks."""

import platform

import click

from node.commands.options import json_option
from node.output import print_json
from node.version import VERSION
from protocols.handle.versions import OWN


@click.command(name="version")
@json_option
def command(*, as_json: bool) -> None:
    """Show the version."""
    protocol = ".".join(map(str, OWN))
    if as_json:
        print_json({"biaojie": VERSION, "python": platform.python_version(), "protocol": protocol})
        return
    click.echo(
        f"biaojie {VERSION} (Handle protocol {protocol}, Python {platform.python_version()})"
    )
