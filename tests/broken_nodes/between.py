"""The node in between: UDP, TCP and HTTP ports whose requests and answers go through a breakage on their way.

An event loop in a thread of its own, so that checks may block. Every check is asked from a loopback address of its own:
what a node remembers of a source's wrong passwords must not slow the next check. (Linux has all of 127.0.0.0/8.)
"""

import asyncio
import socket
import threading
from typing import NamedTuple, Self

from tests.broken_nodes.breakage import SOUND, Breakage, Scene
from tests.broken_nodes.http_pair import HttpPair
from tests.broken_nodes.native_pair import Datagrams, TcpPair, bind_pair
from tests.broken_nodes.streams import Streams

LOOPBACK = "127.0.0.1"
PATIENCE_S = 10.0
_MOST_HEAD_BYTES = 2**20


class Ports(NamedTuple):
    """Of one node; native is UDP and TCP."""

    native: int
    http: int


class Between:
    """``ports`` are the broken node's; ``become`` says how it breaks."""

    def __init__(self, behind: Ports) -> None:
        self.behind = behind
        self.troubles: list[BaseException] = []
        """What breakages raised: mistakes in the tables."""
        self._breakage, self._scene, self._source = SOUND, Scene("", "", b""), LOOPBACK
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._tcp, self._udp = bind_pair()
        self._http = socket.create_server((LOOPBACK, 0))
        self.ports = Ports(self._tcp.getsockname()[1], self._http.getsockname()[1])
        self._datagrams = Datagrams((LOOPBACK, behind.native))
        self._datagrams.troubles = self.troubles

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def become(self, breakage: Breakage, scene: Scene, source: str) -> None:
        """Break like this from now on, and ask from ``source``; connections that are open end."""
        changed = self._become(breakage, scene, source)
        asyncio.run_coroutine_threadsafe(changed, self._loop).result(PATIENCE_S)

    async def _become(self, breakage: Breakage, scene: Scene, source: str) -> None:
        await self._end_connections()
        self._breakage, self._scene, self._source = breakage, scene, source
        self._datagrams.become(breakage, scene, source)

    async def _start(self) -> None:
        self._servers = [
            await asyncio.start_server(self._serve_tcp, sock=self._tcp),
            await asyncio.start_server(self._serve_http, sock=self._http),
        ]
        self._transport, _ = await self._loop.create_datagram_endpoint(
            lambda: self._datagrams, sock=self._udp
        )

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        self._transport.close()
        self._datagrams.stop()
        await self._end_connections()

    async def _end_connections(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(reader, writer, self.behind.native, TcpPair)

    async def _serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(reader, writer, self.behind.http, HttpPair)

    async def _serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        port: int,
        kind: type[TcpPair | HttpPair],
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        far_writer = None
        try:
            far_reader, far_writer = await asyncio.open_connection(
                LOOPBACK, port, local_addr=(self._source, 0), limit=_MOST_HEAD_BYTES
            )
            streams = Streams(reader, writer, far_reader, far_writer)
            await kind(streams, self._breakage, self._scene).run()
        except (OSError, asyncio.CancelledError):
            pass  # either side has gone, or the next check begins
        except Exception as error:  # told by the test
            self.troubles.append(error)
        finally:
            for end in (writer, far_writer):
                if end is not None:
                    end.close()
