"""``biaojie prefix add|delegate|unhost|set|list``: the prefixes this node is responsible for, or has given away."""

from collections.abc import Sequence
from pathlib import Path

import click

from node.asking.node import OwnNode, receipt_document
from node.commands.far_servers import (
    HASHES,
    MAX_SERIAL,
    Wanted,
    read_hosts,
    read_key_file,
    site_values,
)
from node.commands.options import (
    config_option,
    json_option,
    plain_errors,
    read_config,
    same_node,
)
from node.commands.prefix_state import (
    PrefixRecord,
    list_prefixes,
    read_prefix_record,
    server_names,
)
from node.commands.show import show_receipt
from node.config import Config
from node.init_node import ADMIN_INDEX, GROUP_INDEX, SECRET_INDEX, SITE_INDEX
from node.keys import make_secret
from node.output import EXIT_USAGE, CommandError, print_json, print_table, say
from protocols.errors import ProtocolError
from protocols.identifier import Identifier, prefix_record_of
from protocols.message import Command, Operation, Outcome
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.site import PROTOCOL_NAMES
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.authority import is_admin_value
from registry.delegation import is_site_value, sites_in

NATIVE = ("udp", "tcp")
"""What a server speaks when nothing is said: what every Handle client knows."""


@click.group(name="prefix")
def command() -> None:
    """Take responsibility for prefixes or give it to other servers, and see which ones this node knows."""


