"""Operations port: GET /metrics, /health, /ready, /version, /upstreams; small, bounded, one answer per connection.

It shares no code with the public HTTP listener, so that it still answers when that one is in trouble. /health is 200
when everything is as it should be, else 503, with all checks in JSON; /ready is 200 as long as questions are answered.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from node.foreign_report import ServerRow
from node.health import Health
from node.metrics import WORKER, scrape
from node.version import VERSION
from node.writer import Writer

MAX_HEAD_BYTES = 8192
"""A scraper's head is some hundred bytes."""
REQUEST_S = 10.0
"""From the connection to the end of the answer."""
MAX_CONNECTIONS = 32
"""Scrapers and probes of one machine."""
REGISTRAR_S = 1.0
"""How long /metrics waits for the registrar's share before it is left out."""

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}
_JSON, _PROMETHEUS = "application/json", "text/plain; version=0.0.4; charset=utf-8"


class Page(NamedTuple):
    """What one path answers."""

    status: int
    content_type: str
    body: bytes


class Operations:
    """``refresh_gauges`` is called before each scrape, ``list_servers`` for ``/upstreams``."""

    def __init__(
        self,
        health: Health,
        writer: Writer,
        refresh_gauges: Callable[[], None],
        list_servers: Callable[[], list[ServerRow]] = list,
    ) -> None:
        self._health, self._writer, self._refresh_gauges = health, writer, refresh_gauges
        self._list_servers = list_servers
        self._servers: list[asyncio.Server] = []
        self._open_count = 0
        self._pages: dict[str, Callable[[], Awaitable[Page]]] = {
            "/metrics": self._metrics,
            "/health": self._show_health,
            "/ready": self._ready,
            "/version": self._version,
            "/upstreams": self._upstreams,
        }

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Begin to accept on bound sockets."""
        for sock in sockets:
            self._servers.append(
                await asyncio.start_server(self._serve, sock=sock, limit=MAX_HEAD_BYTES)
            )

    async def stop(self) -> None:
        """Accept no more."""
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open_count >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open_count += 1
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head))
                await writer.drain()
                writer.close()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open_count -= 1

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in {"GET", "HEAD"}:
            page = _say(405, "only GET and HEAD")
        elif path in self._pages:
            page = await self._pages[path]()
        else:
            page = _say(404, f"there are {', '.join(self._pages)}")
        lines = (
            f"HTTP/1.1 {page.status} {_REASONS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
            f"Content-Length: {len(page.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        return lines.encode() + (b"" if method == "HEAD" else page.body)

    async def _metrics(self) -> Page:
        self._refresh_gauges()
        text = scrape(WORKER)
        try:
            async with asyncio.timeout(REGISTRAR_S):
                text += await self._writer.ask("metrics")
        except (ConnectionError, TimeoutError):
            pass  # its absence shows in biaojie_registrar_connected
        return Page(200, _PROMETHEUS, text)

    async def _show_health(self) -> Page:
        checks = self._health.checks()
        is_fine = all(check.is_fine for check in checks)
        body = {
            "status": "ok" if is_fine else "trouble" if self._health.is_serving else "not-serving",
            "checks": [check._asdict() for check in checks],
        }
        return Page(200 if is_fine else 503, _JSON, json.dumps(body).encode() + b"\n")

    async def _ready(self) -> Page:
        return _say(200, "ready") if self._health.is_serving else _say(503, "starting or draining")

    async def _version(self) -> Page:
        body = {"name": "biaojie", "version": VERSION, "python": sys.version.split()[0]}
        return Page(200, _JSON, json.dumps(body).encode() + b"\n")

    async def _upstreams(self) -> Page:
        return Page(200, _JSON, json.dumps(self._list_servers()).encode() + b"\n")


def _say(status: int, message: str) -> Page:
    return Page(status, _JSON, json.dumps({"message": message}).encode() + b"\n")
