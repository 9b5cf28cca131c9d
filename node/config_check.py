"""What cannot work, found before the node starts: settings against each other and against this machine.

Each trouble is one sentence: key, value, what is wrong, what to do. Warnings are things that work but rarely are meant.
"""

import ipaddress
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from node.clock import read_clocks
from node.config import Config, ConfigError
from node.config_kinds import read_place
from node.config_sections import MIB
from node.keys import KeyTrouble, explain_mode, read_node_key, read_server_key
from node.search.finder import MOST_THREADS
from node.search.finding import MAX_LIMIT, MOST_CANDIDATES
from node.search.layout import READER_CACHE_KIB
from protocols.rest.dates import format_date, parse_date
from resolver.budgets import TABLES_BYTES
from resolver.hot_records import most_bytes
from resolver.policies.ratelimit import MAX_SOURCES
from resolver.rendered import DOOR_SLOTS
from resolver.upstreams import MOST_SERVERS, SERVER_BYTES

CONNECTION_BYTES = 8192
"""Buffers and objects of one idle connection."""
PROVEN_ADDRESS_BYTES = 200
FOUND_BYTES = 300
"""One identifier that was found: its folded text and its spelling."""
CANDIDATE_BYTES = 48
"""A record's number, as an object and as text."""
RATED_SOURCE_BYTES = 200
"""Two generations of buckets, and the /64s of IPv6 addresses."""
ASKED_BYTES = 2048
"""One question that waits for another node, with what is needed to answer it."""
MAX_UNPROVED_S = 86_400
"""How far ahead ``upstream.trust_unproved_until`` may lie: an exception that nobody ends must end by itself."""
FREE_READERS = 8
"""The registrar's own, those of the search process, and commands that read a running node's store."""
SEARCH_BYTES = READER_CACHE_KIB * 1024 + MAX_LIMIT * FOUND_BYTES + MOST_CANDIDATES * CANDIDATE_BYTES
"""Of one question to the search index."""
MAX_WAITING_DATAGRAMS = 8192
"""UDP questions of one worker that wait for other nodes: what arrives in some seconds, not in a flood."""
MAX_HEADS_BYTES = 2 * MIB
"""Heads of HTTP requests that one worker remembers: those of each kind of client of a busy node."""
MAX_HTTP_SESSIONS_BYTES = 8 * MIB
"""Sessions begun by challenges or clients, in one worker; handles of usual length."""
MAX_PARTIAL_ANSWERS_BYTES = 32 * MIB
"""Answers that have begun to come from other nodes and are not whole: all of one worker's connections together."""
MAX_WRITE_FRAMES_BYTES = 4 * 16 * MIB
"""Frames between one worker and the registrar, should all be of the largest size."""


class Budget(NamedTuple):
    """One bounded consumer of memory in a worker."""

    what: str
    most_bytes: int


def check_config(config: Config) -> list[str]:
    """Raises ``ConfigError`` with one trouble a line; returns warnings."""
    troubles = [
        *_ports(config),
        *_readers(config),
        *_site(config),
        *_upstream(config),
        *_tls(config),
        *_client_certificates(config),
        *_files(config),
    ]
    if troubles:
        raise ConfigError("\n".join(troubles))
    return list(_warnings(config))


def budgets(config: Config) -> list[Budget]:
    """Byte budgets of one worker; their sum is printed at start."""
    memory, limits = config.memory, config.limits
    return [
        Budget("unfinished native requests", memory.partial_requests_mib * MIB),
        Budget("answers not taken by native clients", memory.unread_answers_mib * MIB),
        Budget("commands waiting for the registrar", memory.write_queue_mib * MIB),
        Budget("frames to and from the registrar", MAX_WRITE_FRAMES_BYTES),
        Budget("remembered addresses", memory.proven_addresses * PROVEN_ADDRESS_BYTES),
        Budget("rates of UDP sources", 3 * MAX_SOURCES * RATED_SOURCE_BYTES),
        Budget("records of other nodes", memory.foreign_cache_mib * MIB),
        Budget("encoded answers of other nodes", memory.encoded_answers_mib * MIB),
        Budget("hot records while they are saved", most_bytes(memory.kept_keys)),
        Budget("records looked up by the compiled part", memory.looked_up_mib * MIB),
        Budget("rendered HTTP answers", memory.rendered_answers_mib * MIB),
        Budget("HTTP heads, and first questions", MAX_HEADS_BYTES + 8 * DOOR_SLOTS),
        Budget("sessions over HTTP", MAX_HTTP_SESSIONS_BYTES),
        Budget("answers of other nodes that are not whole", MAX_PARTIAL_ANSWERS_BYTES),
        Budget("how servers of other nodes are", MOST_SERVERS * SERVER_BYTES),
        Budget("who has asked for too much elsewhere", TABLES_BYTES),
        Budget("UDP questions that wait for other nodes", MAX_WAITING_DATAGRAMS * ASKED_BYTES),
        Budget("searches: pages of the index, and what is found", MOST_THREADS * SEARCH_BYTES),
        Budget("connections, native and HTTP", 2 * limits.connections * CONNECTION_BYTES),
    ]


