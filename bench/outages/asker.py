"""An open-loop UDP asker: questions go out on a schedule whether or not answers come back, and each answer is checked.

So a node that stalls cannot hide: what it did not answer in time counts as that.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import NamedTuple, Self, cast

from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS, OpCode, ResponseCode
from protocols.handle.envelope import Envelope
from protocols.handle.header import Header
from protocols.handle.resolution import ResolveAnswer, ResolveRequest
from protocols.values.value import Value
from resolver.limits import Limits

STALE_TTL_S = Limits().stale_ttl_s
LATE_S = 3.0
"""The reference client's patience over UDP."""


class Heard(NamedTuple):
    """One answer."""

    key: str
    at_s: float
    wait_s: float
    code: int
    is_right: bool
    """The values are those of the key that was asked for."""
    is_stale: bool


class Asker(asyncio.DatagramProtocol):
    """One source port. ``heard`` grows with every answer."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.sent = 0
        self._waiting: dict[int, tuple[str, float]] = {}
        self._ids = itertools.count(random.randrange(1 << 20))
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, port: int, source: str = "127.0.0.1") -> Self:
        """Ask the node on loopback ``port``, from the loopback address ``source``."""
        _, asker = await asyncio.get_running_loop().create_datagram_endpoint(
            cls, local_addr=(source, 0), remote_addr=("127.0.0.1", port)
        )
        return asker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop: the socket is there."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def ask(self, key: str) -> None:
        """One question."""
        assert self._transport is not None
        number = next(self._ids) & 0x7FFFFFFF
        self._waiting[number] = (key, time.monotonic())
        self.sent += 1
        self._transport.sendto(question(key, number))

    def datagram_received(self, data: bytes, _: object) -> None:
        """The event loop: an answer."""
        number = int.from_bytes(data[8:12])
        asked = self._waiting.pop(number, None)
        if asked is None:
            return
        key, asked_s = asked
        at_s = time.monotonic()
        code, values = read_answer(data)
        is_right = code == ResponseCode.SUCCESS and is_truth(key, values)
        is_stale = any(value.ttl == STALE_TTL_S for value in values)
        self.heard.append(Heard(key, at_s, at_s - asked_s, code, is_right, is_stale))

    def error_received(self, exc: Exception) -> None:
        """The event loop: the node's port is closed; the question stays unanswered."""

    @property
    def unanswered(self) -> int:
        """Questions nothing came for."""
        return len(self._waiting)

    def close(self) -> None:
        """Ask no more."""
        if self._transport is not None:
            self._transport.close()


async def ask_at_rate(
    askers: Sequence[Asker], keys: Iterable[str], rate: float, seconds: float = inf
) -> None:
    """``rate`` questions a second in all, the askers in turn, until the keys or the seconds are used up; then
    ``LATE_S`` for what is still on its way."""
    started_s, turn = time.monotonic(), itertools.cycle(askers)
    for count, key in enumerate(keys):
        while (now_s := time.monotonic() - started_s) * rate < count and now_s < seconds:
            await asyncio.sleep(0.002)
        if now_s >= seconds:
            break
        next(turn).ask(key)
    deadline_s = time.monotonic() + LATE_S
    while any(asker.unanswered for asker in askers) and time.monotonic() < deadline_s:
        await asyncio.sleep(0.01)


def question(key: str, number: int, flags: int = DEFAULT_REQUEST_FLAGS) -> bytes:
    """A resolve request as the reference client's: RECU, CACR, PUBL."""
    header = Header(OpCode.RESOLVE, 0, flags, expiration_s=2**31 - 1)
    return encode(Message(Envelope(request_id=number), header, ResolveRequest(key.encode())))


def read_answer(data: bytes) -> tuple[int, tuple[Value, ...]]:
    """Response code and values."""
    message = decode(data)
    body = message.body
    values = body.values if isinstance(body, ResolveAnswer) else ()
    return message.header.response_code, values


def truth_of(key: str) -> str:
    """The URL that the upstream holds for a key."""
    return f"https://example.org/{key}"


def is_truth(key: str, values: Sequence[Value]) -> bool:
    """Whether these are the values of that key and of no other."""
    return [value.data.decode() for value in values if value.type == "URL"] == [truth_of(key)]


def zipf(keys: Sequence[str], seed: int, exponent: float = 1.0) -> Iterator[str]:
    """Keys for ever, the n-th most wanted one with a probability of 1/n^exponent."""
    chance = random.Random(seed)
    weights = list(itertools.accumulate(1 / rank**exponent for rank in range(1, len(keys) + 1)))
    while True:
        yield from chance.choices(keys, cum_weights=weights, k=1000)
