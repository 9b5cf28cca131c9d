"""Keys and secrets in records: made into files first, so that a crash never leaves a value without its file."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from node.asking.node import Kept, Node, OwnNode, Refused
from node.commands.options import same_node
from node.commands.show import usual_step
from node.config import Config
from node.keys import make_secret, read_secret
from node.output import EXIT_USAGE, CommandError
from node.store import open_view
from node.trust.key_files import make_key, public_data, read_key, write_key
from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY, Identifier, parse_identifier
from protocols.message import Command, Operation, Outcome
from protocols.record import Record
from protocols.rest.codes import response_code
from protocols.trust.algorithms import public_key_of
from protocols.values.value import SECRET_PERMISSIONS, Reference, Value
from registry.authority import GROUP_TYPE
from registry.stores.store import Reader

KEY_TYPE, SECRET_TYPE = "HS_PUBKEY", "HS_SECKEY"
DEFAULT_INDEX = 300
"""Where an administrator's key stands by custom (Handle.Net manual)."""


class Credential(NamedTuple):
    """A new key or secret: its file, and what stands in the record."""

    path: Path
    is_new: bool
    """The file was made just now; False = it was there already, from an attempt before."""
    type: str
    data: bytes

    def at(self, index: int) -> Value:
        """The value; a secret is for administrators only."""
        if self.type == SECRET_TYPE:
            return Value(index, self.type, self.data, permissions=SECRET_PERMISSIONS)
        return Value(index, self.type, self.data)


def new_credential(key_path: Path | None, secret_path: Path | None) -> Credential | None:
    """The one that the options name, its file made when it is not there. Raises ``CommandError``, ``KeyTrouble``."""
    if key_path and secret_path:
        raise CommandError("--new-key and --new-secret exclude each other", "", EXIT_USAGE)
    path = key_path or secret_path
    if path is None:
        return None
    is_new = not path.exists()
    try:
        if is_new and secret_path:
            make_secret(path)
        elif is_new:
            write_key(path, make_key("rsa"))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", "name another file", EXIT_USAGE) from None
    if secret_path:
        return Credential(path, is_new, SECRET_TYPE, read_secret(path))
    return Credential(path, is_new, KEY_TYPE, public_data(public_key_of(read_key(path))))


def read_place(text: str) -> Identifier:
    """A record, or a prefix by its own name. Raises ``CommandError``."""
    try:
        return parse_identifier(text)
    except ProtocolError as error:
        step = "a prefix like 88.118.7, or an identifier like 88.118.7/SN-1"
        raise CommandError(f"{text!r}: {error}", step, EXIT_USAGE) from None


def full_name(identifier: Identifier) -> str:
    """``0.NA/88.118`` for ``88.118``."""
    if identifier.is_prefix_record:
        return f"{PREFIX_AUTHORITY.decode()}/{identifier.suffix.decode()}"
    return identifier.text


def send(node: Node, command: Command) -> dict[str, object]:
    """The receipt of a change that was made. Raises ``CommandError``."""
    document = node.send(command)
    code = document.get("responseCode")
    if code != response_code(Outcome.SUCCESS):
        said = document.get("message") or "refused"
        name = full_name(command.identifier)
        step = usual_step(code, name) if isinstance(code, int) else ""
        raise CommandError(
            f"{name}: {said} (response code {code})",
            step or "run the command again: it goes on where it was",
        )
    return document


def add_values(
    node: Node, identifier: Identifier, kept: Kept, values: list[Value], *, overwrite: bool = True
) -> None:
    """In one change, if nobody changed the record meanwhile. Raises ``CommandError``."""
    if not values:
        return
    send(node, Command(
        Operation.ADD, identifier, tuple(values), overwrite=overwrite,
        expect_version=kept.version or None, request_id=secrets.token_hex(16),
    ))  # fmt: skip


def refuse_taken(identifier: Identifier, kept: Kept, index: int, step: str) -> None:
    """Raises ``CommandError`` when a value stands there already: keys and secrets are never overwritten."""
    for value in kept.values:
        if value.index == index:
            raise CommandError(
                f"{full_name(identifier)}: index {index} is taken by {value.type}", step
            )


def need_record(node: Node, identifier: Identifier) -> Kept:
    """It, or a ``CommandError`` with the command that makes it."""
    kept = node.read(identifier)
    if not kept.values:
        step = f"make it first: {how_to_make(identifier)}"
        raise CommandError(f"{full_name(identifier)}: there is no such record", step)
    return kept


def how_to_make(identifier: Identifier) -> str:
    """The command that makes a record."""
    if identifier.is_prefix_record:
        return f"biaojie prefix add {identifier.suffix.decode()}{same_node(is_own=True)}"
    return f"biaojie put {full_name(identifier)} --value NAME=…{same_node()}"


def lacks_key(node: Node, name: Reference) -> bool:
    """Whether nothing stands at the name that somebody could log in with; False where this node cannot tell."""
    home = parse_identifier(name.handle)
    try:
        kept = node.read(home)
    except Refused:
        return False
    if isinstance(node, OwnNode):
        if not _is_here(node.config, home, kept):
            return False
    elif kept.values and not kept.version:
        return False  # another node's record, of which the public part came
    usable = {KEY_TYPE, SECRET_TYPE} | ({GROUP_TYPE} if name.index else set())
    return not any(
        value.type.upper() in usable for value in kept.values if name.index in (0, value.index)
    )


def _is_here(config: Config, identifier: Identifier, kept: Kept) -> bool:
    """Whether the record is this node's to tell; that of a prefix is, even of one that is delegated."""
    if identifier.is_prefix_record and kept.version:
        return True
    with open_view(config) as reader:
        authority = reader.authority(identifier.responsible_prefix)
    return authority is not None and authority.is_hosted


def remove_values(node: Node, identifier: Identifier, indexes: list[int]) -> None:
    """In one change. Raises ``CommandError``."""
    if indexes:
        send(node, Command(
            Operation.REMOVE, identifier, indexes=tuple(indexes), request_id=secrets.token_hex(16)
        ))  # fmt: skip


def prefix_records(config: Config) -> list[Identifier]:
    """The records of all prefixes that a node knows. Raises ``FileNotFoundError``, ``StoreError``."""
    with open_view(config) as reader:
        return [parse_identifier(record.spelling.decode()) for record in _own(reader)]


def places_of(node: Node, extra: tuple[str, ...] = ()) -> list[Identifier]:
    """Where a name may stand: prefix records of the own node, and those that are named besides."""
    found = prefix_records(node.config) if isinstance(node, OwnNode) else []
    return [*found, *map(read_place, extra)]


def _own(reader: Reader) -> Iterator[Record]:
    after = b""
    while page := reader.list_records(PREFIX_AUTHORITY, after):
        yield from page
        after = page[-1].key.partition(b"/")[2]
