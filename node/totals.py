"""Totals: the metrics of all workers as those of one node.

Counters and histograms are sums over every worker there ever was, so that no total falls back when a worker ends: what
a monitoring system would take for a restart, and count again. Gauges are of the workers there are now: summed, but for
those that tell nothing in a sum (``EACH_WORKER``, ``LARGEST`` in ``node/metrics.py``).
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.registry import Collector

from node.metrics import EACH_WORKER, LARGEST
from node.reports import Family, Labels, Report, Samples

MOST_FORMER = 64
"""Processes that ended without a last word, or have not said it yet, and are remembered one by one."""
MOST_FOLDED = 256
"""Those whose counters were added up for good, remembered so that a late word does not count twice."""


class Totals(Collector):
    """Give it every report; ``collect`` is what the node shows."""

    def __init__(self) -> None:
        self.current: dict[int, Report] = {}
        """The newest report of whoever is in each slot."""
        self._former: OrderedDict[str, Report] = OrderedDict()
        self._folded: OrderedDict[str, None] = OrderedDict()
        self._ended: dict[str, Family] = {}
        """Sums of those that are gone for good."""

    def take(self, report: Report) -> None:
        """One more report."""
        if report.life in self._folded:
            return
        known = self.current.get(report.slot)
        if report.is_last:
            self._former.pop(report.life, None)
            if known is not None and known.life == report.life:
                del self.current[report.slot]
            self._fold(report)
        elif report.life in self._former:
            self._former[report.life] = report
        else:
            if known is not None and known.life != report.life:
                self._former[known.life] = known
                if len(self._former) > MOST_FORMER:
                    self._fold(self._former.popitem(last=False)[1])
            self.current[report.slot] = report

    def forget_slots(self, count: int) -> None:
        """There are ``count`` slots now."""
        for slot in [slot for slot in self.current if slot >= count]:
            self.lose(slot)

    def lose(self, slot: int) -> None:
        """Whoever was in the slot is gone; what it counted stays."""
        former = self.current.pop(slot, None)
        if former is not None:
            self._former[former.life] = former

    def collect(self) -> Iterator[Metric]:
        """prometheus_client: the values now."""
        families: dict[str, Family] = {name: _copy(family) for name, family in self._ended.items()}
        for report in self._former.values():
            _add_counts(families, report.families)
        for report in self.current.values():
            _add_counts(families, report.families)
            for family in report.families:
                if family.kind == "gauge":
                    _add_gauge(families, family, report.slot)
        for family in families.values():
            metric = Metric(family.name, family.help, family.kind)
            for (name, labels), value in family.samples.items():
                metric.add_sample(name, dict(labels), value)
            yield metric

    def _fold(self, report: Report) -> None:
        _add_counts(self._ended, report.families)
        self._folded[report.life] = None
        if len(self._folded) > MOST_FOLDED:
            self._folded.popitem(last=False)


def _copy(family: Family) -> Family:
    return family._replace(samples=dict(family.samples))


def _samples_of(families: dict[str, Family], like: Family) -> Samples:
    if like.name not in families:
        families[like.name] = like._replace(samples={})
    return families[like.name].samples


def _add_counts(families: dict[str, Family], more: Iterable[Family]) -> None:
    for family in more:
        if family.kind != "gauge":
            samples = _samples_of(families, family)
            for key, value in family.samples.items():
                samples[key] = samples.get(key, 0.0) + value


def _add_gauge(families: dict[str, Family], family: Family, slot: int) -> None:
    samples = _samples_of(families, family)
    for (name, labels), value in family.samples.items():
        key = (name, labels)
        if family.name in EACH_WORKER:
            worker: Labels = (("worker", str(slot)),)
            samples[name, tuple(sorted((*labels, *worker)))] = value
        elif family.name in LARGEST:
            samples[key] = max(samples.get(key, 0.0), value)
        else:
            samples[key] = samples.get(key, 0.0) + value
