"""Peers: whose request it is, when a trusted proxy stands between (``X-Forwarded-For``).

The header is believed from configured proxies only, and of its list only the part that trusted proxies wrote: the first
address from the right that is not itself a trusted proxy. Limits, passwords and the audit all use the same address.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from resolver.networks import NetworkSet
from resolver.source import Peer

MAX_FORWARDED = 16
"""Hops looked at; a longer list is an attack or a loop."""


def make_peer(address: str, port: int, transport: str) -> Peer:
    """A peer as a socket names it; an IPv4 address in IPv6 clothes is shown as IPv4."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return Peer(address, port, transport, is_loopback=False)
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    return Peer(str(parsed), port, transport, is_loopback=parsed.is_loopback)


def behind_proxies(peer: Peer, headers: Mapping[str, str], proxies: NetworkSet) -> Peer:
    """The asker behind ``peer`` if that is a trusted proxy, else ``peer`` itself."""
    if peer.address not in proxies:
        return peer
    hops = headers.get("X-Forwarded-For", "").split(",")[-MAX_FORWARDED:]
    for hop in reversed(hops):
        text = hop.strip()
        try:
            ip_address(text)
        except ValueError:
            return peer  # a proxy that forwards nonsense is asked for itself
        if text not in proxies:
            return make_peer(text, 0, peer.transport)
    return peer


def came_over_plain_http(headers: Mapping[str, str]) -> bool:
    """Whether the proxy's own client did not use TLS; a proxy that does not say is taken for plain."""
    return headers.get("X-Forwarded-Proto", "").strip().lower() != "https"
