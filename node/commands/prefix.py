"""``biaojie prefix add|list``: the prefixes this node is responsible for."""

from pathlib import Path

import click

from node.asking.node import OwnNode, receipt_document
from node.commands.options import (
    config_option,
    json_option,
    plain_errors,
    read_config,
    same_node,
)
from node.commands.show import show_receipt
from node.config import Config
from node.init_node import ADMIN_INDEX, GROUP_INDEX, SECRET_INDEX, SITE_INDEX
from node.keys import make_secret
from node.output import EXIT_USAGE, CommandError, print_json, print_table, say
from node.store import open_view
from protocols.errors import ProtocolError
from protocols.identifier import Identifier, prefix_record_of
from protocols.message import Command, Operation, Outcome
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.value import SECRET_PERMISSIONS, Value
from protocols.values.value_list import decode_values
from registry.stores.store import Authority, Reader


@click.group(name="prefix")
def command() -> None:
    """Take responsibility for prefixes, and see which ones this node has."""


@command.command(name="add", short_help="host a prefix")
@click.argument("prefix")
@click.option("--case-sensitive", is_flag=True, help="Suffixes keep their case. Fixed for ever.")
@click.option(
    "--new-admin", "secret_path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Give the prefix an administrator of its own, 300:0.NA/PREFIX, and write its secret to FILE.",
)  # fmt: skip
@config_option
@json_option
def add(
    *,
    prefix: str,
    case_sensitive: bool,
    secret_path: Path | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Host PREFIX, e.g. 88.118.7: identifiers below it are registered and resolved here.

    Its record 0.NA/PREFIX is made with it: HS_SITE as this node publishes it, and HS_ADMIN for the node's own
    administrators, or for a new one with --new-admin.
    """
    config = read_config(config_path)
    try:
        identifier = prefix_record_of(prefix.removeprefix("0.NA/"))
    except ProtocolError as error:
        raise CommandError(
            f"{prefix!r}: {error}", "a prefix is like 88.118.7", EXIT_USAGE
        ) from None
    with plain_errors():
        values = _first_values(config, identifier, secret_path)
        order = Command(Operation.HOST, identifier, values, case_sensitive=case_sensitive)
        (receipt,) = OwnNode(config).send_many([order])
        if receipt.outcome is not Outcome.SUCCESS and secret_path is not None:
            secret_path.unlink()  # the administrator it was for was not made
    show_receipt(receipt_document(order, receipt), as_json=as_json, done="hosted")
    if as_json:
        return
    if secret_path is not None:
        say(f"administrator {SECRET_INDEX}:{identifier.text}, its secret is in {secret_path}")
    first = f"{prefix}/SN-1 --value URL=https://example.org/1"
    say(f"next:  biaojie put {first}{same_node()}")


def _first_values(
    config: Config, identifier: Identifier, secret_path: Path | None
) -> tuple[Value, ...]:
    values = [value for value in _own_site(config) if value.type == "HS_SITE"][:1]
    values = [value._replace(index=SITE_INDEX, timestamp=0) for value in values]
    admin = Admin(f"0.NA/{config.node.prefix}", GROUP_INDEX, ALL_PERMISSIONS)
    if secret_path is not None:
        admin = Admin(identifier.text, SECRET_INDEX, ALL_PERMISSIONS)
        values.append(
            Value(
                SECRET_INDEX, "HS_SECKEY", _new_secret(secret_path), permissions=SECRET_PERMISSIONS
            )
        )
    if config.node.prefix or secret_path is not None:
        values.append(Value(ADMIN_INDEX, "HS_ADMIN", encode_admin(admin)))
    return tuple(sorted(values))


def _new_secret(path: Path) -> bytes:
    try:
        return make_secret(path)
    except FileExistsError:
        raise CommandError(
            f"{path} exists already", "name a new file for the secret", EXIT_USAGE
        ) from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", "", EXIT_USAGE) from None


def _own_site(config: Config) -> tuple[Value, ...]:
    """Public values of the node's own prefix record; none on a node without one."""
    if not config.node.prefix:
        return ()
    reader = open_view(config)
    try:
        record = reader.lookup(prefix_record_of(config.node.prefix))
        return decode_values(record.public) if record else ()
    finally:
        reader.close()


@command.command(name="list", short_help="the hosted prefixes, with their counts")
@config_option
@json_option
def list_(*, config_path: Path | None, as_json: bool) -> None:
    """Show the hosted prefixes with the exact number of identifiers below each."""
    config = read_config(config_path)
    with plain_errors():
        reader = open_view(config)
        try:
            found = _all_authorities(reader)
            rows = [
                (
                    a.spelling.decode(),
                    reader.count(a.prefix),
                    "kept" if a.is_case_sensitive else "folded",
                )
                for a in found
            ]
        finally:
            reader.close()
    if as_json:
        print_json(
            {"prefixes": [{"prefix": p, "identifiers": n, "case": case} for p, n, case in rows]}
        )
        return
    print_table("", ("prefix", "identifiers", "case of suffixes"), rows)
    if not rows:
        say(f"none yet; biaojie prefix add 88.118{same_node()}")


def _all_authorities(reader: Reader) -> list[Authority]:
    found: list[Authority] = []
    while page := reader.authorities(found[-1].prefix if found else b""):
        found += page
    return found
