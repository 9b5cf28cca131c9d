"""What a node has about a prefix: its record with everything in it, who answers below it, and what is kept there."""

from collections.abc import Iterator
from typing import NamedTuple

from node.config import Config
from node.keys import read_node_key
from node.store import open_view
from protocols.identifier import PREFIX_AUTHORITY, Identifier
from protocols.record import Record
from protocols.values.site import Site
from protocols.values.value import Value
from protocols.values.value_list import decode_values
from registry.delegation import sites_in
from registry.holdings import Holdings
from registry.sealing import Sealer
from registry.stores.store import Authority, Reader
from resolver.asking import Target

HOSTED, DELEGATED, UNHOSTED, DELETED = "hosted", "delegated", "unhosted", "deleted"


class PrefixRecord(NamedTuple):
    """The record ``0.NA/PREFIX`` as the operator sees it."""

    values: tuple[Value, ...] = ()
    """Non-public ones, too."""
    version: int = 0
    """0 = there is none."""
    latest: int = 0
    """The version, even if the record is deleted; the next change makes one more."""
    is_away: bool = False
    """Delegated or given up: hosting it takes it back."""
    is_case_sensitive: bool = False
    kept: int = 0
    """Records below the prefix, in sight or not."""


class PrefixLine(NamedTuple):
    """One line of ``biaojie prefix list``."""

    prefix: str
    state: str
    identifiers: int
    case: str
    servers: tuple[str, ...]
    private: bool = False


def read_prefix_record(config: Config, identifier: Identifier) -> PrefixRecord:
    """Raises ``KeyTrouble``, ``FileNotFoundError``, ``StoreError``."""
    with open_view(config) as reader:
        holdings = Holdings(reader, Sealer(read_node_key(config.node.key_file)))
        prefix = identifier.responsible_prefix
        latest, authority = reader.lookup_any(identifier), reader.authority(prefix)
        record = None if latest is None or latest.is_deleted else latest
        is_unhosted = authority is not None and authority.is_unhosted
        return PrefixRecord(
            () if record is None else holdings.all_values(record),
            0 if record is None else record.version,
            0 if latest is None else latest.version,
            record is not None and (is_unhosted or holdings.delegation(prefix) is not None),
            authority is not None and authority.is_case_sensitive,
            reader.count(prefix),
        )


def list_prefixes(config: Config) -> list[PrefixLine]:
    """Hosted and delegated prefixes in order. Raises ``FileNotFoundError``, ``StoreError``."""
    with open_view(config) as reader:
        sites = {r.key.partition(b"/")[2]: sites_in(decode_values(r.public)) for r in _own(reader)}
        lines = {a.prefix: _line(a, reader, sites.get(a.prefix)) for a in _authorities(reader)}
        for prefix, named in sites.items():  # by their records alone
            if named and prefix not in lines:
                lines[prefix] = PrefixLine(prefix.decode(), DELEGATED, 0, "", server_names(named))
    return [lines[prefix] for prefix in sorted(lines)]


def server_names(sites: tuple[Site, ...]) -> tuple[str, ...]:
    """``tcp://192.0.2.8:2641`` and so on: every interface that takes questions."""
    return tuple(
        Target(interface.protocol, server.address, interface.port).name
        for site in sites
        for server in site.servers
        for interface in server.interfaces
        if interface.takes_queries
    )


def _line(authority: Authority, reader: Reader, sites: tuple[Site, ...] | None) -> PrefixLine:
    """``sites``: of the prefix's own record, None when it is deleted."""
    state = DELETED if sites is None else _state(authority)
    return PrefixLine(
        authority.spelling.decode(),
        state,
        reader.count(authority.prefix),
        "kept" if authority.is_case_sensitive else "folded",
        server_names(sites or ()) if state == DELEGATED else (),
        authority.is_private,
    )


def _state(authority: Authority) -> str:
    if authority.is_hosted:
        return HOSTED
    return DELEGATED if authority.is_delegated else UNHOSTED


def _authorities(reader: Reader) -> Iterator[Authority]:
    page: list[Authority] = []
    while page := reader.authorities(page[-1].prefix if page else b""):
        yield from page


def _own(reader: Reader) -> Iterator[Record]:
    """The prefixes' own records."""
    after = b""
    while page := reader.list_records(PREFIX_AUTHORITY, after):
        yield from page
        after = page[-1].key.partition(b"/")[2]
