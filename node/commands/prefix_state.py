"""What a node has about a prefix: its record with everything in it, who answers below it, and what is kept there."""

from collections.abc import Iterator
from typing import NamedTuple

from node.config import Config
from node.keys import read_node_key
from node.store import open_view
from protocols.identifier import PREFIX_AUTHORITY, Identifier, prefix_record_of
from protocols.values.site import Site
from protocols.values.value import Value
from registry.holdings import Holdings
from registry.sealing import Sealer
from registry.stores.store import Authority, Reader
from resolver.asking import Target

HOSTED, DELEGATED, DELETED = "hosted", "delegated", "deleted"


class PrefixRecord(NamedTuple):
    """The record ``0.NA/PREFIX`` as the operator sees it."""

    values: tuple[Value, ...] = ()
    """Non-public ones, too."""
    version: int = 0
    """0 = there is none."""
    is_delegated: bool = False
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


def read_prefix_record(config: Config, identifier: Identifier) -> PrefixRecord:
    """Raises ``KeyTrouble``, ``FileNotFoundError``, ``StoreError``."""
    sealer = Sealer(read_node_key(config.node.key_file))
    with open_view(config) as reader:
        holdings, prefix = Holdings(reader, sealer), identifier.responsible_prefix
        record, authority = reader.lookup(identifier), reader.authority(prefix)
        return PrefixRecord(
            () if record is None else holdings.all_values(record),
            0 if record is None else record.version,
            holdings.delegation(prefix) is not None,
            authority is not None and authority.is_case_sensitive,
            reader.count(prefix),
        )


def list_prefixes(config: Config) -> list[PrefixLine]:
    """Hosted and delegated prefixes in order. Raises as ``read_prefix_record``."""
    sealer = Sealer(read_node_key(config.node.key_file))
    with open_view(config) as reader:
        holdings = Holdings(reader, sealer)
        lines = {a.prefix: _line(a, reader, holdings) for a in _authorities(reader)}
        for identifier in _prefix_records(reader):
            prefix = identifier.responsible_prefix
            sites = None if prefix in lines else holdings.delegation(prefix)
            if sites:
                name = identifier.suffix.decode()
                lines[prefix] = PrefixLine(name, DELEGATED, 0, "", server_names(sites))
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


def _line(authority: Authority, reader: Reader, holdings: Holdings) -> PrefixLine:
    sites = holdings.delegation(authority.prefix) or ()
    state = HOSTED if holdings.hosts(authority.prefix) else DELEGATED if sites else DELETED
    return PrefixLine(
        authority.spelling.decode(),
        state,
        reader.count(authority.prefix),
        "kept" if authority.is_case_sensitive else "folded",
        server_names(sites),
    )


def _authorities(reader: Reader) -> Iterator[Authority]:
    page: list[Authority] = []
    while page := reader.authorities(page[-1].prefix if page else b""):
        yield from page


def _prefix_records(reader: Reader) -> Iterator[Identifier]:
    after = b""
    while page := reader.list_records(PREFIX_AUTHORITY, after):
        for record in page:
            yield prefix_record_of(record.spelling.partition(b"/")[2])
        after = page[-1].key.partition(b"/")[2]