@command.command(name="add", short_help="host a prefix")
@click.argument("prefix")
@click.option("--case-sensitive", is_flag=True, help="Suffixes keep their case. Fixed for ever.")
@click.option(
    "--new-admin", "secret_path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Give the prefix an administrator of its own, 300:0.NA/PREFIX, and write its secret to FILE.",
)  # fmt: skip
@click.option(
    "--private", is_flag=True,
    help="Whoever may not read cannot tell what is absent from what he may not see, and guessing is slowed down.",
)  # fmt: skip
@config_option
@json_option
def add(
    *,
    prefix: str,
    case_sensitive: bool,
    private: bool,
    secret_path: Path | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Host PREFIX, e.g. 88.118.7: identifiers below it are registered and resolved here.

    Its record 0.NA/PREFIX is made with it: HS_SITE as this node publishes it, and HS_ADMIN for the node's own
    administrators, or for a new one with --new-admin.

    A prefix that was delegated or given up is taken back: from one moment on this node answers below it again, with
    what was registered here before, and with what was imported meanwhile so that nothing is missing. All but HS_SITE
    stays in its record.
    """
    config, identifier = read_config(config_path), _read_prefix(prefix)
    with plain_errors():
        present = read_prefix_record(config, identifier)
        values = _hosted_values(config, identifier, present, secret_path)
        order = Command(
            Operation.HOST, identifier, values,
            expect_version=present.version or None,
            case_sensitive=case_sensitive or (present.is_away and present.is_case_sensitive),
        )  # fmt: skip
        hide = Command(Operation.HIDE, identifier, expect_version=present.latest + 1)
        receipts = OwnNode(config).send_many([order, hide] if private else [order])
        is_done = receipts[0].outcome is Outcome.SUCCESS
        if not is_done and secret_path is not None:
            secret_path.unlink()  # the administrator it was for was not made
    done = "taken back" if present.is_away else "hosted"
    receipt = receipts[0] if not is_done or receipts[-1].is_unchanged else receipts[-1]
    document = receipt_document(order, receipt)
    show_receipt(document, as_json=as_json, done=f"{done}, private" if private else done)
    if as_json:
        return
    if secret_path is not None:
        say(f"administrator {SECRET_INDEX}:{identifier.text}, its secret is in {secret_path}")
    if present.kept:
        say(f"identifiers answered from here again: {present.kept:,}")
        return
    first = f"{prefix}/SN-1 --value URL=https://example.org/1"
    say(f"next:  biaojie put {first}{same_node()}")


@command.command(name="delegate", short_help="give a prefix to other servers")
@click.argument("prefix")
@click.option(
    "--to", "servers", multiple=True, required=True, metavar="PLACE",
    help="HOST:PORT of a server that answers below PREFIX, or tcp://HOST:PORT for one interface; both addresses of one "
    "server as 192.0.2.8+[2001:db8::8]:2641. Repeatable: several servers share the identifiers by their hash.",
)  # fmt: skip
@click.option(
    "--mirror", "mirrors", multiple=True, metavar="PLACE",
    help="A server that has all identifiers below PREFIX as well: another site. Repeatable.",
)  # fmt: skip
@click.option("--udp", is_flag=True, help="HOST:PORT speaks the Handle protocol over UDP.")
@click.option("--tcp", is_flag=True, help="The same over TCP. With none of the four: --udp --tcp.")
@click.option("--http", is_flag=True, help="HOST:PORT speaks the Handle JSON API.")
@click.option("--https", is_flag=True, help="The same over TLS.")
@click.option(
    "--public-key", "key_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="The servers' public key (PEM), so that their answers can be proved.",
)  # fmt: skip
@click.option(
    "--hash", "hash_name", type=click.Choice(list(HASHES)), default="whole", show_default=True,
    help="Which part of an identifier says which of several servers has it.",
)  # fmt: skip
@click.option(
    "--serial", type=click.IntRange(0, MAX_SERIAL), metavar="N",
    help="Serial number of the site; without it the one before + 1.",
)  # fmt: skip
@click.option("--case-sensitive", is_flag=True, help="Suffixes keep their case. Fixed for ever.")
@config_option
@json_option
def delegate(  # noqa: PLR0913  # what a site is made of
    *,
    prefix: str,
    servers: tuple[str, ...],
    mirrors: tuple[str, ...],
    udp: bool,
    tcp: bool,
    http: bool,
    https: bool,
    key_path: Path | None,
    hash_name: str,
    serial: int | None,
    case_sensitive: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Give PREFIX, e.g. 88.118.7, to the servers of an enterprise: clients are sent there, or this node asks there.

    Its record 0.NA/PREFIX gets their HS_SITE and keeps everything else it has. Identifiers registered below it here
    stay stored, out of sight, until `biaojie prefix add` takes the prefix back; both take effect in one moment. Others
    may go on asking the servers they know until the TTL of HS_SITE is over, as a rule one day.
    """
    config, identifier = read_config(config_path), _read_prefix(prefix)
    _need_other_than_own(config, identifier, "delegate a prefix below it")
    flags = zip(PROTOCOL_NAMES, (udp, tcp, http, https), strict=True)
    named = tuple(name.lower() for name, is_wanted in flags if is_wanted)
    _refuse_idle(named, (*servers, *mirrors))
    spoken = named or NATIVE
    key = read_key_file(key_path) if key_path else b""
    far, copies = read_hosts(servers, spoken, config), read_hosts(mirrors, spoken, config)
    wanted = Wanted(far, copies, HASHES[hash_name], key)
    with plain_errors():
        present = read_prefix_record(config, identifier)
        sites = site_values(wanted, present.values, serial)
        values = _with_sites(present.values or _first_admins(config), sites)
        order = Command(
            Operation.DELEGATE, identifier, values,
            expect_version=present.version, case_sensitive=case_sensitive,
        )  # fmt: skip
        (receipt,) = OwnNode(config).send_many([order])
    names = server_names(sites_in(sites))
    document = {**receipt_document(order, receipt), "servers": names}
    show_receipt(document, as_json=as_json, done="delegated")
    if as_json:
        return
    say(f"to {', '.join(names)}")
    if not any(name.startswith("tcp:") for name in names):
        say("warning: none of them speaks TCP, the only way national clients ask")
    if present.kept:
        say(f"identifiers kept here out of sight: {present.kept:,}")
    say(f"back:  biaojie prefix add {prefix}{same_node()}")


@command.command(name="unhost", short_help="give up a prefix")
@click.argument("prefix")
@config_option
@json_option
def unhost(*, prefix: str, config_path: Path | None, as_json: bool) -> None:
    """Give up PREFIX: this node says it is not responsible, and its record 0.NA/PREFIX stays as it is.

    Identifiers registered below it stay stored, out of sight, until `biaojie prefix add` takes the prefix back. To send
    clients to the servers that answer from now on, use `biaojie prefix delegate` instead.
    """
    config, identifier = read_config(config_path), _read_prefix(prefix)
    _need_other_than_own(config, identifier, "give up a prefix below it")
    with plain_errors():
        present = read_prefix_record(config, identifier)
        order = Command(Operation.UNHOST, identifier)
        (receipt,) = OwnNode(config).send_many([order])
    show_receipt(receipt_document(order, receipt), as_json=as_json, done="given up")
    if as_json:
        return
    if present.kept:
        say(f"identifiers kept here out of sight: {present.kept:,}")
    say(f"back:  biaojie prefix add {prefix}{same_node()}")


@command.command(name="set", short_help="make a prefix private or ordinary")
@click.argument("prefix")
@click.option(
    "--private/--public", "is_private", default=None,
    help="--private: whoever may not read gets one and the same answer for what is absent and what he may not see. "
    "--public: the difference is told, as the Handle protocol has it.",
)  # fmt: skip
@config_option
@json_option
def set_(*, prefix: str, is_private: bool | None, config_path: Path | None, as_json: bool) -> None:
    """Say what those who may not read learn about PREFIX. Public values stay public either way."""
    config, identifier = read_config(config_path), _read_prefix(prefix)
    if is_private is None:
        raise CommandError("nothing to set", "say --private or --public", EXIT_USAGE)
    order = Command(Operation.HIDE if is_private else Operation.SHOW, identifier)
    with plain_errors():
        (receipt,) = OwnNode(config).send_many([order])
    done = "private from now on" if is_private else "ordinary from now on"
    show_receipt(receipt_document(order, receipt), as_json=as_json, done=done)


@command.command(name="list", short_help="the prefixes this node knows")
@config_option
@json_option
def list_(*, config_path: Path | None, as_json: bool) -> None:
    """Show the prefixes: how many identifiers are kept below each, who answers for it, whether it is private."""
    config = read_config(config_path)
    with plain_errors():
        lines = list_prefixes(config)
    if as_json:
        print_json({"prefixes": [line._asdict() for line in lines]})
        return
    titles = ("prefix", "state", "identifiers", "case of suffixes", "servers")
    states = [line.state + ", private" * line.private for line in lines]
    rows = [
        (line.prefix, state, *line[2:4], ", ".join(line.servers))
        for line, state in zip(lines, states, strict=True)
    ]
    print_table("", titles, rows)
    if not lines:
        say(f"none yet; biaojie prefix add 88.118{same_node()}")


def _read_prefix(text: str) -> Identifier:
    try:
        return prefix_record_of(text.removeprefix("0.NA/"))
    except ProtocolError as error:
        raise CommandError(f"{text!r}: {error}", "a prefix is like 88.118.7", EXIT_USAGE) from None


def _refuse_idle(named: tuple[str, ...], places: tuple[str, ...]) -> None:
    """Raises ``CommandError`` when e.g. ``--udp`` would say nothing, because each place names its protocol itself."""
    schemes = {place.rpartition("://")[0].lower() for place in places}
    idle = [] if "" in schemes else [name for name in named if name not in schemes]
    if idle:
        reason = f"--{idle[0]} says nothing about {places[0]}, which names its protocol itself"
        rest = places[0].rpartition("://")[2]
        step = f"write {rest} without a protocol, or add --to {idle[0]}://{rest}"
        raise CommandError(reason, step, EXIT_USAGE)


def _need_other_than_own(config: Config, identifier: Identifier, next_step: str) -> None:
    if identifier.responsible_prefix == config.node.prefix.encode().upper():
        reason = f"{identifier.responsible_prefix.decode()} is this node's own prefix"
        raise CommandError(reason, next_step, EXIT_USAGE)


def _hosted_values(
    config: Config, identifier: Identifier, present: PrefixRecord, secret_path: Path | None
) -> tuple[Value, ...]:
    """The record of a prefix that is hosted for the first time, or taken back: what is in it already stays."""
    kept = present.values
    if secret_path is not None:
        admin = Admin(identifier.text, SECRET_INDEX, ALL_PERMISSIONS)
        kept = tuple(
            value
            for value in kept
            if value.index not in (ADMIN_INDEX, SECRET_INDEX) and not is_admin_value(value)
        )
        secret = _new_secret(secret_path)
        kept += (
            Value(SECRET_INDEX, "HS_SECKEY", secret, permissions=SECRET_PERMISSIONS),
            Value(ADMIN_INDEX, "HS_ADMIN", encode_admin(admin)),
        )
    elif not any(is_admin_value(value) for value in kept):
        kept += _first_admins(config)
    return _with_sites(kept, _own_site(config))


def _first_admins(config: Config) -> tuple[Value, ...]:
    """Rights for the administrators of the node's own prefix; none on a node without one."""
    if not config.node.prefix:
        return ()
    admin = Admin(f"0.NA/{config.node.prefix}", GROUP_INDEX, ALL_PERMISSIONS)
    return (Value(ADMIN_INDEX, "HS_ADMIN", encode_admin(admin)),)


def _with_sites(values: Sequence[Value], sites: Sequence[Value]) -> tuple[Value, ...]:
    """The values with other sites, each at its index or at the next free one."""
    found = {value.index: value for value in values if not is_site_value(value)}
    for site in sites:
        index = site.index
        while index in found:
            index += 1
        found[index] = site._replace(index=index)
    return tuple(sorted(found.values()))


def _own_site(config: Config) -> list[Value]:
    """HS_SITE of the node's own prefix record; none on a node without one."""
    if not config.node.prefix:
        return []
    own = read_prefix_record(config, prefix_record_of(config.node.prefix))
    sites = [value for value in own.values if value.type == "HS_SITE"][:1]
    return [value._replace(index=SITE_INDEX, timestamp=0) for value in sites]


def _new_secret(path: Path) -> bytes:
    try:
        return make_secret(path)
    except FileExistsError:
        raise CommandError(
            f"{path} exists already", "name a new file for the secret", EXIT_USAGE
        ) from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", "", EXIT_USAGE) from None
