"""Clients that never stop asking, in a thread of their own: over kept and new connections, native and HTTP, and UDP.

A request fails when it gets no whole answer, or another than 200 or RC 1. A client whose server says
``Connection: close`` begins a new connection, as it should; that is no failure.
"""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from tests.node.parts import ask
from tests.node.processes import RunningNode

PAUSE_S = 0.01
"""Between two requests of one client: two cores serve this and everything else."""
PATIENCE_S = 15.0
UDP_PATIENCE_S = (2.0, 4.0, 8.0)
"""Datagrams may get lost, and a node that is late drops those that have waited too long: a client asks three times."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Ask = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class Load:
    """``asked`` and ``failures`` by kind of client."""

    def __init__(self, node: RunningNode, handle: str, clients: int = 3) -> None:
        self._native = ("127.0.0.1", node.config.listen.port)
        self._http = ("127.0.0.1", node.config.http.port)
        self._question = ask(handle)
        self._get = f"GET /api/handles/{handle} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        self._clients = clients
        self.asked: Counter[str] = Counter()
        self.failures: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._keep("native kept", self._native, self._ask_native))
                group.create_task(self._keep("http kept", self._http, self._ask_http))
                group.create_task(self._renew("native new", self._native, self._ask_native))
                group.create_task(self._renew("http new", self._http, self._ask_http))
                group.create_task(self._send("udp"))

    async def _keep(self, kind: str, address: tuple[str, int], ask_once: Ask) -> None:
        streams: Streams | None = None
        while not self._is_over.is_set():
            streams = await self._once(kind, address, ask_once, streams)
            await asyncio.sleep(PAUSE_S)
        if streams is not None:
            streams[1].close()

    async def _renew(self, kind: str, address: tuple[str, int], ask_once: Ask) -> None:
        while not self._is_over.is_set():
            streams = await self._once(kind, address, ask_once, None)
            if streams is not None:
                streams[1].close()
            await asyncio.sleep(PAUSE_S)

    async def _send(self, kind: str) -> None:
        """Each question from another port, or one worker would get them all."""
        loop = asyncio.get_running_loop()
        while not self._is_over.is_set():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(self._native)
                self.asked[kind] += 1
                for patience_s in UDP_PATIENCE_S:
                    try:
                        sock.send(self._question)
                        async with asyncio.timeout(patience_s):
                            answer = await loop.sock_recv(sock, 65_536)
                        assert int.from_bytes(answer[24:28]) == 1, answer
                        break
                    except (OSError, TimeoutError):
                        self.asked["udp again"] += 1
                else:
                    self.failures.append(f"{kind}: no answer")
            await asyncio.sleep(PAUSE_S)

    async def _once(
        self, kind: str, address: tuple[str, int], ask_once: Ask, streams: Streams | None
    ) -> Streams | None:
        """The connection, if it can be used again."""
        self.asked[kind] += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                if streams is None:
                    streams = await asyncio.open_connection(*address)
                may_go_on = await ask_once(*streams)
        except (OSError, EOFError, TimeoutError, AssertionError) as error:
            self.failures.append(f"{kind}: {error!r}")
            may_go_on = False
        if not may_go_on and streams is not None:
            streams[1].close()
        return streams if may_go_on else None

    async def _ask_native(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(self._question)
        head = await reader.readexactly(20)
        body = await reader.readexactly(int.from_bytes(head[16:20]))
        assert int.from_bytes(body[4:8]) == 1, body
        return True

    async def _ask_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(self._get)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        return b"connection: close" not in head
