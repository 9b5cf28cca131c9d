"""One node with two HTTP listeners: plain requests answered ahead of aiohttp, or not. Both must say the same."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from node.config_sections import Config
from node.http.plain import PlainHttp
from node.listeners import http
from node.metrics import HTTP_ANSWERS, HTTP_SECONDS
from protocols.identifier import read_identifier
from protocols.message import Operation, Outcome
from protocols.values.value import Value
from registry.stores.keys import store_key
from resolver.cache import Rank
from tests.node.foreign import ForeignParts, make_foreign_parts
from tests.node.parts import PREFIX, put

LANES = ("ahead", "behind")
WALL_S = 1_800_000_000.25
RECORDS = {
    "url": (Value(1, "URL", b"https://example.org/product?sn=1&lang=zh"), Value(2, "DESC", "阀门".encode())),
    "Lower": (Value(1, "URL", b"https://example.org/lower", ttl=60),),
    "no-url": (Value(1, "DESC", b"<b>a page</b>"), Value(5, "EMAIL", b"a@example.org")),
    "阀门/1": (Value(1, "URL", "https://example.org/阀门".encode()),),
    "a//b/../c": (Value(1, "URL", b"https://example.org/dots"),),
}  # fmt: skip
FOREIGN = {
    "99.1/a": (Value(1, "URL", b"https://example.net/there", ttl=3600),),
    "99.1/page": (Value(1, "DESC", b"x"),),
}
ABSENT = "99.1/absent"
_CHANCE = re.compile(rb'(?<=sessionId=")[^"]+|(?<=nonce=")[^"]+')
"""What no two answers have in common."""


class Lanes(NamedTuple):
    foreign: ForeignParts
    listeners: dict[str, http.HttpListener]
    ports: dict[str, int]
    clients: "list[Client]"

    async def connect(self, lane: str) -> "Client":
        """It is closed when the test is over."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.ports[lane]))
        self.clients.append(client)
        return client

    @property
    def plain(self) -> PlainHttp:
        """Who answers ahead of aiohttp, told of everything up to now."""
        plain = self.listeners["ahead"].ahead
        plain.tick(self.foreign.parts.service.now())
        return plain

    async def say(self, lane: str, pieces: Sequence[bytes]) -> bytes:
        """Bytes on a new connection, piece by piece, and everything that comes until it is closed."""
        client = await self.connect(lane)
        for piece in pieces:
            client.writer.write(piece)
            for _ in range(3):  # the listener, on the same loop, has its turn at each piece
                await asyncio.sleep(0)
        async with asyncio.timeout(10):
            return _CHANCE.sub(b"?", await client.reader.read())

    def put(self, suffix: str, *values: Value, operation: Operation = Operation.PUT) -> None:
        put(self.foreign.parts.store, f"{PREFIX}/{suffix}", values, operation)

    def remember(self, text: str, *values: Value, outcome: Outcome = Outcome.SUCCESS) -> None:
        """What another node has told."""
        now, memory = self.foreign.parts.service.now(), self.foreign.driver.forwarder
        memory.answers.drop(read_identifier(text.encode()).folded())
        memory.cache.put(read_identifier(text.encode()), outcome, values, Rank.TCP, now)

    def pass_s(self, seconds: float) -> None:
        service = self.foreign.parts.service
        service.monotonic_s += seconds
        service.wall_s = (service.wall_s or WALL_S) + seconds


class Client(NamedTuple):
    """A connection that is kept."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes, *, is_head: bool = False) -> bytes:
        """One whole answer."""
        self.writer.write(request)
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head[:-4].split(b"\r\n")[1:])
            size = 0 if is_head else int(fields.get(b"Content-Length", b"0"))
            return head + await self.reader.readexactly(size)


@contextlib.asynccontextmanager
async def two_lanes(config: Config | None = None) -> AsyncIterator[Lanes]:
    foreign = make_foreign_parts(config)
    foreign.parts.service.wall_s = WALL_S
    foreign.follower.listen(
        lambda changes: [foreign.driver.forwarder.drop(change.key) for change in changes]
    )
    listeners, ports = {}, {}
    for lane in LANES:
        sock = socket.create_server(("127.0.0.1", 0))
        ports[lane] = sock.getsockname()[1]
        config = config or Config()
        config = replace(config, node=replace(config.node, prefix=PREFIX))
        listeners[lane] = await http.start(
            foreign.parts.service, [sock], config, answers_ahead=lane == "ahead"
        )
    lanes = Lanes(foreign, listeners, ports, [])
    for suffix, values in RECORDS.items():
        lanes.put(suffix, *values)
    lanes.put("deleted", *RECORDS["url"])
    lanes.put("deleted", operation=Operation.DELETE)
    lanes.put("damaged", *RECORDS["url"])
    damage(lanes, "DAMAGED")
    for text, values in FOREIGN.items():
        lanes.remember(text, *values)
    lanes.remember(ABSENT, outcome=Outcome.NOT_FOUND)
    try:
        yield lanes
    finally:
        for client in lanes.clients:
            client.writer.close()
            with contextlib.suppress(ConnectionError):
                await client.writer.wait_closed()
        for listener in listeners.values():
            await listener.close(0)


def damage(lanes: Lanes, suffix: str) -> None:
    """Have the record's public values end before their time."""
    store = lanes.foreign.parts.store
    authority = store.reader().authority(PREFIX.encode())
    assert authority is not None
    records = store._box.state.records
    key = store_key(authority.id, suffix.encode())
    records[key] = records[key][:-3]


def counted(listener: http.HttpListener) -> dict[tuple[str, str], float]:
    """What the metrics say of HTTP answers, and how many were timed."""
    listener.exchange.router.tally.flush()
    found = {}
    for metric in (*HTTP_ANSWERS.collect(), *HTTP_SECONDS.collect()):
        for sample in metric.samples:
            if sample.name.endswith(("_total", "_count")):
                key = sample.labels["route"], sample.labels.get("status", "timed")
                found[key] = sample.value
    return found