def _ports(config: Config) -> Iterator[str]:
    native_tcp = config.listen.tcp and config.listen.port
    taken: dict[int, str] = {native_tcp: "listen.port"} if native_tcp else {}
    uses = [("http.port", config.http.port)] if config.http.enabled else []
    if config.operations.enabled and config.operations.port:
        uses.append(("operations.port", config.operations.port))
    for key, number in uses:
        if number and number in taken:
            near = number + 1 if number < 65_535 else number - 1
            yield f"{key} = {number}: already used by {taken[number]}; for example {near} is not"
        taken[number] = key
    if not (config.listen.udp or config.listen.tcp or config.http.enabled):
        yield "listen.udp, listen.tcp and http.enabled are all false: nothing would be served"
    for key, addresses in (("listen", config.listen.addresses), ("http", config.http.addresses)):
        if not addresses:
            yield f'{key}.addresses = []: nothing to listen on; the nearest valid value is ["127.0.0.1"]'


def _readers(config: Config) -> Iterator[str]:
    """While a reload goes on, a worker that drains and its successor both read the store."""
    needed = 2 * config.node.workers + FREE_READERS
    if config.store.max_readers < needed:
        yield (
            f"store.max_readers = {config.store.max_readers}: {config.node.workers} workers and their successors "
            f"may need {needed}; the nearest valid value is {needed}"
        )


def _site(config: Config) -> Iterator[str]:
    for text in config.site.addresses:
        address = ipaddress.ip_address(text)
        if address.is_unspecified or address.is_multicast or text == "255.255.255.255":
            yield (
                f'site.addresses: "{text}" cannot be reached by anybody; '
                "name an address of this machine or of its gateway"
            )
        elif not _is_served(address, config.listen.addresses):
            listening = ", ".join(config.listen.addresses)
            yield (
                f'site.addresses: "{text}" is published, but the node listens on {listening} only; '
                f'add "{text}" to listen.addresses'
            )
        elif address.is_loopback and any(
            not ipaddress.ip_address(a).is_loopback for a in config.site.addresses
        ):
            yield f'site.addresses: "{text}" is reached from this machine only, beside addresses for others; remove it'
    if config.site.addresses and config.listen.port == 0 and config.site.native_port == 0:
        yield "listen.port = 0: a port that changes with every start cannot be published; choose one, e.g. 2641"


def _is_served(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, listening: tuple[str, ...]
) -> bool:
    """Whether somebody who sends to ``address`` can be heard: directly, by a wildcard, or through a gateway."""
    for text in listening:
        own = ipaddress.ip_address(text)
        if own == address or (own.is_unspecified and own.version == address.version):
            return True
        if not own.is_loopback and not address.is_loopback and not own.is_unspecified:
            return True  # a gateway may map the published address to this one
    return False


def own_places(config: Config) -> frozenset[tuple[str, int]]:
    """Addresses and ports at which this node answers, as far as the settings tell: whom it must never ask."""
    places: set[tuple[str, int]] = set()
    for addresses, port in (
        (config.listen.addresses, config.listen.port),
        (config.http.addresses, config.http.port),
        (config.site.addresses, config.site.native_port or config.listen.port),
        (config.site.addresses, config.site.http_port or config.http.port),
    ):
        for text in addresses:
            places.add((text, port))
            address = ipaddress.ip_address(text)
            if address.is_unspecified:
                places |= {("127.0.0.1" if address.version == 4 else "::1", port)}
    return frozenset(place for place in places if place[1])


def _upstream(config: Config) -> Iterator[str]:
    upstream, own = config.upstream, own_places(config)
    for text in upstream.servers:
        place = read_place(text)
        host = "127.0.0.1" if place.host == "localhost" else place.host
        if (host, place.port) in own:
            yield f'upstream.servers: "{text}" is this node itself; name the node above it, or another port'
    if upstream.pinned_keys and not any(read_place(t).scheme != "http" for t in upstream.servers):
        yield "upstream.pinned_keys: no server in upstream.servers can prove a key; name one by tcp, udp or https"
    if upstream.trust_unproved_until:
        latest_s = int(read_clocks().wall_s) + MAX_UNPROVED_S
        if parse_date(upstream.trust_unproved_until) > latest_s:
            yield (
                f'upstream.trust_unproved_until = "{upstream.trust_unproved_until}": more than 24 hours ahead; '
                f'the nearest valid value is "{format_date(latest_s)}"'
            )
    if upstream.ca_file is not None:
        try:
            ssl.create_default_context(cafile=upstream.ca_file)
        except ssl.SSLError:
            yield f"upstream.ca_file = {upstream.ca_file}: no certificates in it; name a PEM file"
        except OSError as error:
            yield f"upstream.ca_file = {upstream.ca_file}: {error.strerror}; name a PEM file that can be read"


