"""``biaojie get``: one record as it is kept, with its version."""

import click

from node.asking.node import Node, Selection
from node.commands.options import (
    json_option,
    node_options,
    read_identifier_argument,
)
from node.commands.show import show_record


@click.command(name="get")
@click.argument("identifier")
@click.option("--index", "indexes", type=int, multiple=True, help="Only this index. Repeat it.")
@click.option("--type", "types", multiple=True, help="Only this type; 'URL.' takes subtypes too.")
@click.option("--all", "with_secrets", is_flag=True, help="Non-public values too (administrators).")
@node_options
@json_option
def command(
    *,
    identifier: str,
    indexes: tuple[int, ...],
    types: tuple[str, ...],
    with_secrets: bool,
    node: Node,
    as_json: bool,
) -> None:
    """Show the record of IDENTIFIER, e.g. 88.118/SN-1.

    Exits with 1 when it is not there. To ask as the world asks, over the network, use `biaojie resolve`.
    """
    asked = read_identifier_argument(identifier)
    document = node.get(asked, Selection(indexes, types, not with_secrets))
    show_record(document, as_json=as_json)
