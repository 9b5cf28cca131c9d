"""From HS_SITE values to whom to ask: which server of a site, at which of its interfaces (RFC 3651 §3.2.4, §3.3).

A site divides its identifiers among its servers by a hash, so each site gives exactly one server for an identifier;
several sites hold the same and stand in for each other. What a stranger tells is not followed everywhere: a site may
lead to this machine or this link only when whoever told it is there himself, or it would be a way to make this node
knock at ports of its own (server-side request forgery).
"""

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.values.server_hash import server_for
from protocols.values.site import HTTPS, SITE_TYPES, UDP, Server, Site, decode_site
from protocols.values.value import Value
from resolver.asking import Role, Target

SERVICE_TYPE = "HS_SERV"
MAX_SITES = 16
"""Sites of one record that are looked at; more would not be tried within anybody's patience."""
MAX_SITES_BYTES = 16_384
"""Of them together: room for 25 servers with keys of 4,096 bits. To read a record full of sites takes a fifth of a
second, and whoever keeps a prefix can write one."""
SITES_KEPT = 64
"""Read once and remembered: every question below a foreign prefix starts from its sites (about 16 MiB at worst)."""
MAX_TARGETS = 8
"""Interfaces of one site that are looked at: two families, each protocol. Its attributes could name thousands."""
ALTERNATIVE_ADDRESS = "alt_addr"
"""Attribute that gives a server's address of the other family; ``alt_addr.7`` for the server with id 7."""
_EVERYBODY = IPv4Address("255.255.255.255")
_FAR, _LINK, _HERE = range(3)


class Candidates(NamedTuple):
    """Whom to ask, in the order of the sites."""

    targets: tuple[Target, ...]
    leads_home: bool = False
    """One of the places was this node itself: left out, and if nothing else is left, a loop."""


def read_sites(values: Sequence[Value]) -> tuple[Site, ...]:
    """The sites among a record's values; unreadable ones, and those beyond the bounds, are passed over."""
    sites: list[Site] = []
    left_bytes = MAX_SITES_BYTES
    for value in values:
        if value.type.upper() in SITE_TYPES and len(value.data) <= left_bytes:
            left_bytes -= len(value.data)
            site = _read_site(value.data)
            if site is not None:
                sites.append(site)
        if len(sites) == MAX_SITES:
            break
    return tuple(sites)


@lru_cache(SITES_KEPT)
def _read_site(data: bytes) -> Site | None:
    try:
        return decode_site(data)
    except ProtocolError:
        return None


def read_service(values: Sequence[Value]) -> bytes | None:
    """The handle that an HS_SERV value says to look at for the sites; None when there is none."""
    for value in values:
        if value.type.upper() == SERVICE_TYPE and value.data:
            return value.data
    return None


def candidates(
    sites: Sequence[Site],
    identifier: bytes,
    role: Role,
    teller: Target | None,
    own_places: Collection[tuple[str, int]],
    prefer_udp: bool = False,
) -> Candidates:
    """Where to ask for ``identifier``. ``teller`` told the sites; None = they are the operator's own word."""
    targets: dict[Target, None] = {}
    leads_home = False
    for site in sites:
        server = server_for(site, identifier)
        found = _interfaces(site, server, role, prefer_udp) if server is not None else iter(())
        for target in islice(found, MAX_TARGETS):
            if target.place in own_places:
                leads_home = True
            elif _may_lead_to(target.address, teller):
                targets[target] = None
    return Candidates(tuple(targets), leads_home)


def _interfaces(site: Site, server: Server, role: Role, prefer_udp: bool) -> Iterator[Target]:
    """The interfaces that answer queries. UDP only where nothing else is offered: it is the easiest to forge."""
    ports = [
        (interface.protocol, interface.port)
        for interface in server.interfaces
        if interface.takes_queries and interface.protocol <= HTTPS and 0 < interface.port < 65_536
    ]
    if not prefer_udp and any(protocol != UDP for protocol, _ in ports):
        ports = [(protocol, port) for protocol, port in ports if protocol != UDP]
    for address in _addresses(site, server):
        for protocol, port in ports:
            yield Target(protocol, address, port, role, server.public_key)


def _addresses(site: Site, server: Server) -> list[str]:
    """Each once and in its one spelling, so that this node knows its own."""
    names = {ALTERNATIVE_ADDRESS, f"{ALTERNATIVE_ADDRESS}.{server.id}"}
    more = [attribute.value for attribute in site.attributes if attribute.name in names]
    read = (_read_address(text) for text in (server.address, *more))
    return list(dict.fromkeys(str(address) for address in read if address is not None))


def _may_lead_to(text: str, teller: Target | None) -> bool:
    address = ip_address(text)
    if address.is_unspecified or address.is_multicast or address == _EVERYBODY:
        return False
    if teller is None:
        return True
    told_from = _read_address(teller.address)  # None for the name of a configured upstream
    return _nearness(address) <= (_FAR if told_from is None else _nearness(told_from))


def _nearness(address: IPv4Address | IPv6Address) -> int:
    if address.is_loopback:
        return _HERE
    return _LINK if address.is_link_local else _FAR


def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    """None for what is no address, or only one together with an interface of some host. IPv4 in IPv6 is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id is not None else address.ipv4_mapped or address
