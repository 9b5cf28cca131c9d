"""Operations port: GET /metrics, /health, /ready, /version, /upstreams for the whole node; one answer per connection.

It is served by a process of its own, so that it answers when workers are overloaded, hung or dead, and says so.
/health is 200 when everything is as it should be, else 503, with all checks in JSON; /ready is 200 as long as questions
are answered, by one worker at least.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry

from node.lane.extension import load
from node.metrics import OPERATIONS, scrape
from node.reports import Check, Report, ServerRow
from node.search.watch import SearchWatch
from node.version import VERSION
from node.watch import Watch
from node.writer import Writer

MAX_HEAD_BYTES = 8192
"""A scraper's head is some hundred bytes."""
REQUEST_S = 10.0
"""From the connection to the end of the answer."""
MAX_CONNECTIONS = 32
"""Scrapers and probes of one machine."""
REGISTRAR_S = 0.06
"""How long /metrics waits for the registrar, beside the workers; then it tells what the registrar said before."""

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
    """The pages; ``writer`` is the way to the registrar, ``search`` watches over the index if there is to be one."""

    def __init__(self, watch: Watch, writer: Writer, search: SearchWatch | None = None) -> None:
        self._watch, self._writer, self._search = watch, writer, search
        self._registry = CollectorRegistry(auto_describe=True)
        self._registry.register(watch.totals)
        self._of_registrar = b""
        """What it told last."""
        self._servers: list[asyncio.Server] = []
        self._open_count = 0
        self._pages: dict[str, Callable[[], Awaitable[Page]]] = {
            "/metrics": self._metrics,
            "/health": self._health,
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
        await asyncio.gather(self._watch.look(), self._ask_registrar())
        self._look_at_search()
        text = scrape(self._registry) + scrape(OPERATIONS) + self._of_registrar
        return Page(200, _PROMETHEUS, text)

    async def _ask_registrar(self) -> None:
        try:
            async with asyncio.timeout(REGISTRAR_S):
                self._of_registrar = await self._writer.ask("metrics")
        except (ConnectionError, TimeoutError):
            pass  # its absence shows in biaojie_registrar_connected

    async def _health(self) -> Page:
        await self._watch.look()
        reports, silent = self._watch.reports, self._watch.silent
        checks = [silent, *merge_checks(reports), *self._look_at_search()]
        is_fine = all(check.is_fine for check in checks)
        is_serving = any(report.is_serving for report in reports)
        body = {
            "status": "ok" if is_fine else "trouble" if is_serving else "not-serving",
            "checks": [check._asdict() for check in checks],
            "workers": [
                {"worker": report.slot, "pid": report.pid, "serving": report.is_serving}
                for report in reports
            ],
        }
        return Page(200 if is_fine else 503, _JSON, _dump(body))

    def _look_at_search(self) -> list[Check]:
        return [] if self._search is None else [self._search.look(self._watch.reports)]

    async def _ready(self) -> Page:
        await self._watch.look()
        if any(report.is_serving for report in self._watch.reports):
            return _say(200, "ready")
        return _say(503, "starting or draining, or no worker answers")

    async def _version(self) -> Page:
        python = sys.version.split()[0]
        lane = load() is not None
        body = {"name": "biaojie", "version": VERSION, "python": python, "lane": lane}
        return Page(200, _JSON, _dump(body))

    async def _upstreams(self) -> Page:
        await self._watch.look()
        return Page(200, _JSON, _dump(list_servers(self._watch.reports)))


def merge_checks(reports: Iterable[Report]) -> list[Check]:
    """One check of each name: fine when it is with every worker; else who says what."""
    found: dict[str, list[tuple[int, Check]]] = {}
    for report in reports:
        for check in report.checks:
            found.setdefault(check.name, []).append((report.slot, check))
    merged = []
    for name, checks in found.items():
        bad = [f"worker {slot}: {check.reason}" for slot, check in checks if not check.is_fine]
        merged.append(Check(name, not bad, "; ".join(bad) or checks[0][1].reason))
    return merged


def list_servers(reports: Sequence[Report]) -> list[ServerRow]:
    """The servers as each worker sees them, with the worker's slot where there are several workers."""
    if len(reports) == 1:
        return reports[0].servers
    return [{**row, "worker": report.slot} for report in reports for row in report.servers]


def _dump(body: Any) -> bytes:
    return json.dumps(body).encode() + b"\n"


def _say(status: int, message: str) -> Page:
    return Page(status, _JSON, _dump({"message": message}))
