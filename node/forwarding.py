"""Forwarding: what the settings say about asking other nodes, as the resolver and the upstream client want it."""

import socket
from collections.abc import Container, Iterable
from hashlib import sha256

from node.config import Config
from node.config_check import own_places
from node.config_kinds import read_place
from node.config_sections import MIB
from node.upstream.client import UpstreamSettings
from protocols.rest.dates import parse_date
from protocols.values.site import HTTP, HTTPS, TCP, UDP
from resolver.asking import Role, Target
from resolver.forwarding import Setup
from resolver.limits import Limits
from resolver.upstreams import PREFERENCE

PROTOCOLS = {"udp": UDP, "tcp": TCP, "http": HTTP, "https": HTTPS}
PREFERENCES = {"tcp": PREFERENCE, "udp": (UDP, TCP, HTTPS, HTTP)}
ID_BYTES = 8
_FAR_IPV6 = ("2001:db8::1", 9)
"""Documentation address (RFC 3849): connecting a UDP socket sends nothing, and needs only a route."""


def make_setup(
    config: Config,
    log_id: bytes,
    places: Iterable[tuple[str, int]],
    may_recurse: Container[str],
    is_free: Container[str],
) -> Setup:
    """``places``: where this node's sockets are bound, beside what the settings tell; ``log_id`` of the store."""
    upstream, limits, memory = config.upstream, config.limits, config.memory
    node_id = make_node_id(log_id)
    return Setup(
        node=config.node.prefix or node_id,
        node_id=node_id,
        upstreams=targets(config),
        is_recursive_upstream=upstream.mode == "recurse",
        may_recurse=may_recurse,
        is_free=is_free,
        own_places=own_places(config) | frozenset(places),
        cache_bytes=memory.foreign_cache_mib * MIB,
        answers_bytes=memory.encoded_answers_mib * MIB,
        prefer=PREFERENCES[upstream.prefer],
        has_ipv6=has_ipv6() if upstream.ipv6 == "auto" else upstream.ipv6 == "yes",
        limits=Limits(
            misses_per_prefix_s=limits.misses_per_prefix_s,
            misses_per_source_s=limits.misses_per_source_s,
            stale_s=limits.stale_s,
        ),
    )


def targets(config: Config) -> tuple[Target, ...]:
    """The configured upstream servers, in their order."""
    places = map(read_place, config.upstream.servers)
    return tuple(
        Target(PROTOCOLS[place.scheme], place.host, place.port, Role.UPSTREAM) for place in places
    )


def make_node_id(log_id: bytes) -> str:
    """What forwarded questions name this node by: the same in all its workers, and of no other store."""
    return sha256(b"biaojie node id" + log_id).digest()[:ID_BYTES].hex()


def upstream_settings(config: Config, wall_s: float) -> UpstreamSettings:
    """How to ask, at this moment: pins do not count while the operator trusts without proof."""
    upstream = config.upstream
    return UpstreamSettings(
        connections=upstream.connections,
        pins=() if wall_s < unproved_until_s(config) else upstream.pinned_keys,
        say_via=upstream.say_via,
        ca_file=str(upstream.ca_file or ""),
    )


def trust_digest(config: Config) -> bytes:
    """Of the settings that decide whose word is believed: what was learned under others is not carried over."""
    upstream, digest = config.upstream, sha256()
    authorities = upstream.ca_file.read_bytes() if upstream.ca_file else b""
    facts = [upstream.mode, *upstream.servers, "pins", *sorted(upstream.pinned_keys)]
    for part in (authorities, *map(str.encode, facts)):
        digest.update(len(part).to_bytes(8) + part)
    return digest.digest()


def unproved_until_s(config: Config) -> float:
    """Until when answers are believed without the proof that pins ask for, seconds since 1970; 0 = not at all."""
    text = config.upstream.trust_unproved_until
    return float(parse_date(text)) if text and config.upstream.pinned_keys else 0.0


def has_ipv6() -> bool:
    """Whether this machine has a way to the world by IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect(_FAR_IPV6)
    except OSError:
        return False
    return True
