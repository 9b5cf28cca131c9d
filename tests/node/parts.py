"""A worker's native side in the test's own process: real listeners and sockets; only the process border is gone."""

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from node.clock import read_clocks
from node.config_sections import Config
from node.follower import Follower
from node.listeners.limits import ProvenAddresses
from node.listeners.native import NativeSpeaker
from node.listeners.tcp import TcpListener
from node.listeners.udp import UdpListener
from node.native.office import make_office
from node.proving.authenticator import Authenticator
from node.service import Service
from node.site import SiteInfo
from protocols.handle.codec import Body, Message, encode
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS, OpCode
from protocols.handle.envelope import Envelope
from protocols.handle.header import Header
from protocols.handle.resolution import ResolveRequest
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.site import Server, Site, encode_site
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.holdings import Holdings
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer
from registry.stores.memory import MemoryStore
from resolver.policies.ratelimit import RateLimit
from resolver.source import Now, Peer

PREFIX = "88.118"
SEALER = Sealer(bytes(64))
SITE = encode_site(Site((Server(1, "127.0.0.1", ()),), serial=7))
RECORDS = {
    "small": (Value(1, "URL", b"https://example.org/1"),),
    "mixed": (
        Value(1, "URL", b"https://example.org/2"),
        Value(300, "HS_SECKEY", b"hidden", permissions=SECRET_PERMISSIONS),
    ),
    "secret": (Value(300, "HS_SECKEY", b"hidden", permissions=SECRET_PERMISSIONS),),
    "middle": (Value(1, "TEXT", b"m" * 300),),
    "large": (Value(1, "TEXT", b"x" * 60_000), Value(2, "TEXT", b"y" * 60_000)),
}
"""Suffix -> values, below ``PREFIX``."""


def put(store: MemoryStore, text: str, values: Sequence[Value], operation: Operation) -> None:
    """Register as the operator, at second 1,000."""
    command = Command(operation, parse_identifier(text), tuple(values))
    registrar = Registrar(store, SEALER)
    (receipt,) = registrar.commit([Submission(OPERATOR, command, "test")], 1_000_000)
    assert receipt.outcome is Outcome.SUCCESS, receipt


def make_store() -> MemoryStore:
    """The prefix with its site, and ``RECORDS``."""
    store = MemoryStore(bytes(16))
    put(store, f"0.NA/{PREFIX}", [Value(1, "HS_SITE", SITE)], Operation.HOST)
    for suffix, values in RECORDS.items():
        put(store, f"{PREFIX}/{suffix}", values, Operation.PUT)
    put(store, f"{PREFIX}/gone", RECORDS["small"], Operation.PUT)
    put(store, f"{PREFIX}/gone", (), Operation.DELETE)
    return store


class NoWriter:
    """The listeners here only read."""


class HandClock(Service):
    """A service whose clocks stand until a test moves them."""

    monotonic_s = 100.0
    wall_s: float | None = None
    """None: the wall clock goes on."""

    def now(self) -> Now:
        wall_s = read_clocks().wall_s if self.wall_s is None else self.wall_s
        return Now(self.monotonic_s, wall_s)


class Parts(NamedTuple):
    """What a test may want to touch."""

    store: MemoryStore
    service: HandClock
    speaker: NativeSpeaker
    site: SiteInfo
    proven: ProvenAddresses
    rate: RateLimit
    config: Config


def make_parts(config: Config | None = None) -> Parts:
    """All parts below the sockets. By default no network is proved, as an attacker sees it."""
    config = config or make_config()
    store = make_store()
    reader = store.reader()
    holdings = Holdings(reader, SEALER)
    authenticator = Authenticator(holdings, lambda: 0.0)
    service = HandClock(reader, holdings, NoWriter(), Follower(reader), authenticator)  # type: ignore[arg-type]
    site = SiteInfo(reader, PREFIX)
    limits = config.limits
    proven = ProvenAddresses(config.access.proven_networks, limits.proven_s, 64)
    rate = RateLimit(limits.udp_answers_per_s, limits.udp_burst, config.access.proven_networks)
    return Parts(
        store,
        service,
        NativeSpeaker(service, site, make_office(service, site, None)),
        site,
        proven,
        rate,
        config,
    )


def make_config(**limits: float) -> Config:
    """Settings as an unproved address meets them; its rate is far away unless a test says otherwise."""
    config = Config()
    limits = {"udp_burst": 1e6, "udp_answers_per_s": 1e6, **limits}
    return replace(
        config,
        limits=replace(config.limits, **limits),
        access=replace(config.access, proven_networks=()),
    )


@contextlib.asynccontextmanager
async def udp_node(parts: Parts) -> AsyncIterator[tuple[UdpListener, int]]:
    """A UDP listener on a free loopback port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    listener = UdpListener(
        sock,
        parts.service,
        parts.speaker,
        parts.site,
        parts.proven,
        parts.rate,
        parts.config.limits,
    )
    listener.start()
    try:
        yield listener, sock.getsockname()[1]
    finally:
        listener.stop()
        sock.close()


@contextlib.asynccontextmanager
async def tcp_node(parts: Parts) -> AsyncIterator[tuple[TcpListener, int]]:
    """A TCP listener on a free loopback port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    sock.setblocking(False)
    listener = TcpListener(parts.service, parts.speaker, parts.site, parts.proven, parts.config)
    await listener.start([sock])
    try:
        yield listener, sock.getsockname()[1]
    finally:
        await listener.stop(0.0)


def ask(
    handle: str | bytes,
    *,
    op_code: int = OpCode.RESOLVE,
    flags: int = DEFAULT_REQUEST_FLAGS,
    request_id: int = 7,
    body: Body | None = None,
    **envelope: int,
) -> bytes:
    """One request message."""
    spelled = handle.encode() if isinstance(handle, str) else handle
    return encode(
        Message(
            Envelope(request_id=request_id, **envelope),
            Header(op_code, op_flags=flags),
            body or ResolveRequest(spelled),
        )
    )


STRANGER = Peer("192.0.2.7", 5353, "udp", is_loopback=False)
