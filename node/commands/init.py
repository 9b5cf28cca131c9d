"""``biaojie init``: a new node's directory, with keys, settings, its prefix and its first administrator."""

from pathlib import Path

import click

from node.commands.options import json_option
from node.config_kinds import NoPlace, read_place
from node.init_node import InitFailed, Made, init_node
from node.output import EXIT_USAGE, CommandError, print_json, print_table, say

PORT = click.IntRange(1, 65_535)
MODE = click.Choice(["iterate", "recurse"])


@click.command(name="init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--prefix", required=True, help="The node's own prefix, e.g. 88.118.")
@click.option("--address", "addresses", multiple=True, metavar="IP",
              help="Where clients reach this node (HS_SITE). Repeat it; without it: this machine only.")  # fmt: skip
@click.option("--port", type=PORT, default=2641, show_default=True, help="Native UDP and TCP.")
@click.option("--http-port", type=PORT, default=8000, show_default=True, help="HTTP.")
@click.option(
    "--operations-port", type=PORT, default=8001, show_default=True, help="Metrics, health."
)
@click.option("--upstream", "upstreams", multiple=True, metavar="URL",
              help="Ask this node for what is held elsewhere, e.g. tcp://192.0.2.1:2641. Repeat it.")  # fmt: skip
@click.option("--upstream-mode", "mode", type=MODE, default="iterate", show_default=True,
              help="iterate: ask it for prefixes, as a top-level node. recurse: let it resolve.")  # fmt: skip
@click.option("--case-sensitive", is_flag=True, help="Suffixes keep their case. Fixed for ever.")
@json_option
def command(  # noqa: PLR0913  one parameter for each option
    *,
    directory: Path,
    prefix: str,
    addresses: tuple[str, ...],
    port: int,
    http_port: int,
    operations_port: int,
    upstreams: tuple[str, ...],
    mode: str,
    case_sensitive: bool,
    as_json: bool,
) -> None:
    """Make a node in DIRECTORY (absent or empty): biaojie init my-node --prefix 88.118

    For an enterprise below a secondary node: --upstream tcp://SECONDARY:2641 --upstream-mode recurse
    """
    for text in upstreams:
        _check_upstream(text)
    try:
        made = init_node(
            directory,
            prefix,
            addresses,
            native_port=port,
            http_port=http_port,
            operations_port=operations_port,
            case_sensitive=case_sensitive,
            settings={"upstream.servers": [*upstreams], "upstream.mode": mode},
        )
    except InitFailed as failed:
        raise CommandError(str(failed), "biaojie init --help explains the options") from None
    _tell(made, as_json=as_json)


def _check_upstream(text: str) -> None:
    try:
        read_place(text)
    except NoPlace as error:
        reason = f'--upstream "{text}" is not a server: {error.what}'
        raise CommandError(reason, f"for example --upstream {error.example}", EXIT_USAGE) from None


def _tell(made: Made, *, as_json: bool) -> None:
    servers = [server.address for server in made.site.servers]
    servers += [one.value for one in made.site.attributes if one.name == "alt_addr"]
    if as_json:
        print_json(
            {
                "directory": str(made.directory),
                "prefix": made.prefix,
                "settings": str(made.settings),
                "administrator": made.administrator,
                "secret": str(made.secret),
                "addresses": servers,
            }
        )
        return
    rows = [
        ("prefix", made.prefix),
        ("settings", str(made.settings)),
        ("administrator", made.administrator),
        ("its secret", f"{made.secret} (readable by you only)"),
        ("published at", ", ".join(servers)),
    ]
    print_table("a new node", ("", ""), rows)
    say(f"next:  biaojie serve --config {made.settings}")
