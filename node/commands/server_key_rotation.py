"""Changing the key that a node signs its answers with, in steps that each leave a working node (node/server_keys.py).

======== ============================ =====================================================================
stage    what is there                what the next step does
======== ============================ =====================================================================
idle     ``server.pem``               makes ``server.next``
prepared and ``server.next``          renames it ``server.N.pem``, N = the site's serial + 1
reserved and ``server.N.pem``         writes HS_SITE, serial N, new key, into every prefix record that names the old
overlap  HS_SITE names the new key    waits until nobody can know the old HS_SITE any more: twice its TTL
over     the wait is over             renames ``server.N.pem`` to ``server.pem``: the old key is gone
======== ============================ =====================================================================

Each stage is told by what is on disk and in the records, so a run that was killed is gone on with by the next one.
"""

import secrets
from collections.abc import Iterator
from typing import NamedTuple

from node.asking.node import OwnNode
from node.commands.key_values import prefix_records, send
from node.config import Config
from node.keys import make_server_key, read_server_key, sync_folder
from node.output import CommandError
from node.server_keys import (
    find_successor,
    is_ahead,
    next_serial,
    prepared_path,
    successor_path,
)
from node.trust.key_files import facts_of, public_data
from protocols.errors import ProtocolError
from protocols.handle.header import UNKNOWN_SERIAL
from protocols.identifier import Identifier, prefix_record_of
from protocols.message import Command, Operation
from protocols.values.site import SITE_TYPES, Site, decode_site, encode_site
from protocols.values.value import TTL_RELATIVE, Value

IDLE, PREPARED, RESERVED, OVERLAP, OVER = "idle", "prepared", "reserved", "overlap", "over"
OVERLAP_TTLS = 2
"""Caches keep HS_SITE for its TTL, and others may have it from them just before that ends."""


class Naming(NamedTuple):
    """One HS_SITE value that names a key of this node."""

    identifier: Identifier
    version: int
    value: Value
    site: Site
    is_old: bool
    """It names the key that goes."""


class State(NamedTuple):
    """How far the change of keys has come."""

    stage: str
    key_pin: str
    new_pin: str = ""
    serial: int = UNKNOWN_SERIAL
    """From which the new key is named."""
    until_s: int = 0
    """When the overlap is over."""
    namings: tuple[Naming, ...] = ()


def read_state(config: Config, now_s: int) -> State:
    """Raises ``KeyTrouble``, ``FileNotFoundError``, ``StoreError``."""
    path = config.node.server_key_file
    old_key = read_server_key(path).public_key()
    old_pin = facts_of(old_key).pin
    successor, prepared = find_successor(path), prepared_path(path)
    if successor is None:
        namings = tuple(_namings(config, public_data(old_key), b""))
        if not prepared.exists():
            return State(IDLE, old_pin, namings=namings)
        new_pin = facts_of(read_server_key(prepared).public_key()).pin
        return State(PREPARED, old_pin, new_pin, namings=namings)
    new_key = read_server_key(successor.path).public_key()
    namings = tuple(_namings(config, public_data(old_key), public_data(new_key)))
    state = State(RESERVED, old_pin, facts_of(new_key).pin, successor.serial, 0, namings)
    if any(naming.is_old for naming in namings) or not namings:
        return state
    until_s = max(map(_forgotten_s, namings))
    return state._replace(stage=OVERLAP if now_s < until_s else OVER, until_s=until_s)


def step(config: Config, state: State) -> str:
    """Take the one next step; what was done, for people. ``OVERLAP`` is left by taking the step of ``OVER``."""
    return _STEPS[state.stage](config, state)


def _prepare(config: Config, _: State) -> str:
    path = prepared_path(config.node.server_key_file)
    pin = facts_of(make_server_key(path).public_key()).pin
    return f"made a new key in {path}: {pin}"


