"""``biaojie key new|show|rotate``: key pairs, what they are for, and changing them without an interruption."""

import json
import time
from pathlib import Path
from typing import Any

import click

from node.asking.node import Kept, Node, OwnNode
from node.commands.admin_key_rotation import add_successor, finish
from node.commands.key_facts import report_of, report_of_server, value_report
from node.commands.key_values import (
    DEFAULT_INDEX,
    KEY_TYPE,
    add_values,
    need_record,
    new_credential,
    refuse_taken,
)
from node.commands.options import (
    config_option,
    json_option,
    node_options,
    plain_errors,
    read_config,
    read_name,
    same_node,
)
from node.commands.server_key_rotation import IDLE, OVER, OVERLAP, PREPARED, State, read_state, step
from node.keys import read_secret
from node.output import EXIT_USAGE, CommandError, print_json, say
from node.trust.key_files import (
    DEFAULT_RSA_BITS,
    MAKERS,
    RSA_SIZES,
    facts_of,
    make_key,
    public_data,
    public_pem,
    read_key,
    write_key,
)
from protocols.identifier import parse_identifier
from protocols.rest.dates import format_date
from protocols.rest.value_json import value_to_json
from protocols.trust.algorithms import public_key_of
from protocols.values.value import Reference, Value

_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_OLD_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(name="key")
def command() -> None:
    """Make key pairs, see what a key is and who names it, change keys and secrets while everything goes on."""


@command.command(name="new", short_help="make a key pair, or convert one of Handle.Net")
@click.argument("file", type=_NEW_FILE)
@click.option("--kind", type=click.Choice(list(MAKERS)), default="rsa", show_default=True,
              help="rsa is understood by every Handle client; sm2 needs the extra biaojie[sm].")  # fmt: skip
@click.option("--bits", type=click.Choice([str(size) for size in RSA_SIZES]), default=str(DEFAULT_RSA_BITS),
              show_default=True, help="Size of an RSA key.")  # fmt: skip
@click.option("--from", "old_path", type=_OLD_FILE, metavar="FILE",
              help="Convert this key instead of making one: PEM, or a key file of Handle.Net.")  # fmt: skip
@click.option(
    "--passphrase-file", "passphrase_path", type=_OLD_FILE, metavar="FILE", help="Opens --from."
)
@click.option(
    "--store",
    "place",
    metavar="INDEX:HANDLE",
    help="Store the public half there as HS_PUBKEY; the index must be free.",
)
@node_options
@json_option
def new(  # noqa: PLR0913  one parameter for each option
    *,
    file: Path,
    kind: str,
    bits: str,
    old_path: Path | None,
    passphrase_path: Path | None,
    place: str | None,
    node: Node,
    as_json: bool,
) -> None:
    """Make a private key in FILE (PEM, mode 0600) and its public half in FILE.pub.

    \b
      biaojie key new factory.pem
      biaojie key new factory.pem --store 301:0.NA/88.118.7
      biaojie key new admin.pem --from admpriv.bin --passphrase-file phrase.txt

    FILE must not exist: a key is never overwritten. To let the key administer something: `biaojie admin grant`.
    """
    public_path = file.with_name(file.name + ".pub")
    name = read_name(place) if place else None
    kept = _free_place(node, name) if name else None
    passphrase = read_secret(passphrase_path) if passphrase_path else None
    key = read_key(old_path, passphrase) if old_path else make_key(kind, int(bits))
    public = public_key_of(key)
    try:
        write_key(file, key)
        public_path.write_text(public_pem(public), encoding="ascii")
    except OSError as error:
        reason = "is there already" if isinstance(error, FileExistsError) else str(error.strerror)
        raise CommandError(
            f"{file}: {reason}", "name a new file; a key is never overwritten", EXIT_USAGE
        ) from None
    value = Value(name.index if name else DEFAULT_INDEX, KEY_TYPE, public_data(public))
    put = _put_command(name, public_path)
    if name and kept:
        try:
            add_values(node, parse_identifier(name.handle), kept, [value], overwrite=False)
        except CommandError as refused:
            step = f"{refused.next_step}; then store the key, which is in {file}: {put}"
            raise CommandError(refused.message, step) from None
    facts = facts_of(public)
    if as_json:
        print_json(
            {
                "file": str(file),
                "public": str(public_path),
                **facts._asdict(),
                "value": value_to_json(value),
            }
        )
        return
    say(f"{facts.kind}, {facts.bits} bits, {facts.pin}")
    say(f"private key: {file}   public key: {public_path}")
    if name:
        say(f"stored at {name}")
        return
    say(f"next:  {put}")


def _put_command(name: Reference | None, public_path: Path) -> str:
    """What stores the key later."""
    handle, index = (name.handle, name.index) if name else ("0.NA/PREFIX", DEFAULT_INDEX)
    value = f'"{index}:{KEY_TYPE}=$(cat {public_path})"'
    return f"biaojie put {handle} --add --new --value {value}{same_node()}"


def _free_place(node: Node, name: Reference) -> Kept:
    """The record that gets the key. Raises ``CommandError`` when something stands at its place."""
    home = parse_identifier(name.handle)
    kept = need_record(node, home)
    step = f"name a free index: biaojie get {name.handle} --all{same_node()} shows the others"
    refuse_taken(home, kept, name.index, step)
    return kept


