"""``biaojie version``: this program, its Python, the protocol it speaks, and whether its compiled part is in use."""

import platform

import click

from node.commands.options import json_option
from node.lane.extension import load
from node.output import print_json
from node.version import VERSION
from protocols.handle.versions import OWN


@click.command(name="version")
@json_option
def command(*, as_json: bool) -> None:
    """Show the version, and whether the compiled part is in use."""
    protocol = ".".join(map(str, OWN))
    has_lane = load() is not None
    python = platform.python_version()
    if as_json:
        print_json({"biaojie": VERSION, "python": python, "protocol": protocol, "lane": has_lane})
        return
    lane = "compiled" if has_lane else "pure Python"
    click.echo(f"biaojie {VERSION} (Handle protocol {protocol}, Python {python}, hot path {lane})")
