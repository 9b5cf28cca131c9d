"""Latencies: an HDR histogram in nanoseconds, and the percentiles, curve and text made of it.

The histogram (Gil Tene's HdrHistogram, in its Python port ``hdrhistogram``) keeps three significant digits from 64 ns
to an hour in bounded memory, adds up exactly across processes, and its V2 text is read by every HdrHistogram tool.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Self

from hdrh.histogram import HdrHistogram

from bench.report.result import Point

LEAST_NS = 100
"""Finer than any clock read from Python; gives buckets of 64 ns at the bottom."""
MOST_NS = 3_600 * 1_000_000_000
"""An hour; what takes longer has timed out long before."""
DIGITS = 3
_LEAST_SHIFT, _KEPT_BITS = 6, 11
"""The histogram's own slots: 64 ns wide up to 131 µs, then 1,024 to each doubling. Values are counted by slot first,
because recording costs microseconds a call in Python: some thousand calls an interval, however many answers."""
SHOWN = (50.0, 90.0, 99.0, 99.9, 99.99)
POINTS_PER_DECADE = 12
"""Of the curve: a decade is 0 to 90 %, 90 to 99 %, and so on."""
_NS_PER_MS = 1_000_000


class Latencies:
    """How long answers took. Adding up is exact; reading is to three digits."""

    __slots__ = ("_histogram",)

    def __init__(self) -> None:
        self._histogram = HdrHistogram(LEAST_NS, MOST_NS, DIGITS)

    @classmethod
    def decode(cls, text: str) -> Self:
        """What ``encode`` made."""
        made = cls()
        made.add_encoded(text)
        return made

    def encode(self) -> str:
        """HdrHistogram V2, compressed, base64."""
        encoded: bytes = self._histogram.encode()
        return encoded.decode()

    def record_all(self, values_ns: Sequence[int]) -> None:
        """Add what one interval brought."""
        for slot_ns, count in Counter(map(_slot_ns, values_ns)).items():
            self._histogram.record_value(slot_ns, count)

    def add(self, other: Self) -> None:
        """Add another process's or interval's."""
        self._histogram.add(other._histogram)

    def add_encoded(self, text: str) -> None:
        """Add what another process sent."""
        self._histogram.decode_and_add(text.encode())

    @property
    def count(self) -> int:
        """Answers recorded."""
        total: int = self._histogram.get_total_count()
        return total

    def percentile_ms(self, percentile: float) -> float:
        """So many per cent took at most so long; 0.0 of nothing."""
        value: int = self._histogram.get_value_at_percentile(percentile)
        return value / _NS_PER_MS

    def summary_ms(self) -> dict[str, float]:
        """As ``Series.latency_ms`` wants it; empty of nothing."""
        if not self.count:
            return {}
        found = self._histogram.get_percentile_to_value_dict(list(SHOWN))
        shown = {f"p{percentile:g}": found[percentile] for percentile in SHOWN}
        facts = {
            "mean": self._histogram.get_mean_value(),
            "min": self._histogram.get_min_value(),
            **shown,
            "max": self._histogram.get_max_value(),
        }
        return {name: round(value / _NS_PER_MS, 6) for name, value in facts.items()}

    def curve(self) -> list[Point]:
        """Points equally far apart on an axis that gives each further nine the same room, and those of the summary.

        The last is 100 %.
        """
        count = self.count
        if not count:
            return []
        steps = math.ceil(math.log10(count) * POINTS_PER_DECADE) if count > 1 else 0
        percentiles = [100 * (1 - 10 ** (-step / POINTS_PER_DECADE)) for step in range(steps)]
        percentiles = sorted(
            {*percentiles, *(each for each in SHOWN if count * (100 - each) >= 100)}
        )
        percentiles.append(100.0)
        found = self._histogram.get_percentile_to_value_dict(percentiles)
        return [
            Point(percentile, found[percentile] / _NS_PER_MS, _rank(percentile, count))
            for percentile in percentiles
        ]


def _rank(percentile: float, count: int) -> int:
    """How many answers that is, as HdrHistogram rounds it."""
    return int(percentile * count / 100 + 0.5)


def _slot_ns(value_ns: int) -> int:
    """The least value of the histogram's slot that a value falls into, above 0 and within its range."""
    shift = max(_LEAST_SHIFT, value_ns.bit_length() - _KEPT_BITS)
    return min(max(value_ns >> shift << shift, 1), MOST_NS)
