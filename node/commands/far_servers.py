"""``--to HOST:PORT`` -> HS_SITE values: names become addresses, places of one host become one server.

Servers of one site share the identifiers: who asks takes the one that the identifier's hash chooses (RFC 3652 §2.3). A
server that has all of them is a site of its own, a mirror. HS_SITE has the IPv4 addresses where there are any; when
every host has an IPv6 address besides, HS_SITE.6 has those.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from node.config import Config
from node.config_check import own_places
from node.config_kinds import NoPlace, Place, read_place
from node.output import EXIT_USAGE, CommandError
from protocols.errors import ProtocolError
from protocols.values.key_objects import key_from_object, load_key
from protocols.values.keys import decode_public_key, encode_public_key
from protocols.values.site import (
    BY_PREFIX,
    BY_SUFFIX,
    BY_WHOLE,
    PRIMARY,
    PROTOCOL_NAMES,
    Interface,
    Server,
    Site,
    encode_site,
)
from protocols.values.value import Value
from registry.delegation import is_site_value, sites_in

HASHES = {"prefix": BY_PREFIX, "suffix": BY_SUFFIX, "whole": BY_WHOLE}
MAX_SERIAL = 0xFFFF
"""An i2 in HS_SITE."""
MAX_KEY_FILE_BYTES = 65_536
"""A certificate with its chain is far smaller; the file may be anything."""


class Host(NamedTuple):
    """One machine and what it speaks."""

    ipv4: str
    """"" = none."""
    ipv6: str
    interfaces: tuple[Interface, ...]

    @property
    def address(self) -> str:
        """The one for HS_SITE."""
        return self.ipv4 or self.ipv6


class Wanted(NamedTuple):
    """What the sites shall be like."""

    servers: tuple[Host, ...]
    """Of the primary site."""
    mirrors: tuple[Host, ...]
    """A site each."""
    hash_option: int = BY_WHOLE
    public_key: bytes = b""

    def values(self, serial: int) -> list[tuple[str, bytes]]:
        """Type and data of each HS_SITE value, the primary site first."""
        found: list[tuple[str, bytes]] = []
        for hosts, flags in ((self.servers, PRIMARY), *(((host,), 0) for host in self.mirrors)):
            found.append(
                ("HS_SITE", self._site([host.address for host in hosts], hosts, serial, flags))
            )
            if all(host.ipv6 for host in hosts) and any(host.ipv4 for host in hosts):
                found.append(
                    ("HS_SITE.6", self._site([host.ipv6 for host in hosts], hosts, serial, flags))
                )
        return found

    def _site(
        self, addresses: Sequence[str], hosts: Sequence[Host], serial: int, flags: int
    ) -> bytes:
        servers = tuple(
            Server(number, address, host.interfaces, self.public_key)
            for number, (address, host) in enumerate(zip(addresses, hosts, strict=True), 1)
        )
        return encode_site(Site(servers, serial, flags, self.hash_option))


def read_hosts(texts: Iterable[str], protocols: Sequence[str], config: Config) -> tuple[Host, ...]:
    """``HOST:PORT`` speaks ``protocols``, ``tcp://HOST:PORT`` that one; ``192.0.2.8+[2001:db8::8]:2641`` is one host.

    Raises ``CommandError``.
    """
    found: dict[tuple[str, str], list[Interface]] = {}
    for text in texts:
        for place, *others in _places(text, protocols):
            ipv4, ipv6 = _addresses([place, *others], config)
            interface = Interface(PROTOCOL_NAMES.index(place.scheme.upper()), place.port)
            interfaces = found.setdefault((ipv4, ipv6), [])
            if interface not in interfaces:
                interfaces.append(interface)
    return tuple(Host(*names, tuple(sorted(spoken))) for names, spoken in found.items())


def read_key_file(path: Path) -> bytes:
    """HS_PUBKEY data from a PEM public key or certificate, or from such data itself. Raises ``CommandError``."""
    with path.open("rb") as file:
        data = file.read(MAX_KEY_FILE_BYTES)
    try:
        return encode_public_key(key_from_object(load_key(decode_public_key(data.strip()))))
    except ProtocolError as error:
        raise CommandError(
            f"{path}: {error}", "name a PEM file with the server's public key", EXIT_USAGE
        ) from None


def site_values(wanted: Wanted, present: Sequence[Value], serial: int | None) -> list[Value]:
    """HS_SITE values that take the place of those of a record, at their indexes and at free ones.

    Without ``serial`` the number goes on counting if anything else is different: by it clients see that a site changed.
    """
    old = [value for value in present if is_site_value(value)]
    old_serial = max((site.serial for site in sites_in(old)), default=0)
    if serial is None:
        if [(value.type, value.data) for value in old] == wanted.values(old_serial):
            return old
        serial = old_serial % MAX_SERIAL + 1
    taken = {value.index for value in present}
    indexes = chain((value.index for value in old), (n for n in count(1) if n not in taken))
    return [
        Value(index, kind, data)
        for (kind, data), index in zip(wanted.values(serial), indexes, strict=False)
    ]


def _places(text: str, protocols: Sequence[str]) -> list[list[Place]]:
    """For each protocol the names of one host."""
    scheme, mark, rest = text.rpartition("://")
    *names, last = rest.split("+")
    try:
        found = []
        for protocol in [scheme] if mark else protocols:
            place = read_place(f"{protocol}://{last}")
            others = (read_place(f"{protocol}://{name}:{place.port}") for name in names)
            found.append([*others, place])
    except NoPlace as error:
        example = error.example if mark else error.example.partition("://")[2]
        reason = f'"{text}" is not a server: {error.what}'
        raise CommandError(reason, f"for example {example}", EXIT_USAGE) from None
    return found


def _addresses(places: Sequence[Place], config: Config) -> tuple[str, str]:
    """IPv4 and IPv6 address of one host, "" where it has none."""
    by_family: dict[int, str] = {}
    for place in places:
        for address in _resolved(place):
            _refuse_useless(place, address, config)
            before = by_family.setdefault(address.version, str(address))
            if before != str(address) and len(places) > 1:
                reason = f"{before} and {address}: one host has one address of each kind here"
                raise CommandError(reason, "give each server a --to of its own", EXIT_USAGE)
    return by_family.get(4, ""), by_family.get(6, "")


def _resolved(place: Place) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CommandError(
            f"{place.host}: no address found ({error.strerror})", "name an IP address", EXIT_USAGE
        ) from None
    texts = (str(address) for *_, (address, *_) in found)
    return [ipaddress.ip_address(text) for text in texts if "%" not in text]  # a zone is local


def _refuse_useless(
    place: Place, address: ipaddress.IPv4Address | ipaddress.IPv6Address, config: Config
) -> None:
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        reason = f"{place.text}: nobody can be asked at {address}"
        raise CommandError(reason, "name an address at which the server is reached", EXIT_USAGE)
    if (str(address), place.port) in own_places(config) or _is_heard_here(
        address, place.port, config
    ):
        raise CommandError(
            f"{place.text} is this node itself: it would ask itself in a circle",
            "name the server that has the records below the prefix",
            EXIT_USAGE,
        )


def _is_heard_here(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, config: Config
) -> bool:
    """Whether a listener of this node on all addresses hears what is sent there."""
    for section in (config.listen, config.http):
        anywhere = (ipaddress.ip_address(text) for text in section.addresses)
        is_wide = any(one.is_unspecified and one.version == address.version for one in anywhere)
        if section.port == port and is_wide and _is_of_this_machine(str(address)):
            return True
    return False


def _is_of_this_machine(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
