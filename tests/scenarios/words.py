"""The short texts of scenario files: a value, a server's interfaces, a place; and how they are written back."""

from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address, ip_network

from protocols.message import ANONYMOUS, Principal
from protocols.values.site import (
    BY_PREFIX,
    BY_SUFFIX,
    BY_WHOLE,
    PROTOCOL_NAMES,
    Attribute,
    Interface,
    Server,
    Site,
    encode_site,
)
from protocols.values.value import DEFAULT_PERMISSIONS, SECRET_PERMISSIONS, TTL_ABSOLUTE, Value
from resolver.asking import Role, Target
from tests.scenarios.script import ScriptError, SitePlan

HASHES = {"prefix": BY_PREFIX, "suffix": BY_SUFFIX, "whole": BY_WHOLE}
WALL_S = 1_800_000_000.0
"""The wall clock when a scenario begins; ``until=`` counts from it."""


def read_value(text: str, sites: Mapping[str, SitePlan]) -> Value:
    """``INDEX TYPE DATA ; ttl=60 ; until=+3600 ; private``; the data ``@name`` is a site of the scenario."""
    said, *options = [part.strip() for part in text.split(" ;")]
    try:
        index, type_, data = said.split(" ", 2)
        value = Value(int(index), type_, _data(data, sites))
    except ValueError:
        raise ScriptError(f"value {text!r}: not `INDEX TYPE DATA`") from None
    for option in options:
        name, _, what = option.partition("=")
        if name == "ttl" and what.isdigit():
            value = value._replace(ttl=int(what))
        elif name == "until" and what.lstrip("+-").isdigit():
            value = value._replace(ttl=int(WALL_S) + int(what), ttl_type=TTL_ABSOLUTE)
        elif option == "private":
            value = value._replace(permissions=SECRET_PERMISSIONS)
        else:
            raise ScriptError(f"value {text!r}: `{option}` is not known")
    return value


def _data(text: str, sites: Mapping[str, SitePlan]) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    if text[1:] not in sites:
        raise ScriptError(f"value: no site is called {text[1:]!r}")
    return encode_site(make_site(sites[text[1:]]))


def same_value(wanted: Value, found: Value) -> bool:
    """Whether index, type, data and permissions are the same; TTLs are compared apart."""
    return (wanted.index, wanted.type, wanted.data, wanted.permissions or DEFAULT_PERMISSIONS) == (
        found.index, found.type, found.data, found.permissions,
    )  # fmt: skip


def make_site(plan: SitePlan) -> Site:
    """The site that a scenario describes."""
    if plan.hash not in HASHES:
        raise ScriptError(f"site: hash {plan.hash!r} is not one of {', '.join(HASHES)}")
    servers = tuple(_server(number, text) for number, text in enumerate(plan.servers, 1))
    attributes = tuple(Attribute(name, value) for name, value in plan.attributes.items())
    return Site(servers, hash_option=HASHES[plan.hash], attributes=attributes)


def _server(number: int, text: str) -> Server:
    """``udp://192.0.2.7:2641 tcp://192.0.2.7:2641``; ``admin-tcp://…`` takes no questions."""
    addresses, interfaces = set(), []
    for word in text.split():
        kind = 1 if word.startswith("admin-") else 3
        target = read_target(word.removeprefix("admin-"))
        addresses.add(target.address)
        interfaces.append(Interface(target.protocol, target.port, kind))
    if len(addresses) != 1:
        raise ScriptError(f"site: {text!r} must be interfaces of one address")
    return Server(number, addresses.pop(), tuple(interfaces))


def read_target(text: str, role: Role = Role.LEARNED) -> Target:
    """``tcp://192.0.2.7:2641``, ``udp://[2001:db8::7]:2641``."""
    scheme, _, place = text.partition("://")
    if scheme.upper() not in PROTOCOL_NAMES:
        raise ScriptError(f"server {text!r}: not `udp|tcp|http|https://ADDRESS:PORT`")
    return Target(PROTOCOL_NAMES.index(scheme.upper()), *read_place(place), role)


def read_place(text: str) -> tuple[str, int]:
    """``192.0.2.7:2641`` or ``[2001:db8::7]:2641``."""
    address, _, port = text.rpartition(":")
    try:
        return str(ip_address(address.strip("[]"))), int(port)
    except ValueError:
        raise ScriptError(f"place {text!r}: not `ADDRESS:PORT`") from None


def nth_address(text: str, number: int) -> str:
    """An address, or the ``number``-th one of a network."""
    if "/" not in text:
        return text
    network = _network(text)
    return str(network[number % network.num_addresses])


_network = cache(ip_network)


def read_principal(text: str) -> Principal:
    """``300:0.NA/88.118``, or nobody."""
    if not text:
        return ANONYMOUS
    index, _, handle = text.partition(":")
    return Principal(handle, int(index))


class Networks:
    """Addresses of some networks; fits where the node asks whether an address is allowed."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = [ip_network(network) for network in networks]
        self._known: dict[object, bool] = {}

    def __contains__(self, address: object) -> bool:
        if address not in self._known:
            ip = ip_address(str(address))
            self._known[address] = any(ip in network for network in self._networks)
        return self._known[address]
