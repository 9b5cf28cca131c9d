"""What ``biaojie key show`` tells: kind, size, fingerprint, who names the key; never what is secret in it."""

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from node.asking.node import OwnNode
from node.commands.key_values import KEY_TYPE, SECRET_TYPE, prefix_records
from node.commands.server_key_rotation import IDLE, read_state
from node.config import Config
from node.keys import KeyTrouble
from node.output import CommandError
from node.trust.key_files import KeyFacts, facts_of, is_private_file, read_public
from protocols.errors import ProtocolError
from protocols.identifier import parse_identifier
from protocols.rest.dates import format_date
from protocols.values.key_objects import VerifyingKey, load_key
from protocols.values.keys import decode_public_key
from protocols.values.site import SITE_TYPES, decode_site
from protocols.values.value import Reference, Value
from registry.errors import StoreError


class KeyReport(NamedTuple):
    """One key."""

    what: str
    facts: KeyFacts
    is_private: bool = False
    mode: str = ""
    """Of its file, e.g. ``0600``."""
    named_by: tuple[str, ...] | None = None
    """``301:0.NA/88.118 HS_PUBKEY``; None = this machine has no store to look into."""
    remarks: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For programs."""
        facts: dict[str, Any] = {
            "key": self.what,
            **self.facts._asdict(),
            "private": self.is_private,
        }
        facts["namedBy"] = None if self.named_by is None else list(self.named_by)
        if self.mode:
            facts["mode"] = self.mode
        return facts | {"remarks": list(self.remarks)}

    def lines(self) -> list[str]:
        """For people."""
        kind = "private key" if self.is_private else "public key"
        size = f", {self.facts.bits} bits" if self.facts.bits else ""
        lines = [
            f"{self.what}: {self.facts.kind}{size}, {kind}"
            if self.facts.pin
            else f"{self.what}: {self.facts.kind}"
        ]
        if self.facts.pin:
            lines.append(f"fingerprint  {self.facts.pin}")
        if self.mode:
            lines.append(f"mode         {self.mode}")
        if self.named_by is not None:
            lines.append(
                f"named by     {', '.join(self.named_by) or 'no prefix record of this node'}"
            )
        return [*lines, *self.remarks]


def report_of(path: Path, config: Config) -> KeyReport:
    """Of a key file. Raises ``KeyTrouble``."""
    public, is_private = read_public(path), is_private_file(path)
    mode = f"{stat.S_IMODE(path.stat().st_mode):04o}" if is_private else ""
    return KeyReport(str(path), facts_of(public), is_private, mode, _named_by(public, config))


def report_of_server(config: Config, now_s: int) -> KeyReport:
    """Of the key that the node signs with. Raises ``KeyTrouble``."""
    path = config.node.server_key_file
    report = report_of(path, config)
    try:
        state = read_state(config, now_s)
    except (FileNotFoundError, StoreError):
        return report
    remarks = (
        [] if state.stage == IDLE else [f"its successor: {state.new_pin}, stage: {state.stage}"]
    )
    remarks += [f"both are in use until {format_date(state.until_s)}"] if state.until_s else []
    return report._replace(remarks=tuple(remarks))


def value_report(name: Reference, config: Config) -> KeyReport:
    """Of a value in the node's records. Raises ``KeyTrouble``, ``CommandError``."""
    kept = OwnNode(config).read(parse_identifier(name.handle))
    value = next((one for one in kept.values if one.index == name.index), None)
    type_ = value.type.upper() if value else ""
    what = str(name)
    if value is None or type_ not in (KEY_TYPE, SECRET_TYPE):
        found = f"a {value.type}" if value else "nothing"
        raise CommandError(f"{what}: there is {found}, no key", f"biaojie get {name.handle}")
    if type_ == SECRET_TYPE:
        return KeyReport(
            what, KeyFacts("HS_SECKEY, a secret", 0, ""), remarks=("what it is, is not shown",)
        )
    try:
        public = load_key(decode_public_key(value.data))
    except ProtocolError as error:
        raise KeyTrouble(f"{what}: {error}") from None
    return KeyReport(what, facts_of(public), named_by=_named_by(public, config))


def _named_by(key: VerifyingKey, config: Config) -> tuple[str, ...] | None:
    pin, node = facts_of(key).pin, OwnNode(config)
    found = []
    try:
        for identifier in prefix_records(config):
            values = node.read(identifier, public_only=True).values
            naming = [value for value in values if pin in _pins(value)]
            found += [f"{value.index}:{identifier.text} {value.type}" for value in naming]
    except (FileNotFoundError, StoreError, KeyTrouble):
        return None
    return tuple(found)


def _pins(value: Value) -> set[str]:
    blobs: Iterable[bytes] = ()
    try:
        if value.type.upper() == KEY_TYPE:
            blobs = (value.data,)
        elif value.type.upper() in SITE_TYPES:
            blobs = (server.public_key for server in decode_site(value.data).servers)
        return {facts_of(load_key(decode_public_key(blob))).pin for blob in blobs if blob}
    except ProtocolError:
        return set()
