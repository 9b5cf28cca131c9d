"""A worker's parts with a driver, over a network of one made-up client: the test says what other nodes answer."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from node.config_sections import Config
from node.driver import Driver, OnReply, OnTrouble
from node.follower import Follower
from node.listeners.limits import ProvenAddresses
from node.listeners.native import NativeSpeaker
from node.native.office import make_office
from node.proving.authenticator import Authenticator
from node.site import SiteInfo
from protocols.message import Operation, Outcome
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from registry.holdings import Holdings
from resolver.asking import Reply, Role, Send, Target, Trouble
from resolver.forwarding import Forwarder, Setup
from resolver.limits import Limits
from resolver.networks import NetworkSet
from resolver.policies.ratelimit import RateLimit
from resolver.source import Now
from tests.node.parts import (
    PREFIX,
    SEALER,
    HandClock,
    NoWriter,
    Parts,
    make_config,
    make_store,
    put,
)

UPSTREAM = Target(TCP, "192.0.2.1", 2641, Role.UPSTREAM)
DELEGATED = f"{PREFIX}.7"
DELEGATED_SITE = encode_site(Site((Server(1, "192.0.2.7", (Interface(TCP, 2641),)),), serial=3))
URL = Value(1, "URL", b"https://example.org/foreign", ttl=3600)
NODE_ID = "00112233aabbccdd"
PATIENCE_S = 5.0
NUMBERS = Limits()


class Network:
    """What the driver takes for the upstream client."""

    def __init__(self) -> None:
        self.sent: list[Send] = []
        self.cancelled: list[int] = []
        self.is_closed = False
        self._on_reply: OnReply
        self._on_trouble: OnTrouble

    def connect(self, on_reply: OnReply, on_trouble: OnTrouble) -> "Network":
        self._on_reply, self._on_trouble = on_reply, on_trouble
        return self

    def send(self, send: Send, now: Now) -> None:
        assert not self.is_closed
        self.sent.append(send)

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)

    async def close(self) -> None:
        self.is_closed = True

    async def asked(self, count: int = 1) -> list[Send]:
        """Return when so many questions have come in all."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.sent) < count:
                await asyncio.sleep(0.001)
        return self.sent

    def reply(
        self, spelling: str, *values: Value, outcome: Outcome = Outcome.SUCCESS, **more: object
    ) -> None:
        """Answer the last question for the identifier."""
        send = self._last(spelling)
        values = values or ((URL,) if outcome is Outcome.SUCCESS else ())
        self._on_reply(send.number, Reply(outcome, spelling.encode(), values, **more))

    def fail(self, spelling: str, trouble: Trouble) -> None:
        self._on_trouble(self._last(spelling).number, trouble)

    def _last(self, spelling: str) -> Send:
        return next(s for s in reversed(self.sent) if s.question.spelling == spelling.encode())


class ForeignParts(NamedTuple):
    """Parts, and what is behind them."""

    parts: Parts
    network: Network
    driver: Driver
    follower: Follower


def make_foreign_parts(
    config: Config | None = None,
    *,
    recursion: Sequence[str] = ("127.0.0.0/8", "192.0.2.0/24"),
    limits: Limits = NUMBERS,
) -> ForeignParts:
    """A node of ``PREFIX`` below a recursive upstream, ``DELEGATED`` given away."""
    config = config or make_config()
    store = make_store()
    put(store, f"0.NA/{DELEGATED}", [Value(1, "HS_SITE", DELEGATED_SITE)], Operation.DELEGATE)
    reader = store.reader()
    holdings = Holdings(reader, SEALER)
    networks = NetworkSet(recursion)
    setup = Setup(
        PREFIX, NODE_ID, (UPSTREAM,),
        is_recursive_upstream=True, may_recurse=networks, is_free=NetworkSet(("0.0.0.0/0",)),
        limits=limits,
    )  # fmt: skip
    network = Network()
    service: HandClock

    def now() -> Now:
        return service.now()

    driver = Driver(Forwarder(setup, holdings), network.connect, now)
    follower = Follower(reader)
    service = HandClock(
        reader, holdings, NoWriter(), follower, Authenticator(holdings, lambda: 0.0),  # type: ignore[arg-type]
        driver, networks, PREFIX,
    )  # fmt: skip
    site = SiteInfo(reader, PREFIX)
    proven = ProvenAddresses(config.access.proven_networks, config.limits.proven_s, 64)
    rate = RateLimit(
        config.limits.udp_answers_per_s, config.limits.udp_burst, config.access.proven_networks
    )
    parts = Parts(
        store,
        service,
        NativeSpeaker(service, site, make_office(service, site, None)),
        site,
        proven,
        rate,
        config,
    )
    return ForeignParts(parts, network, driver, follower)
