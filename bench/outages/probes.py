"""Probes: a few well-behaved clients that ask all the while, and somebody who looks at the health of the node.

What they feel is what an overload does to clients; the load itself is made by others, who are not asked how it felt.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import NamedTuple

from bench.outages.asker import question
from bench.outages.report import waits
from node.asking.web import handle_target

UDP_PATIENCE_S = 0.5
STREAM_PATIENCE_S = 2.0
SUCCESS = 1
PAUSE_S = 0.01
"""Between two questions of one probe: a hundred a second are next to nothing."""
HEALTH_PAUSE_S = 0.05


class Sample(NamedTuple):
    """One question."""

    at_s: float
    wait_s: float
    """inf when there was no right answer in time."""


Ask = Callable[[str], Awaitable[bool]]


class Probe:
    """Asks for one identifier after the other until it is cancelled."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = itertools.cycle(names)
        self.samples: list[Sample] = []

    async def run(self, ask: Ask, patience_s: float, pause_s: float = PAUSE_S) -> None:
        """``ask`` says whether the answer was right; a broken connection is no answer."""
        for name in self._names:
            began_s = time.monotonic()
            is_right = False
            with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(
                    patience_s
                ):  # wait_for may swallow a cancellation (3.11)
                    is_right = await ask(name)
            wait_s = time.monotonic() - began_s if is_right else inf
            self.samples.append(Sample(began_s, wait_s))
            await asyncio.sleep(pause_s)

    def between(self, from_s: float, to_s: float) -> dict[str, object]:
        """What was felt in a span of time."""
        chosen = [one for one in self.samples if from_s <= one.at_s < to_s]
        right = [one.wait_s for one in chosen if one.wait_s < inf]
        share = round(100 * len(right) / max(len(chosen), 1), 2)
        return {"asked": len(chosen), "right_percent": share, **waits(right)}

    def recovered_after_s(self, from_s: float, bad_s: float) -> float:
        """Seconds from ``from_s`` to the end of the last question that was not answered well."""
        bad = [one for one in self.samples if one.at_s >= from_s and one.wait_s > bad_s]
        return round(max((one.at_s - from_s for one in bad), default=0.0), 2)


class Datagrams(asyncio.DatagramProtocol):
    """UDP, one question at a time."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._number = 0
        self._answer: asyncio.Future[bytes] | None = None
        self.transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, port: int) -> "Datagrams":
        """A socket of its own."""
        loop = asyncio.get_running_loop()
        transport, asker = await loop.create_datagram_endpoint(cls, remote_addr=("127.0.0.1", port))
        asker.transport = transport
        return asker

    def datagram_received(self, data: bytes, _: object) -> None:
        """The event loop: an answer, maybe to a question given up."""
        is_it = int.from_bytes(data[8:12]) == self._number
        if is_it and self._answer is not None and not self._answer.done():
            self._answer.set_result(data)

    async def ask(self, name: str) -> bool:
        """Once; nobody asks again."""
        assert self.transport is not None
        self._number = next(self._numbers)
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.sendto(question(name, self._number))
        return int.from_bytes((await self._answer)[24:28]) == SUCCESS


class Streams:
    """TCP or HTTP on a kept connection; one that failed is made anew."""

    def __init__(self, port: int, *, is_http: bool) -> None:
        self._port, self._is_http = port, is_http
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, name: str) -> bool:
        """On the connection there is."""
        kept, self._streams = self._streams, None
        reader, writer = kept or await asyncio.open_connection("127.0.0.1", self._port)
        try:
            is_right = await (self._get if self._is_http else self._resolve)(reader, writer, name)
        except BaseException:
            writer.close()
            raise
        self._streams = (reader, writer)
        return is_right

    async def _get(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str
    ) -> bool:
        writer.write(f"GET {handle_target(name)} HTTP/1.1\r\nHost: n\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        return head.startswith(b"http/1.1 200 ")

    async def _resolve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str
    ) -> bool:
        writer.write(question(name, 1))
        head = await reader.readexactly(20)
        body = await reader.readexactly(int.from_bytes(head[16:20]))
        return int.from_bytes(body[4:8]) == SUCCESS


async def look_at_health(port: int) -> bool:
    """One look by a monitor; 503 is an answer, too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
        return (await reader.read()).startswith(b"HTTP/1.1 ")
    finally:
        writer.close()