@command.command(name="show", short_help="what a key is, and who names it")
@click.argument("what", required=False, metavar="[FILE|INDEX:HANDLE]")
@config_option
@json_option
def show(*, what: str | None, config_path: Path | None, as_json: bool) -> None:
    """Show a key's kind, size and fingerprint and the records that name it: of a file, of a value, or the node's own.

    \b
      biaojie key show                      the key this node signs its answers with
      biaojie key show factory.pem
      biaojie key show 300:0.NA/88.118      a value in this node's records

    The fingerprint is what other nodes pin (upstream.pinned_keys). What is secret is never shown.
    """
    config = read_config(config_path)
    with plain_errors():
        if what is None:
            report = report_of_server(config, _now_s())
        elif Path(what).exists():
            report = report_of(Path(what), config)
        elif ":" in what:
            report = value_report(read_name(what), config)
        else:
            raise CommandError(
                f"{what}: no such file", "name a key file, or a value as INDEX:HANDLE", EXIT_USAGE
            )
    if as_json:
        print_json(report.document())
        return
    for line in report.lines():
        click.echo(line)


@command.command(name="rotate", short_help="change a key while everything goes on")
@click.argument("who", required=False, metavar="[INDEX:HANDLE]")
@click.option(
    "--prepare",
    is_flag=True,
    help="The node's key: make the new one and show its fingerprint, no more.",
)
@click.option(
    "--now",
    is_flag=True,
    help="The node's key: end the overlap now, or change a key that no HS_SITE names.",
)
@click.option("--new-secret", "secret_path", type=_NEW_FILE, metavar="FILE",
              help="WHO's: a new secret beside the old one, into this file.")  # fmt: skip
@click.option("--new-key", "key_path", type=_NEW_FILE, metavar="FILE",
              help="WHO's: a new RSA key beside the old one, into this file.")  # fmt: skip
@click.option(
    "--finish",
    "is_end",
    is_flag=True,
    help="WHO's: the new one is in use; remove the old one and its rights.",
)
@click.option("--also", "also", multiple=True, metavar="HANDLE",
              help="WHO's: a record besides those of prefixes that names it. Repeat it.")  # fmt: skip
@click.option("--force", is_flag=True, help="With --finish: even the last administrator.")
@node_options
@json_option
def rotate(  # noqa: PLR0913  one parameter for each option
    *,
    who: str | None,
    prepare: bool,
    now: bool,
    secret_path: Path | None,
    key_path: Path | None,
    is_end: bool,
    also: tuple[str, ...],
    force: bool,
    node: Node,
    as_json: bool,
) -> None:
    """Change the node's own key, or with INDEX:HANDLE that of an administrator; the old one goes on for a while.

    \b
    The key this node signs with. Run it again later: it takes the next step, and says what it is waiting for.
      biaojie key rotate
    An administrator's secret: the new one is valid beside the old one until --finish.
      biaojie key rotate 300:0.NA/88.118 --new-secret new.secret
      biaojie key rotate 300:0.NA/88.118 --finish

    A run that was killed is gone on with by the next one. Answers are signed with the key of the site that a client
    says it knows, so nobody's check fails while the change is under way.
    """
    if who is None:
        if not isinstance(node, OwnNode):
            raise CommandError(
                "a node's own key is changed where its files are", "use --config", EXIT_USAGE
            )
        if secret_path or key_path or is_end:
            raise CommandError(
                "--new-secret, --new-key and --finish need INDEX:HANDLE", "", EXIT_USAGE
            )
        _rotate_server_key(node, prepare=prepare, now=now, as_json=as_json)
        return
    name = read_name(who)
    if is_end:
        done = finish(node, name, also, force=force)
    else:
        credential = new_credential(key_path, secret_path)
        if credential is None:
            step_ = "add --new-secret FILE or --new-key FILE; with the new one in use, --finish"
            raise CommandError(f"{who}: rotate it to what?", step_, EXIT_USAGE)
        done = add_successor(node, name, credential, also)
    if as_json:
        print_json(done.document())
        return
    for line in done.lines(same_node()):
        say(line)


def _rotate_server_key(node: OwnNode, *, prepare: bool, now: bool, as_json: bool) -> None:
    """Step after step, until one has to be waited for."""
    config, done = node.config, list[str]()
    state = read_state(config, _now_s())
    begun = state.stage
    while not _waits(state, begun, prepare=prepare, now=now):
        done.append(step(config, state))
        state = read_state(config, _now_s())
        if state.stage == IDLE:
            break
    if as_json:
        print_json(_state_facts(state) | {"done": done})
        return
    for line in done:
        say(line)
    say(_waiting(state, is_prepared=prepare))


def _waits(state: State, begun: str, *, prepare: bool, now: bool) -> bool:
    """Whether the next step is for another run: somebody else has to do or forget something first."""
    if prepare:
        return state.stage != IDLE
    if state.stage == PREPARED:
        return not state.namings and not (now and begun == PREPARED)
    if state.stage == OVERLAP:
        return not (now and begun == OVERLAP)
    return state.stage == OVER and begun != OVER


def _state_facts(state: State) -> dict[str, Any]:
    facts: dict[str, Any] = {"stage": state.stage, "key": state.key_pin}
    if state.new_pin:
        facts["newKey"] = state.new_pin
    if state.until_s:
        facts["overlapUntil"] = format_date(state.until_s)
    return facts


def _waiting(state: State, *, is_prepared: bool) -> str:
    """What is next, for people."""
    again = f"biaojie key rotate{same_node()}"
    if state.stage == OVERLAP:
        until = format_date(state.until_s)
        return f"both keys are in use until {until}\nnext:  after that: {again}   (or at once: {again} --now)"
    if state.stage == PREPARED:
        lead = "who pins this node's key adds the new one: pinned_keys ="
        pins = json.dumps([state.key_pin, state.new_pin])
        more = "" if state.namings and is_prepared else " --now"
        return f"{lead} {pins}\nnext:  {again}{more}"
    return f"the key of this node is {state.key_pin}"


def _now_s() -> int:
    return int(time.time())  # noqa: TID251  a command's clock