def _reserve(config: Config, state: State) -> str:
    if not state.namings:
        return _take_over(config)
    path = config.node.server_key_file
    target = successor_path(path, _serial_after(state.namings))
    prepared_path(path).rename(target)
    sync_folder(path.parent)
    return f"the new key is {target.name}; it signs for those who know that site"


def _publish(config: Config, state: State) -> str:
    path, node = config.node.server_key_file, OwnNode(config)
    successor = find_successor(path)
    assert successor is not None, "only in this stage"
    if not state.namings:
        raise CommandError(
            "no HS_SITE of this node names its key any more", "biaojie key rotate --now"
        )
    serial = successor.serial
    if any(naming.is_old and not is_ahead(serial, naming.site.serial) for naming in state.namings):
        serial = _serial_after(state.namings)  # somebody changed the site meanwhile
        successor.path.rename(successor_path(path, serial))
        sync_folder(path.parent)
    old, new = (
        public_data(read_server_key(file).public_key())
        for file in (path, successor_path(path, serial))
    )
    changes: dict[tuple[Identifier, int], list[Value]] = {}
    for naming in state.namings:
        if naming.is_old or naming.site.serial != serial:
            data = encode_site(_renewed(naming.site, serial, old, new))
            values = changes.setdefault((naming.identifier, naming.version), [])
            values.append(naming.value._replace(data=data, timestamp=0))
    for (identifier, version), values in changes.items():
        send(node, Command(
            Operation.ADD, identifier, tuple(values),
            expect_version=version, request_id=secrets.token_hex(16),
        ))  # fmt: skip
    names = ", ".join(identifier.text for identifier, _ in changes)
    return f"HS_SITE has serial {serial} and the new key, in {names}"


def _retire(config: Config, _: State) -> str:
    path = config.node.server_key_file
    successor = find_successor(path)
    assert successor is not None, "only in this stage"
    successor.path.rename(path)
    sync_folder(path.parent)
    return f"the old key is gone; {path.name} is the new one"


def _take_over(config: Config) -> str:
    """No HS_SITE names the key: only who pinned it knows it, and was told the new pin before."""
    path = config.node.server_key_file
    prepared_path(path).rename(path)
    sync_folder(path.parent)
    return f"no HS_SITE names the key of this node, so it is changed at once; {path.name} is the new one"


_STEPS = {
    IDLE: _prepare,
    PREPARED: _reserve,
    RESERVED: _publish,
    OVERLAP: _retire,
    OVER: _retire,
}


def _namings(config: Config, old: bytes, new: bytes) -> Iterator[Naming]:
    """The node's own prefix first: by it, the node sees that the new key is published."""
    node, own = OwnNode(config), config.node.prefix
    records = prefix_records(config)
    if own:
        first = prefix_record_of(own)
        records.sort(key=lambda record: record.folded() != first.folded())
    for identifier in records:
        kept = node.read(identifier)
        for value in kept.values:
            site = _site(value)
            keys = {server.public_key for server in site.servers} if site else set()
            if site and keys & {old, new or old}:
                yield Naming(identifier, kept.version, value, site, old in keys)


def _site(value: Value) -> Site | None:
    if value.type.upper() not in SITE_TYPES:
        return None
    try:
        return decode_site(value.data)
    except ProtocolError:
        return None


def _renewed(site: Site, serial: int, old: bytes, new: bytes) -> Site:
    servers = tuple(
        server._replace(public_key=new) if server.public_key == old else server
        for server in site.servers
    )
    return site._replace(servers=servers, serial=serial)


def _serial_after(namings: tuple[Naming, ...]) -> int:
    latest = namings[0].site.serial
    for naming in namings:
        if is_ahead(naming.site.serial, latest):
            latest = naming.site.serial
    return next_serial(latest)


def _forgotten_s(naming: Naming) -> int:
    """When nobody can have the value from before any more."""
    value = naming.value
    ttl_s = value.ttl if value.ttl_type == TTL_RELATIVE else max(0, value.ttl - value.timestamp)
    return value.timestamp + OVERLAP_TTLS * ttl_s
