"""``biaojie search``: identifiers by their public values, where ``*`` stands for anything."""

import shlex

import click

from node.asking.node import Node
from node.asking.searching import Wanted
from node.commands.options import json_option, node_options, same_node
from node.commands.show import GOOD, refuse_failure
from node.output import EXIT_FAILED, EXIT_USAGE, CommandError, print_json, print_table, say
from protocols.errors import ProtocolError

MAX_SHOWN = 80
"""Characters of a value in the table; --json has all of it."""


@click.command(name="search")
@click.argument("terms", nargs=-1, required=True, metavar="TYPE=PATTERN…")
@click.option("--prefix", default="", metavar="PREFIX", help="Only below this prefix.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Identifiers at most.",
)
@click.option("--after", default="", metavar="IDENTIFIER", help="Go on behind this one.")
@node_options
@json_option
def command(
    *, terms: tuple[str, ...], prefix: str, limit: int, after: str, node: Node, as_json: bool
) -> None:
    """Find identifiers whose public values are like all these patterns, e.g. 'URL=*example.org*' LOT=A7.

    Types are matched without case, values with; only * is special. An identifier is found when for each type one of
    its values is like that. Over --server it needs a login unless that node's search is public.
    """
    wanted = Wanted(tuple(map(_split, terms)), prefix, limit, after)
    try:
        document = node.search(wanted)
    except ProtocolError as error:
        raise CommandError(str(error), "biaojie search --help", EXIT_USAGE) from None
    if as_json:
        print_json(document)
        if document.get("responseCode") != GOOD:
            raise SystemExit(EXIT_FAILED)
        return
    refuse_failure(document)
    types = {type_.upper() for type_, _ in wanted.terms}
    found = document["found"]
    rows = [
        (handle, value["type"], _shorten(value["value"]))
        for handle, values in found.items()
        for value in values
        if value["type"].upper() in types
    ]
    print_table("", ("identifier", "type", "value"), rows)
    if document["behind"]:
        say(f"the index is {document['behind']} changes behind: what is new may be missing")
    if len(found) == limit:
        words = [*terms, *(("--prefix", prefix) if prefix else ())]
        words += ["--limit", str(limit), "--after", list(found)[-1]]
        say(f"more: biaojie search {shlex.join(words)}{same_node()}")
    elif not found:
        say("nothing found")


def _split(term: str) -> tuple[str, str]:
    type_, equals, pattern = term.partition("=")
    if not equals or not type_:
        step = "biaojie search 'URL=*example.org*'"
        raise CommandError(f"{term!r}: not TYPE=PATTERN", step, EXIT_USAGE)
    return type_, pattern


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
