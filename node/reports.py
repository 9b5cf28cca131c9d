"""Reports: what a worker says of itself to the operations process, as plain data, whenever it is asked and at its end.

Metrics go as numbers, not as text, because they are summed over workers: counters of workers that have ended, too, so
that no total ever falls back.
"""

import secrets
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from prometheus_client import Metric
from prometheus_client.core import CollectorRegistry

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""
Samples = dict[tuple[str, Labels], float]
"""By sample name and labels."""


ServerRow = dict[str, str | float | None]
"""A server of other nodes, as ``/upstreams`` shows it."""


class Check(NamedTuple):
    """One thing looked at."""

    name: str
    is_fine: bool
    reason: str


class Health(Protocol):
    """What looks at a worker (``node/health.py``)."""

    is_serving: bool

    def checks(self) -> list[Check]:
        """Everything that is looked at."""


class Family(NamedTuple):
    """One metric with its values."""

    name: str
    kind: str
    """counter, gauge, histogram."""
    help: str
    samples: Samples


class Report(NamedTuple):
    """One worker at one moment."""

    slot: int
    life: str
    """Random, so that two processes in one slot are told apart."""
    pid: int
    is_last: bool
    """The worker ends."""
    is_serving: bool
    checks: list[Check]
    servers: list[ServerRow]
    families: list[Family]


def read_families(metrics: Iterable[Metric]) -> list[Family]:
    """The values of a registry's metrics."""
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            {(s.name, tuple(sorted(s.labels.items()))): s.value for s in metric.samples},
        )
        for metric in metrics
    ]


class Reporter:
    """Makes the reports of one worker."""

    def __init__(
        self,
        place: tuple[int, int],
        health: Health,
        registry: CollectorRegistry,
        refresh_gauges: Callable[[], None],
        list_servers: Callable[[], list[ServerRow]],
    ) -> None:
        """``place``: slot and process id. ``refresh_gauges`` is called before each report."""
        self._slot, self._pid = place
        self._life = secrets.token_hex(8)
        self._health, self._registry = health, registry
        self._refresh_gauges, self._list_servers = refresh_gauges, list_servers

    def make(self, *, is_last: bool = False) -> Report:
        """How things are now."""
        self._refresh_gauges()
        return Report(
            self._slot,
            self._life,
            self._pid,
            is_last,
            self._health.is_serving,
            self._health.checks(),
            self._list_servers(),
            read_families(self._registry.collect()),
        )


def pack(report: Report) -> list[object]:
    """As MessagePack carries it."""
    families = [
        (f.name, f.kind, f.help, [(name, labels, v) for (name, labels), v in f.samples.items()])
        for f in report.families
    ]
    return [*report[:-1], families]


def unpack(said: Any) -> Report:
    """The inverse of ``pack``, after MessagePack."""
    slot, life, pid, is_last, is_serving, checks, servers, families = said
    return Report(
        slot, life, pid, is_last, is_serving,
        [Check(*check) for check in checks],
        servers,
        [Family(name, kind, help_, _samples(samples)) for name, kind, help_, samples in families],
    )  # fmt: skip


def _samples(said: Iterable[tuple[str, list[list[str]], float]]) -> Samples:
    return {(name, tuple((key, text) for key, text in labels)): v for name, labels, v in said}
