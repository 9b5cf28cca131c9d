"""``biaojie put``: register one identifier, or replace its record."""

import secrets
from typing import BinaryIO

import click

from node.asking.node import Node, OwnNode, Selection
from node.commands.options import (
    json_option,
    node_options,
    read_identifier_argument,
)
from node.commands.show import show_receipt
from node.output import EXIT_USAGE, CommandError, say
from protocols.errors import ProtocolError
from protocols.handle.codes import ResponseCode
from protocols.identifier import Identifier
from protocols.message import Command, Operation
from protocols.rest.record_json import parse_put_body
from protocols.values.value import DEFAULT_TTL_S, Value

MAX_DOCUMENT_BYTES = 1_048_576
"""As much as the HTTP API takes."""


@click.command(name="put")
@click.argument("identifier")
@click.option(
    "--value", "texts", multiple=True, metavar="[INDEX:]TYPE=DATA",
    help="A value, e.g. URL=https://example.org/1 or 7:NAME=Pump. Repeat it; indexes count from 1.",
)  # fmt: skip
@click.option(
    "--from", "document", type=click.File("rb"), metavar="FILE",
    help="The record as JSON instead (- = standard input), as the HTTP API takes it.",
)  # fmt: skip
@click.option("--ttl", type=click.IntRange(0, 2**31 - 1), default=DEFAULT_TTL_S, show_default=True,
              help="How long others may keep it, in seconds.")  # fmt: skip
@click.option("--new", "must_be_new", is_flag=True,
              help="Refuse when it is registered already; with --add, when one of the indexes is.")  # fmt: skip
@click.option("--add", is_flag=True, help="Add or replace these values and keep the others.")
@click.option(
    "--if-version", type=click.IntRange(0), help="Only when the record is at this version."
)
@click.option("--delete", is_flag=True, help="Delete the record instead.")
@node_options
@json_option
def command(  # noqa: PLR0913  one parameter for each option
    *,
    identifier: str,
    texts: tuple[str, ...],
    document: BinaryIO | None,
    ttl: int,
    must_be_new: bool,
    add: bool,
    if_version: int | None,
    delete: bool,
    node: Node,
    as_json: bool,
) -> None:
    """Register IDENTIFIER with the given values: biaojie put 88.118/SN-1 --value URL=https://example.org/1

    Durable when it says so. Registering the same again changes nothing and says so.
    """
    asked = read_identifier_argument(identifier)
    if delete and (texts or document or add):
        raise CommandError("--delete goes without --value, --from and --add", "", EXIT_USAGE)
    values = () if delete else read_values(asked, texts, document, ttl)
    operation = Operation.DELETE if delete else Operation.ADD if add else Operation.PUT
    order = Command(
        operation, asked, values, overwrite=not must_be_new, expect_version=if_version,
        request_id=secrets.token_hex(16),
    )  # fmt: skip
    show_receipt(node.send(order), as_json=as_json, done="deleted" if delete else "")
    if not as_json and isinstance(node, OwnNode):
        _warn_if_out_of_sight(node, asked)


def _warn_if_out_of_sight(node: OwnNode, identifier: Identifier) -> None:
    """Below a delegated prefix records are kept for the day it comes back; who registers there should know."""
    told = node.get(identifier, Selection())
    if told["responseCode"] == ResponseCode.SERVICE_REFERRAL:
        delegated = told["message"].partition(";")[0]
        say(f"warning: {delegated}: kept out of sight until `biaojie prefix add` takes it back")


def read_values(
    identifier: Identifier, texts: tuple[str, ...], document: BinaryIO | None, ttl: int
) -> tuple[Value, ...]:
    """Values from ``--value`` texts or a JSON document; exactly one of the two."""
    if bool(texts) == (document is not None):
        raise CommandError("give either --value or --from", "biaojie put --help", EXIT_USAGE)
    if document is not None:
        try:
            return parse_put_body(document.read(MAX_DOCUMENT_BYTES + 1), identifier)
        except ProtocolError as error:
            raise CommandError(
                f"{document.name}: {error}",
                "biaojie get IDENTIFIER --json shows the form",
                EXIT_USAGE,
            ) from None
    values, next_index = [], 1
    for text in texts:
        left, equals, data = text.partition("=")
        index, colon, type_ = left.rpartition(":")
        if not equals or not type_ or (colon and not index.isdigit()):
            raise CommandError(
                f"--value {text}: not [INDEX:]TYPE=DATA",
                "for example URL=https://example.org/1",
                EXIT_USAGE,
            )
        number = int(index) if colon else next_index
        next_index = number + 1
        values.append(Value(number, type_, data.encode(), ttl))
    return tuple(values)
