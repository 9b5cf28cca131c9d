"""``biaojie sign``: vouch for records (HS_SIGNATURE), and certify the keys of those who do (HS_CERT)."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from node.asking.node import Kept, Node, Refused
from node.commands.options import (
    json_option,
    node_options,
    read_identifier_argument,
    read_name,
    same_node,
)
from node.commands.show import show_receipt
from node.keys import read_secret
from node.output import EXIT_USAGE, CommandError, print_json, say
from node.trust.key_files import facts_of, read_key, read_public
from protocols.errors import ProtocolError
from protocols.identifier import Identifier
from protocols.message import Command, Operation
from protocols.rest.dates import MAX_SECONDS, parse_date
from protocols.trust.algorithms import public_key_of
from protocols.trust.claims import (
    Perm,
    Permission,
    folded,
    identifier_of,
    read_claims,
)
from protocols.trust.digests import CERTIFICATE_TYPE, SIGNATURE_TYPE, is_of_type, is_self_signed
from protocols.trust.issuing import Signer, Span, certify_key, sign_record
from protocols.trust.jws import decode_jws
from protocols.values.key_objects import VerifyingKey, load_key
from protocols.values.keys import decode_public_key
from protocols.values.value import Reference, Value

FIRST_INDEX = 400
"""Where signatures and certificates stand in the records of the national system."""
DAY_S = 86_400
DEFAULT_DAYS = 365
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Made(NamedTuple):
    """One signed text, and where it belongs."""

    identifier: Identifier
    value: Value
    kept: Kept
    signs: tuple[int, ...] = ()
    """Indexes of the values that it covers."""


@click.command(name="sign")
@click.argument("handles", nargs=-1, metavar="[HANDLE]...")
@click.option("--key", "key_path", type=_FILE, required=True, metavar="FILE",
              help="The private key that signs: PEM, or a key file of Handle.Net.")  # fmt: skip
@click.option("--as", "signer", required=True, metavar="INDEX:HANDLE", help="Whose key that is.")
@click.option("--passphrase-file", "passphrase_path", type=_FILE, metavar="FILE",
              help="Opens --key when it is encrypted.")  # fmt: skip
@click.option("--only", type=int, multiple=True, metavar="INDEX",
              help="Sign the value at this index; without it all public values. Repeat it.")  # fmt: skip
@click.option("--cert", "subject", metavar="INDEX:HANDLE",
              help="Certify the key that stands there instead of signing a record.")  # fmt: skip
@click.option("--public-key", "public_path", type=_FILE, metavar="FILE",
              help="With --cert: the key; without it the HS_PUBKEY that stands there.")  # fmt: skip
@click.option("--may", "perms", multiple=True, metavar="PERM[=HANDLE]",
              help="With --cert: what the key may sign, e.g. handlesUnderThisPrefix=88.118.7. Repeat it.")  # fmt: skip
@click.option("--chain", "chain", multiple=True, metavar="INDEX:HANDLE",
              help="Where the signer's certificate is when it is not at his handle; then its issuer's …")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 36_500), default=DEFAULT_DAYS, show_default=True,
              help="How long it is valid.")  # fmt: skip
@click.option("--from", "begins", metavar="DATE",
              help="From when, e.g. 2026-01-31T08:00:00Z; without it from ten minutes ago.")  # fmt: skip
@click.option("--plain-subject", is_flag=True,
              help="Name the record without an index, as Handle.Net's own tools do.")  # fmt: skip
@click.option("--print", "is_print", is_flag=True, help="Print the signed text, store nothing.")
@node_options
@json_option
def command(  # noqa: PLR0913  one parameter for each option
    *,
    handles: tuple[str, ...],
    key_path: Path,
    signer: str,
    passphrase_path: Path | None,
    only: tuple[int, ...],
    subject: str | None,
    public_path: Path | None,
    perms: tuple[str, ...],
    chain: tuple[str, ...],
    days: int,
    begins: str | None,
    plain_subject: bool,
    is_print: bool,
    node: Node,
    as_json: bool,
) -> None:
    """Sign the records of HANDLEs: whoever trusts the root above the key sees that nothing was altered.

    \b
    A factory signs what it registered:
      biaojie sign 88.118.7/SN-1 --key factory.pem --as 300:0.NA/88.118.7
    A registrar certifies the factory's key:
      biaojie sign --cert 300:0.NA/88.118.7 --may handlesUnderThisPrefix=88.118.7 \\
          --key registrar.pem --as 301:0.NA/88.118
    A root certifies itself:
      biaojie sign --cert 301:88.118/ROOT --may everything --key root.pem --as 301:88.118/ROOT

    The signature joins the record as HS_SIGNATURE, from index 400 on; one by the same signer is replaced. A certificate
    joins the record of the certified key as HS_CERT. PERM is everything, thisHandle, derivedPrefixes or
    handlesUnderThisPrefix. `biaojie resolve HANDLE --verify` climbs from the one to the other.
    """
    if bool(handles) == (subject is not None):
        raise CommandError(
            "name records to sign, or a key to certify with --cert",
            "biaojie sign --help",
            EXIT_USAGE,
        )
    if (public_path or perms) and subject is None:
        raise CommandError("--public-key and --may go with --cert", "", EXIT_USAGE)
    passphrase = read_secret(passphrase_path) if passphrase_path else None
    who = Signer(
        read_name(signer, "--as"),
        read_key(key_path, passphrase),
        secrets.randbits,
        tuple(read_name(one, "--chain") for one in chain),
    )
    span = _read_span(days, begins)
    _warn_of_another_key(node, who)
    try:
        if subject is not None:
            made = [_certify(node, who, subject, public_path, perms, span)]
        else:
            made = [_sign(node, who, one, only, span, plain=plain_subject) for one in handles]
    except ProtocolError as error:
        raise CommandError(str(error), "biaojie key show tells what kind of key it is") from None
    for one in made:
        _tell(one, as_json=as_json) if is_print else _store(node, one, as_json=as_json)


def _warn_of_another_key(node: Node, who: Signer) -> None:
    """What one key signs in the name of another, nobody will believe; the value may still be on its way there."""
    try:
        kept = node.read(read_identifier_argument(who.name.handle), public_only=True)
        stored = facts_of(_key_at(kept, who.name)).pin
    except (CommandError, ProtocolError, Refused):
        return  # not there, or not there yet: nothing to compare with
    if stored != facts_of(public_key_of(who.key)).pin:
        say(f"warning: another key stands at {who.name}: what this one signs counts as forged")


def _sign(
    node: Node, who: Signer, handle: str, only: Sequence[int], span: Span, *, plain: bool
) -> Made:
    identifier = read_identifier_argument(handle)
    kept = node.read(identifier)
    if not kept.version and not kept.values:
        step = f"register it first: biaojie put {handle} --value URL=https://…{same_node()}"
        raise CommandError(f"{handle}: there is no such record", step)
    signed = [value for value in kept.values if value.is_public and not is_self_signed(value)]
    if only:
        absent = sorted(set(only) - {value.index for value in signed})
        if absent:
            raise CommandError(
                f"{handle}: no public value at index {absent[0]} to sign",
                f"biaojie get {handle}{same_node()}",
            )
        signed = [value for value in signed if value.index in only]
    if not signed:
        raise CommandError(f"{handle}: it has no public value to sign", "")
    index = _index_for(kept, SIGNATURE_TYPE, who.name, None)
    data = sign_record(who, Reference(identifier.text, index), signed, span, plain=plain)
    value = Value(index, SIGNATURE_TYPE, data)
    return Made(identifier, value, kept, tuple(value.index for value in signed))


def _certify(
    node: Node, who: Signer, subject: str, public: Path | None, perms: Sequence[str], span: Span
) -> Made:
    place = read_name(subject, "--cert")
    identifier = read_identifier_argument(place.handle)
    if not perms:
        step = "--may handlesUnderThisPrefix=88.118.7, or --may everything for a root"
        raise CommandError("a certificate without permissions lets sign nothing", step, EXIT_USAGE)
    permissions = [_read_permission(text) for text in perms]
    kept = node.read(identifier)
    key = read_public(public) if public else _key_at(kept, place)
    data = certify_key(who, place, key, permissions, span)
    return Made(
        identifier,
        Value(_index_for(kept, CERTIFICATE_TYPE, who.name, place), CERTIFICATE_TYPE, data),
        kept,
    )


def _index_for(kept: Kept, type_: str, issuer: Reference, subject: Reference | None) -> int:
    """Where one by the same issuer (about the same key) stands, else the first free index."""
    for value in kept.values:
        if is_of_type(value, type_):
            try:
                claims = read_claims(decode_jws(value.data).payload)
            except ProtocolError:
                continue
            is_same = _same(claims.issuer, issuer)
            if is_same and (subject is None or _same(claims.subject, subject)):
                return value.index
    taken = {value.index for value in kept.values}
    index = FIRST_INDEX
    while index in taken:
        index += 1
    return index


def _key_at(kept: Kept, place: Reference) -> VerifyingKey:
    for value in kept.values:
        if value.index == place.index and is_of_type(value, "HS_PUBKEY"):
            return load_key(decode_public_key(value.data))
    raise CommandError(f"{place}: there is no HS_PUBKEY", "name the key with --public-key FILE")


def _store(node: Node, made: Made, *, as_json: bool) -> None:
    if not made.kept.version and not made.kept.values:
        step = f"register it with the key, or use --print: biaojie key new --help{same_node()}"
        raise CommandError(f"{made.identifier.text}: there is no such record", step)
    order = Command(
        Operation.ADD, made.identifier, (made.value,),
        expect_version=made.kept.version or None, request_id=secrets.token_hex(16),
    )  # fmt: skip
    document = {**node.send(order), **_facts(made)}
    what = "certified" if is_of_type(made.value, CERTIFICATE_TYPE) else "signed"
    show_receipt(document, as_json=as_json, done=what)


def _tell(made: Made, *, as_json: bool) -> None:
    facts = _facts(made)
    if as_json:
        print_json({"handle": made.identifier.text, **facts})
        return
    click.echo(made.value.data.decode())
    say(f"for {made.identifier.text}, index {made.value.index}, type {made.value.type}")


def _facts(made: Made) -> dict[str, Any]:
    facts = {"index": made.value.index, "type": made.value.type, "jws": made.value.data.decode()}
    return facts | ({"signs": list(made.signs)} if made.signs else {})


def _same(one: Reference, other: Reference) -> bool:
    return one.index == other.index and folded(one.handle) == folded(other.handle)


def _read_permission(text: str) -> Permission:
    name, _, handle = text.partition("=")
    known = {one.value.lower(): one for one in Perm}
    perm = known.get(name.lower())
    if perm is None:
        reason = f"--may {text}: {name!r} is no permission"
        raise CommandError(reason, f"one of {', '.join(one.value for one in Perm)}", EXIT_USAGE)
    if perm is not Perm.EVERYTHING and identifier_of(handle) is None:
        raise CommandError(
            f"--may {text}: of which handle or prefix?", f"--may {perm.value}=88.118.7", EXIT_USAGE
        )
    return Permission(handle, perm)


def _read_span(days: int, begins: str | None) -> Span:
    now_s = int(time.time())  # noqa: TID251  a command's clock
    if begins is not None:
        try:
            now_s = parse_date(begins)
        except ProtocolError as error:
            raise CommandError(f"--from {begins}: {error}", "", EXIT_USAGE) from None
    return Span(now_s, min(days * DAY_S, MAX_SECONDS - now_s))
