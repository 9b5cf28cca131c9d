"""``biaojie changes``: the feed, one entry a line. It names records, versions and actors, never values."""

import click

from node.asking.node import Node
from node.commands.options import json_option, node_options, same_node
from node.commands.show import GOOD, refuse_failure
from node.output import EXIT_FAILED, CommandError, print_json, print_table, say
from registry.errors import Gone

_FOR_OPERATORS = "an operator (node.admins) sees all; of one prefix: GET /api/changes?prefix=…, with the right to list"


@click.command(name="changes")
@click.option(
    "--after", type=click.IntRange(0), default=0, show_default=True, help="Number to go on from."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Entries at most."
)
@node_options
@json_option
def command(*, after: int, limit: int, node: Node, as_json: bool) -> None:
    """Show what changed: number, time, operation, identifier, version, who and from where.

    Over --server it is for an operator (node.admins of the settings); with --config you are one.
    """
    try:
        document = node.changes(after, limit)
    except Gone as gone:
        raise CommandError(
            str(gone), f"biaojie changes --after {gone.oldest_available - 1}{same_node()}"
        ) from None
    if as_json:
        print_json(document)
        if document.get("responseCode") != GOOD:
            raise SystemExit(EXIT_FAILED)
        return
    refuse_failure(document, _FOR_OPERATORS if document.get("responseCode") in (400, 401) else "")
    rows = [
        (c["seq"], c["time"], c["operation"], c["handle"], c["version"], c["actor"], c["source"])
        for c in document["changes"]
    ]
    print_table(
        "", ("change", "time", "operation", "identifier", "version", "actor", "source"), rows
    )
    if document["next"] < document["head"]:
        more = f"biaojie changes --after {document['next']}{same_node()}"
        say(f"more: {more}   (the newest is {document['head']})")
