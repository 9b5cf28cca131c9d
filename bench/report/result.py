"""The result document: one JSON shape for every ``biaojie bench`` command, written, read and shown by this package.

``docs/bench.md`` tells it to people. Times are milliseconds, rates per second, CPU microseconds per answer; what is not
known is null, never 0. A later version adds fields; ``format`` changes when one is taken away or changes its meaning.
"""

from dataclasses import dataclass, field

FORMAT = "biaojie-bench/1"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the bench ran; the server under test may be elsewhere."""

    cpu_model: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    biaojie: str
    uvloop: str | None
    """Version, None when it is not installed."""
    lane: bool | None
    """Whether this installation loads the compiled lane; None when it cannot be told."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a latency curve: so many per cent of the answers took at most so long."""

    percentile: float
    latency_ms: float
    count: int
    """Answers up to here."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One interval of the throughput over time; ``at_s`` is its beginning, counted from the first measured send."""

    at_s: float
    seconds: float
    answers: int
    errors: int
    p99_ms: float | None
    """Of the answers that came in this interval; None when there were none."""


@dataclass(frozen=True, slots=True)
class Client:
    """One process of the load generator."""

    number: int
    cpu_share: float
    """Of one core, user and system, while it was measuring."""
    lag_p99_ms: float | None
    """How late sends left behind the schedule; None without a schedule."""
    sent: int


@dataclass(frozen=True, slots=True)
class Series:
    """One load on one server, from the first measured send to the last answer or time-out."""

    name: str
    loop: str
    """``open`` (a schedule, whatever the server does) or ``closed`` (the next send waits for an answer)."""
    transport: str
    """``udp``, ``tcp``, ``http`` or ``redirect``."""
    keys: str
    """How keys were chosen, in words."""
    seconds: float
    offered_per_s: float | None
    """What the schedule wanted; None in a closed loop."""
    achieved_per_s: float
    """Right answers."""
    sent: int
    answers: int
    """Right ones: request id, response code and handle as asked."""
    errors: dict[str, int]
    """By kind: ``timeout``, ``connect``, ``closed``, ``refused``, ``unsent``, ``malformed``, ``wrong handle``,
    ``RC 2``, ``HTTP 503``, …"""
    misses: int
    """Of ``answers``, those of keys that are not there."""
    latency_ms: dict[str, float]
    """``mean``, ``min``, ``p50``, ``p90``, ``p99``, ``p99.9``, ``p99.99``, ``max``; empty without answers."""
    curve: list[Point]
    histogram: str
    """The HDR histogram, nanoseconds, V2 compressed, base64: what every HdrHistogram tool reads."""
    timeline: list[Moment]
    clients: list[Client]
    client_limited: bool
    """The figures say more about the load generator than about the server."""
    remarks: list[str] = field(default_factory=list)
    """Why it is client-limited, what stopped a search, and the like."""
    server_cpu_us: float | None = None
    """Server CPU (user and system) per answer, when the server's processes are on this machine and known."""
    connections: int = 0
    """Sockets that asked, all processes together."""


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One rate that a search for the maximum tried."""

    offered_per_s: float
    achieved_per_s: float
    p99_ms: float | None
    loss: float
    """Errors and missing answers as a share of what was to be sent."""
    passed: bool
    client_limited: bool


@dataclass(frozen=True, slots=True)
class CompareRow:
    """One peer on one path, judged by server CPU per answer in alternating slices."""

    path: str
    """What was asked, e.g. ``udp``, ``http``, ``tcp``: rows of one path belong together."""
    peer: str
    version: str | None
    """None: not installed, and everything after it is None too."""
    slices: int = 0
    median_cpu_us: float | None = None
    answers_per_s: float | None = None
    ratio: float | None = None
    """The peer's CPU per answer divided by ours: above 1 Biaojie is cheaper. 1 for Biaojie itself."""
    ratio_low: float | None = None
    ratio_high: float | None = None
    client_share: float | None = None
    """Of one core, the most that the load generator used in a slice."""
    client_limited: bool = False
    aim: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people; cells are text, numbers or null."""

    title: str
    columns: list[str]
    rows: list[list[str | float | int | None]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: pairs (x, y)."""

    name: str
    points: list[list[float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot that no series implies, e.g. cost over the number of identifiers."""

    title: str
    x_label: str
    y_label: str
    lines: list[Line]
    x_is_log: bool = False
    y_is_log: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What one command measured, and how to measure it again."""

    command: str
    """``resolve``, ``register``, ``mixed``, ``compare`` or ``growth``."""
    arguments: list[str]
    """The exact command line, program first."""
    started_at: str
    """ISO 8601, UTC."""
    machine: Machine
    target: str
    """The server, e.g. ``udp://127.0.0.1:2641``; empty where the rows name them."""
    series: list[Series] = field(default_factory=list)
    search: list[SearchStep] = field(default_factory=list)
    compare: list[CompareRow] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    format: str = FORMAT
