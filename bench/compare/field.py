"""The field of a comparison: servers started when they are first needed, request files made once, all ended."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.compare.dnsperf import DnsperfLoad, write_questions
from bench.compare.fallback import whole_handle, whole_http
from bench.compare.generator import Generator, Target
from bench.compare.requests import (
    ORIGIN,
    dns_requests,
    handle_requests,
    host_name,
    http_requests,
    identifier,
    redis_requests,
    write_requests,
)
from bench.compare.spread import make_generator
from bench.compare.subject import ImportFailed, make_node, question, serving
from bench.compare.tools import Tools
from bench.peers.dns import RECORD_HEAD_BYTES, Zone, knot, nsd, write_zone
from bench.peers.fixed import aiohttp_fixed, c_echo, nginx, uvloop_echo
from bench.peers.process import PeerFailed, Running, ask_datagram, ask_stream
from bench.peers.redis import redis
from node.clock import read_clocks

PURE, LANE = "pure", "lane"


class Sizes(NamedTuple):
    """Bytes of our answers, heads included; every peer's are as long."""

    udp: int
    tcp: int
    http: int


class Field:
    """``keys`` identifiers, the compiled tools, and a directory for everything."""

    def __init__(self, stack: ExitStack, directory: Path, tools: Tools, keys: int) -> None:
        self._stack, self._directory, self._tools, self.keys = stack, directory, tools, keys
        self._running: dict[str, Running] = {}
        self._failures: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._sizes: Sizes | None = None

    @property
    def sizes(self) -> Sizes:
        """Asked of a running node, once."""
        if self._sizes is None:
            ours = self.start(PURE)
            first = question()
            web = next(http_requests([0])).data
            self._sizes = Sizes(
                len(ask_datagram(ours.port, first)),
                len(ask_stream(ours.port, first, whole_handle)),
                len(ask_stream(ours.http_port, web, whole_http)),
            )
        return self._sizes

    def place(self, name: str) -> Path:
        """The folder of the server of that name."""
        return self._directory / name

    def start(self, name: str) -> Running:
        """The server of that name, running; one for all who ask. Raises ``PeerFailed``."""
        if name in self._failures:
            raise PeerFailed(self._failures[name])
        if name not in self._running:
            try:
                started = self._stack.enter_context(STARTS[name](self, self.place(name)))
            except (PeerFailed, ImportFailed, OSError) as failure:
                self._failures[name] = str(failure)
                raise PeerFailed(str(failure)) from failure
            self._running[name] = started
        return self._running[name]

    def load(
        self, stack: ExitStack, kind: str, running: Running, requests: str
    ) -> Generator | DnsperfLoad:
        """A load on a running server; closed with ``stack``."""
        port = running.http_port if kind == "http" and running.http_port else running.port
        if kind == "dnsperf":
            return DnsperfLoad(port, self.requests(requests))
        return make_generator(stack, self._tools, Target(kind, port, self.requests(requests)))

    def requests(self, name: str) -> Path:
        """The file of requests of that name, with every key once."""
        if name not in self._files:
            path = self._directory / f"{name}.requests"
            self._files[name] = REQUESTS[name](path, range(self.keys))
        return self._files[name]

    def node(self, place: Path, *, is_pure: bool) -> AbstractContextManager[Running]:
        """Biaojie itself."""
        return serving(make_node(place, self.keys).settings, is_pure=is_pure)

    def zone(self) -> Zone:
        """For the DNS peers: as many names, answers as long as our UDP answers."""
        asked, size = next(dns_requests([0])).data, self.sizes.udp
        if "zone" not in self._files:
            names = (host_name(number).partition(".")[0] for number in range(self.keys))
            record_bytes = size - len(asked) - RECORD_HEAD_BYTES
            path = self._directory / "zone"
            self._files["zone"] = write_zone(path, ORIGIN, names, record_bytes)
        return Zone(ORIGIN, self._files["zone"], asked, size)

    def echo(self, way: str, place: Path) -> AbstractContextManager[Running]:
        """The C echo. Raises ``PeerFailed`` without a compiler."""
        if self._tools.echo is None:
            raise PeerFailed("there is no compiler")
        return c_echo(self._tools.echo, way, place, self.sizes.udp)

    def redis_keys(self) -> list[bytes]:
        """One key for each identifier."""
        return [identifier(number).encode() for number in range(self.keys)]


def _http_question() -> bytes:
    return next(http_requests([0])).data


STARTS: dict[str, Callable[[Field, Path], AbstractContextManager[Running]]] = {
    PURE: lambda field, place: field.node(place, is_pure=True),
    LANE: lambda field, place: field.node(place, is_pure=False),
    "uvloop": lambda field, place: uvloop_echo(place, field.sizes.udp),
    "echo": lambda field, place: field.echo("one", place),
    "echo-many": lambda field, place: field.echo("many", place),
    "nsd": lambda field, place: nsd(place, field.zone()),
    "knot": lambda field, place: knot(place, field.zone()),
    "redis": lambda field, place: redis(place, field.redis_keys(), field.sizes.tcp),
    "nginx": lambda field, place: nginx(place, _http_question(), whole_http, field.sizes.http),
    "aiohttp": lambda field, place: aiohttp_fixed(
        place, _http_question(), whole_http, field.sizes.http
    ),
}
"""How each server is started."""

REQUESTS: dict[str, Callable[[Path, Sequence[int]], Path]] = {
    "handle": lambda path, numbers: write_requests(
        path, handle_requests(numbers, read_clocks().wall_s)
    ),
    "echo": lambda path, numbers: write_requests(
        path, handle_requests(numbers, read_clocks().wall_s, is_echo=True)
    ),
    "dns": lambda path, numbers: write_requests(path, dns_requests(numbers)),
    "dnsperf": lambda path, numbers: write_questions(path, map(host_name, numbers)),
    "http": lambda path, numbers: write_requests(path, http_requests(numbers)),
    "fixed": lambda path, numbers: write_requests(path, http_requests(numbers, is_fixed=True)),
    "redis": lambda path, numbers: write_requests(path, redis_requests(numbers)),
}
"""How each file of requests is made."""
