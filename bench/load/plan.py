"""What the bench tells its client processes and what they tell back: one JSON object a line, on pipes.

The bench writes a ``Setup``, then any number of ``Run``; a client answers ``Ready``, then for each run its
``Interval``s and a ``Done``. Times are CLOCK_MONOTONIC nanoseconds, which all processes of a machine share.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from bench.report.fields import read_fields

MAX_LINE_BYTES = 4 * 1_048_576
"""An interval with two histograms is a few kilobytes."""


@dataclass(frozen=True, slots=True)
class Target:
    """One server and how it is asked."""

    transport: str
    """``udp``, ``tcp``, ``http`` (JSON API) or ``redirect``."""
    host: str
    """An address, not a name: looked up once, by the bench."""
    port: int
    host_header: str
    """What HTTP requests name as host."""

    @property
    def name(self) -> str:
        """``udp://127.0.0.1:2641``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reads:
    """What to ask for."""

    pattern: str = ""
    file: str = ""
    """One identifier a line; instead of a pattern."""
    zipf_exponent: float | None = None
    """None: every key as often as any other."""
    miss_share: float = 0.0
    """Of all questions, those for keys that are not there."""
    pool: int = 0
    """Questions drawn and encoded beforehand; then the sequence begins again."""
    headers: list[str] = field(default_factory=list)
    """Whole lines of HTTP requests."""


@dataclass(frozen=True, slots=True)
class Writes:
    """What to register: ``{prefix}/{tag}-{process}-{number}``."""

    prefix: str
    tag: str
    values: list[str]
    """``TYPE=DATA``; ``{n}`` in it is the number."""
    batch_rows: int
    """Rows of one NDJSON request; 0 = one PUT each."""
    authorization: str
    """The header's value."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a client does all its life; exactly one of ``reads`` and ``writes``."""

    target: Target
    number: int
    """Of this process, from 0."""
    connections: int
    in_flight: int
    """Per connection."""
    timeout_s: float
    seed: int
    expiration_s: int
    """Seconds since 1970 until which questions may be answered."""
    reads: Reads | None = None
    writes: Writes | None = None
    cpu: int | None = None
    """The core to stay on."""


@dataclass(frozen=True, slots=True)
class Run:
    """One load."""

    begin_ns: int
    """Of the warm-up."""
    warm_up_s: float
    seconds: float
    interval_s: float
    rate_per_s: float | None
    """Of this process; None = closed loop."""
    arrivals: str = "constant"
    phase: float = 0.0
    deletes: bool = False
    """Delete what was registered, as fast as it goes, until nothing is left or ``seconds`` are over."""

    def lasting(self, seconds: float) -> "Run":
        """The same, longer or shorter."""
        return dataclasses.replace(self, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Ready:
    """Prepared; or ``trouble`` says why not."""

    kind: str = "ready"
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """What one interval of the measured time brought."""

    number: int
    sent: int
    answers: int
    misses: int
    errors: dict[str, int]
    latencies: str
    lags: str
    """Empty in a closed loop."""
    kind: str = "interval"


@dataclass(frozen=True, slots=True)
class Done:
    """The run is over. ``cpu_ns`` of this process from the first measured send to the end; ``wall_ns`` of the same."""

    cpu_ns: int
    wall_ns: int
    issued: int
    """Rows that were ever sent to be registered, in all runs."""
    left: int = 0
    """After deletes: rows of which it is not known that they are gone."""
    kind: str = "done"


Told = TypeVar("Told", Setup, Run)
EVENTS: dict[str, type[Ready | Interval | Done]] = {
    "ready": Ready, "interval": Interval, "done": Done,
}  # fmt: skip


def write_line(message: Setup | Run | Ready | Interval | Done) -> bytes:
    """One line."""
    return orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)


def read_order(kind: type[Told], line: bytes) -> Told:
    """A ``Setup`` or a ``Run``."""
    order = read_fields(kind, orjson.loads(line))
    assert isinstance(order, kind)
    return order


def read_event(line: bytes) -> Ready | Interval | Done:
    """What a client said."""
    document = orjson.loads(line)
    event = read_fields(EVENTS[document["kind"]], document)
    assert isinstance(event, Ready | Interval | Done)
    return event