def _tls(config: Config) -> Iterator[str]:
    http = config.http
    if (http.tls_cert_file is None) != (http.tls_key_file is None):
        yield "http.tls_cert_file and http.tls_key_file go together; set both or none"
    for key, path in (("tls_cert_file", http.tls_cert_file), ("tls_key_file", http.tls_key_file)):
        if path is not None and not os.access(path, os.R_OK):
            yield f"http.{key} = {path}: cannot be read"
    if http.tls_key_file is not None and http.tls_key_file.exists():
        trouble = explain_mode(http.tls_key_file)
        if trouble:
            yield f"http.tls_key_file: {trouble}"
    if http.tls_cert_file is not None and http.tls_key_file is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                http.tls_cert_file, http.tls_key_file
            )
        except ssl.SSLError as error:
            yield (
                f"http.tls_cert_file = {http.tls_cert_file}: no certificate that fits {http.tls_key_file} "
                f"({error.reason or 'not PEM'})"
            )
        except OSError:
            pass  # said above


def _client_certificates(config: Config) -> Iterator[str]:
    if not config.http.client_certificates:
        return
    if config.http.tls_cert_file is None:
        yield "http.client_certificates = true: needs HTTPS; set http.tls_cert_file and http.tls_key_file"
    # Not a documented part of Python: should it go, node/listeners/tls.py would refuse every client that shows one.
    if not hasattr(ssl.SSLContext, "_msg_callback"):
        yield "http.client_certificates = true: this Python does not show handshakes; set it to false, or use another"


def _files(config: Config) -> Iterator[str]:
    data = config.node.data_dir
    if not data.is_dir():
        yield f"node.data_dir = {data}: no such directory; `biaojie init` makes it"
    elif not os.access(data, os.W_OK | os.X_OK):
        yield f"node.data_dir = {data}: not writable for user {os.geteuid()}"
    elif data.stat().st_mode & 0o022:
        yield f"node.data_dir = {data}: others can write to it; run `chmod go-w {data}`"
    for key, path in (
        ("key_file", config.node.key_file),
        ("server_key_file", config.node.server_key_file),
    ):
        if path.is_relative_to(data):
            yield f"node.{key} = {path}: must not lie in the data directory, or a stolen copy opens itself"
    try:
        read_node_key(config.node.key_file)
    except KeyTrouble as trouble:
        yield f"node.key_file: {trouble}"
    try:
        read_server_key(config.node.server_key_file)
    except KeyTrouble as trouble:
        yield f"node.server_key_file: {trouble}"


def _warnings(config: Config) -> Iterator[str]:
    site = [ipaddress.ip_address(text) for text in config.site.addresses]
    if site and all(address.is_loopback for address in site):
        yield "site.addresses: only this machine can reach the published address; fine for a trial"
    if not config.site.addresses and config.node.prefix:
        yield "site.addresses = []: no address is published, so others do not find this node by its prefix"
    yield from _upstream_warnings(config)
    open_http = [a for a in config.http.addresses if not ipaddress.ip_address(a).is_loopback]
    if config.http.enabled and open_http and config.http.tls_cert_file is None:
        yield "http: no TLS certificate: reading works, passwords are accepted from loopback only"
    if (
        config.operations.enabled
        and not ipaddress.ip_address(config.operations.address).is_loopback
    ):
        yield f"operations.address = {config.operations.address}: this port has no login; keep strangers away from it"


def _upstream_warnings(config: Config) -> Iterator[str]:
    upstream = config.upstream
    for text in upstream.servers if upstream.pinned_keys else ():
        if read_place(text).scheme == "http":
            yield f'upstream.servers: "{text}" cannot prove a pinned key and is not asked; use https'
    if upstream.trust_unproved_until:
        if parse_date(upstream.trust_unproved_until) <= read_clocks().wall_s:
            yield "upstream.trust_unproved_until: is over; remove it"
        elif upstream.pinned_keys:
            yield (
                f"upstream.trust_unproved_until: until {upstream.trust_unproved_until} answers of upstream servers "
                "are believed without a signature of a pinned key"
            )
        else:
            yield "upstream.trust_unproved_until: changes nothing without upstream.pinned_keys; remove it"
    for network in config.access.recursion_networks:
        if upstream.servers and ipaddress.ip_network(network).prefixlen == 0:
            yield f'access.recursion_networks: "{network}" lets everybody ask others through this node'


def data_directory(path: Path) -> None:
    """Make a data directory for the embedded default: ours alone. Raises ``OSError``."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
