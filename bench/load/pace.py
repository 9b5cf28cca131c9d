"""Pace: the schedule of one run as a loop sees it, and its end. Told the time.

In a closed loop there are no due times: what a loop sends at once is due at once.
"""

from collections.abc import Iterator
from random import Random

from bench.load.plan import Run
from bench.load.schedule import due_times

_NS = 1_000_000_000
NEVER_NS = 1 << 62


class Pace:
    """``due_ns`` of the next question; ``advance`` when it is taken up."""

    __slots__ = ("_times", "begin_ns", "due_ns", "end_ns", "give_up_ns", "measure_ns")

    def __init__(self, run: Run, timeout_s: float, random: Random) -> None:
        self.begin_ns = run.begin_ns
        self.measure_ns = run.begin_ns + int(run.warm_up_s * _NS)
        """Where measuring begins; nothing before it counts."""
        self.end_ns = self.measure_ns + int(run.seconds * _NS)
        """Nothing is due from here on."""
        self.give_up_ns = self.end_ns + int(timeout_s * _NS)
        self._times: Iterator[int] | None = None
        self.due_ns = NEVER_NS
        if run.rate_per_s is not None:
            self._times = due_times(run.arrivals, run.begin_ns, run.rate_per_s, run.phase, random)
            self.advance()

    @property
    def is_open(self) -> bool:
        """A schedule, not a closed loop."""
        return self._times is not None

    def is_over(self, now_ns: int) -> bool:
        """Nothing will be due any more. A loop that was late has first to take up what was due before the end."""
        return now_ns >= self.end_ns and self.due_ns == NEVER_NS

    def cut(self, now_ns: int, timeout_ns: int) -> None:
        """The end is now."""
        self.end_ns = min(self.end_ns, now_ns)
        self.give_up_ns = min(self.give_up_ns, now_ns + timeout_ns)
        self.due_ns = NEVER_NS

    def leftover(self) -> Iterator[int]:
        """Due times before the end that nobody took up."""
        while self.due_ns != NEVER_NS:
            yield self.due_ns
            self.advance()

    def advance(self) -> None:
        """To the next due time; ``NEVER_NS`` when that lies behind the end."""
        assert self._times is not None
        due_ns = next(self._times)
        self.due_ns = due_ns if due_ns < self.end_ns else NEVER_NS
