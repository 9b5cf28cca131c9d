"""Random suffixes at five times what the node can answer, beside clients that ask for what is cached.

The clients do as the reference client does: UDP, again after 0.5, 1.0 and 1.5 s, then TCP.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping

from bench.outages.asker import Asker, is_truth, question, read_answer
from bench.outages.pair import Pair, running_pair
from bench.outages.report import waits
from bench.outages.upstream import key_of
from node.asking.native import UDP_PATIENCE_S

SETTINGS: Mapping[str, object] = {
    # Clients live in 127.9.0.0/16, which is believed; the flood comes from elsewhere, and everybody may have us ask.
    "access.proven_networks": ["127.9.0.0/16"],
    "access.recursion_networks": ["127.0.0.0/8"],
}
CLIENTS = 40
KEYS = 15
"""Learned before the flood; more in one second would be over a client's own budget."""
CAPACITY_S = 5.0
TCP_S = 10.0


async def flood(times: float, seconds: float, rate: float, sources: int) -> dict[str, object]:
    """``times`` the capacity for so many seconds; ``rate`` real questions a second beside it."""
    with running_pair(KEYS, ttl_s=86_400, settings=SETTINGS) as pair:
        names = [key_of(n) for n in range(KEYS)]
        teacher = await Asker.open(pair.port, "127.9.0.1")
        for name in names:
            teacher.ask(name)
        await asyncio.sleep(1.0)
        capacity = json.loads(await _flooder(pair, 0, CAPACITY_S, 1))["per_s"]
        quiet = await _real_traffic(pair, names, rate, 10.0)
        before = pair.upstream.behave()["questions"]
        flooding = asyncio.create_task(_flooder(pair, times * capacity, seconds, sources))
        real = await _real_traffic(pair, names, rate, seconds)
        sent = json.loads(await flooding)["sent"]
        after = pair.upstream.behave()["questions"]
        return {
            "capacity for unknown identifiers, answers a second": round(capacity),
            "flood, questions a second": round(sent / seconds),
            "times capacity": round(sent / seconds / capacity, 2),
            "upstream questions a second": round((after - before) / seconds, 1),
            "real traffic before": quiet,
            "real traffic during the flood": real,
        }


async def _flooder(pair: Pair, rate: float, seconds: float, sources: int) -> str:
    command = [sys.executable, "-m", "bench.outages.flooder", str(pair.port), str(rate)]
    process = await asyncio.create_subprocess_exec(
        *command, str(seconds), str(sources), stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    return said.decode()


async def _real_traffic(
    pair: Pair, names: list[str], rate: float, seconds: float
) -> dict[str, object]:
    clients = [_Client(pair.port, f"127.9.1.{n + 1}") for n in range(CLIENTS)]
    for client in clients:
        await client.open()
    started_s = time.monotonic()
    tasks: list[asyncio.Task[tuple[str, float]]] = []
    while (now_s := time.monotonic() - started_s) < seconds:
        while len(tasks) < now_s * rate:
            client = clients[len(tasks) % CLIENTS]
            tasks.append(asyncio.create_task(client.resolve(random.choice(names))))
        await asyncio.sleep(0.002)
    ways = await asyncio.gather(*tasks)
    right = [wait_s for way, wait_s in ways if way]
    return {
        "asked": len(ways),
        "right": len(right),
        "right_percent": round(100 * len(right) / len(ways), 4),
        "over TCP in the end": sum(way == "tcp" for way, _ in ways),
        **waits(right),
    }


class _Client(asyncio.DatagramProtocol):
    def __init__(self, port: int, source: str) -> None:
        self._port, self._source = port, source
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(self._source, 0), remote_addr=("127.0.0.1", self._port)
        )

    def datagram_received(self, data: bytes, _: object) -> None:
        future = self._waiting.get(int.from_bytes(data[8:12]))
        if future is not None and not future.done():
            future.set_result(data)

    def error_received(self, exc: Exception) -> None:
        pass

    async def resolve(self, key: str) -> tuple[str, float]:
        """How it was answered, "" when it was not, and after how long."""
        assert self._transport is not None
        started_s = time.monotonic()
        number = random.getrandbits(31)
        asked = question(key, number)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        way = ""
        for patience_s in UDP_PATIENCE_S:
            self._transport.sendto(asked)
            await asyncio.wait([future], timeout=patience_s)
            if future.done():
                way = "udp" if _is_right(key, future.result()) else ""
                break
        del self._waiting[number]
        if not way:
            try:
                data = await asyncio.wait_for(self._over_tcp(asked), TCP_S)
                way = "tcp" if _is_right(key, data) else ""
            except (OSError, TimeoutError, EOFError):
                way = ""
        return way, time.monotonic() - started_s

    async def _over_tcp(self, asked: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._source, 0)
        )
        try:
            writer.write(asked)
            head = await reader.readexactly(20)
            return head + await reader.readexactly(int.from_bytes(head[16:20]))
        finally:
            writer.close()


def _is_right(key: str, data: bytes) -> bool:
    code, values = read_answer(data)
    return code == 1 and is_truth(key, values)
