"""Who meets whom, on which path, and what is aimed at: the tables of a comparison, and what becomes of them.

A row's ratio is the peer's server CPU per answer divided by ours: above 1 we are cheaper.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from bench.compare.field import LANE, PURE, Field
from bench.compare.rows import make_row
from bench.compare.subject import has_lane
from bench.peers.dns import knot_version, nsd_version
from bench.peers.fixed import nginx_version
from bench.peers.process import PeerFailed, version_of
from bench.peers.redis import redis_version
from bench.report.result import CompareRow
from bench.slices import Contest, LoadFailed, Peer, alternate
from node.version import VERSION

NOT_BUILT = "not built"
OURS = {PURE: "Biaojie, pure Python", LANE: "Biaojie, with the extension"}

WARM_TIMES = {"handle": 1, "dns": 1, "redis": 1, "http": 3}
"""How often each request is made before anything is measured; HTTP answers are kept from the second question on."""


class Contestant(NamedTuple):
    """A server, what it is asked, and by whom."""

    name: str
    server: str
    """In ``field.STARTS``."""
    kind: str
    """What it speaks, or ``dnsperf`` for who asks."""
    requests: str
    """In ``field.REQUESTS``."""


class Path(NamedTuple):
    """Contestants that answer the same, as many bytes, the same way."""

    title: str
    kind: str
    """What we speak there."""
    requests: str
    peers: tuple[Contestant, ...]

    def contestants(self) -> tuple[Contestant, ...]:
        """Ours in front."""
        ours = (Contestant(name, server, self.kind, self.requests) for server, name in OURS.items())
        return (*ours, *self.peers)


class Aim(NamedTuple):
    """What the project promises itself."""

    path: str
    ours: tuple[str, ...]
    """The first of these servers that runs is judged."""
    peers: tuple[str, ...]
    """The hardest of these contestants counts."""
    ratio: float


UVLOOP, NSD, NSD_DNSPERF = "uvloop UDP echo", "NSD", "NSD, asked by dnsperf"
KNOT, KNOT_DNSPERF = "Knot DNS", "Knot DNS, asked by dnsperf"
REDIS, NGINX, AIOHTTP = "Redis GET", "nginx, fixed answer", "aiohttp, fixed answer"

PATHS: dict[str, Path] = {
    "udp": Path(
        "native UDP hit",
        "handle-udp",
        "handle",
        (
            Contestant(UVLOOP, "uvloop", "echo-udp", "echo"),
            Contestant("C UDP echo", "echo", "echo-udp", "echo"),
            Contestant("C UDP echo, 64 in a system call", "echo-many", "echo-udp", "echo"),
            Contestant(NSD, "nsd", "dns-udp", "dns"),
            Contestant(NSD_DNSPERF, "nsd", "dnsperf", "dnsperf"),
            Contestant(KNOT, "knot", "dns-udp", "dns"),
            Contestant(KNOT_DNSPERF, "knot", "dnsperf", "dnsperf"),
        ),
    ),
    "tcp": Path(
        "native TCP hit, 32 connections",
        "handle-tcp",
        "handle",
        (Contestant(REDIS, "redis", "redis", "redis"),),
    ),
    "http": Path(
        "HTTP GET hit, keep-alive, 32 connections",
        "http",
        "http",
        (
            Contestant(NGINX, "nginx", "http", "fixed"),
            Contestant(AIOHTTP, "aiohttp", "http", "fixed"),
        ),
    ),
}

AIMS: tuple[Aim, ...] = (
    Aim("udp", (PURE,), (UVLOOP,), 0.7),
    Aim("udp", (PURE,), (NSD, NSD_DNSPERF), 0.7),
    Aim("udp", (LANE,), (NSD, NSD_DNSPERF, KNOT, KNOT_DNSPERF), 1.0),
    Aim("http", (LANE, PURE), (NGINX,), 0.9),
    Aim("http", (LANE, PURE), (AIOHTTP,), 3.5),
    Aim("tcp", (LANE, PURE), (REDIS,), 1.0),
)

_KINDS_OF_PROGRAM: Mapping[str, Callable[[], str | None]] = {
    PURE: lambda: VERSION,
    LANE: lambda: VERSION if has_lane() else None,
    "uvloop": lambda: _distribution("uvloop"),
    "aiohttp": lambda: _distribution("aiohttp"),
    "echo": lambda: version_of("cc", "--version"),
    "echo-many": lambda: version_of("cc", "--version"),
    "nsd": nsd_version,
    "knot": knot_version,
    "redis": redis_version,
    "nginx": nginx_version,
}


def _distribution(name: str) -> str | None:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return None


def version_of_contestant(one: Contestant) -> str | None:
    """None when it, or who is to ask it, is not installed."""
    found = _KINDS_OF_PROGRAM[one.server]()
    if one.kind == "dnsperf" and version_of("dnsperf", "-h") is None:
        return None
    return found


def hold(
    field: Field, path: Path, rounds: int, seconds: float, on_slice: Callable[[str], None]
) -> tuple[Contest, dict[str, str | None]]:
    """Start who is installed, let them take turns; the versions of all, None = not installed."""
    versions = {one.name: version_of_contestant(one) for one in path.contestants()}
    failures: dict[str, str] = {}
    peers: list[Peer] = []
    with ExitStack() as stack:
        for one in path.contestants():
            if versions[one.name] is None:
                continue
            on_slice(f"starting {one.name}")
            try:
                running = field.start(one.server)
                load = field.load(stack, one.kind, running, one.requests)
                warm = (
                    partial(load.warm, WARM_TIMES[one.requests])
                    if one.requests in WARM_TIMES
                    else None
                )
            except (PeerFailed, LoadFailed, OSError) as failure:
                failures[one.name] = str(failure)
            else:
                peers.append(Peer(one.name, running.pid, load.run, warm))
        found = alternate(peers, rounds, seconds, on_slice)
    return Contest(found.slices, {**failures, **found.failures}), versions


def rows_of(
    key: str, path: Path, contest: Contest, versions: Mapping[str, str | None]
) -> list[CompareRow]:
    """For each of ours that ran: itself, then its peers; at least once the peers alone."""
    rows = []
    ran = [server for server, name in OURS.items() if name in contest.slices]
    for server in ran or [PURE]:
        ours = contest.slices.get(OURS[server], [])
        title = f"{path.title}: {OURS[server]}"
        rows.append(_own_row(title, server, contest, versions))
        for one in path.peers:
            aims = [aim.ratio for aim in AIMS if _is_aim(aim, key, server, one.name, ran)]
            aim = max(aims, default=None)
            rows.append(make_row(title, one.name, versions[one.name], contest, ours, aim))
    missing = [server for server in OURS if server not in ran and server != (ran or [PURE])[0]]
    rows += [_own_row(f"{path.title}: {OURS[one]}", one, contest, versions) for one in missing]
    return rows


def _own_row(
    title: str, server: str, contest: Contest, versions: Mapping[str, str | None]
) -> CompareRow:
    name = OURS[server]
    ours = contest.slices.get(name, [])
    return make_row(title, name, versions[name], contest, ours, absent=NOT_BUILT)


def _is_aim(aim: Aim, key: str, server: str, peer: str, ran: Sequence[str]) -> bool:
    judged = next((one for one in aim.ours if one in ran), None)
    return aim.path == key and judged == server and peer in aim.peers
