"""Recorder: what the answers of one run were like, told interval by interval while it lasts.

The loops append to its lists, which costs tens of nanoseconds; histograms are made of them once per interval. Only what
was due in the measured time counts; a warm-up answer is checked like any other and forgotten.
"""

from collections import Counter
from collections.abc import Callable

from bench.load.latencies import Latencies
from bench.load.plan import Interval

Tell = Callable[[Interval], None]


class Recorder:
    """One run's bookkeeping. ``begin_ns`` is where measuring begins; a warm-up lies before it."""

    def __init__(
        self, span_ns: tuple[int, int], interval_ns: int, tell: Tell, cpu_clock: Callable[[], int]
    ) -> None:
        """``span_ns``: begin of measuring, end of the schedule; ``cpu_clock``: nanoseconds of this process."""
        self.begin_ns, self._end_ns = span_ns
        self.cpu_ns = 0
        """Of this process, between begin and end."""
        self.wall_ns = 0
        self._cpu_clock = cpu_clock
        self._began: tuple[int, int] | None = None
        self.latencies: list[int] = []
        """Nanoseconds from due to answered, of right answers that were due in the measured time."""
        self.lags: list[int] = []
        """Nanoseconds from due to taken up: the generator's own lateness."""
        self.sent = 0
        self.misses = 0
        self.rows_beyond_one = 0
        """Rows of right answers to batches, less one each."""
        self.errors: Counter[str] = Counter()
        self._interval_ns = interval_ns
        self._next_ns = self.begin_ns
        self._number = 0
        self._tell = tell

    def fail(self, kind: str, due_ns: int, size: int = 1) -> None:
        """A question, or a batch of ``size`` rows, that got no right answer."""
        if due_ns >= self.begin_ns:
            self.errors[kind] += size

    def tick(self, now_ns: int) -> int:
        """Tells what is over; returns when to call again. What comes from now on belongs to the next interval."""
        if now_ns >= self._next_ns:
            self._read_cpu(now_ns)
            self.flush()
            self._number = (now_ns - self.begin_ns) // self._interval_ns
            self._next_ns = self.begin_ns + (self._number + 1) * self._interval_ns
        return self._next_ns

    def _read_cpu(self, now_ns: int) -> None:
        if self._began is None:
            self._began = (self._cpu_clock(), now_ns)
        elif not self.wall_ns and now_ns >= self._end_ns:
            self.cpu_ns, self.wall_ns = self._cpu_clock() - self._began[0], now_ns - self._began[1]

    def flush(self) -> None:
        """Tell what there is of the present interval."""
        if not (self.latencies or self.errors or self.sent or self.lags):
            return
        answers = len(self.latencies) + self.rows_beyond_one
        self._tell(
            Interval(
                self._number,
                self.sent,
                answers,
                self.misses,
                dict(self.errors),
                _encode(self.latencies),
                _encode(self.lags),
            )
        )
        self.latencies.clear()
        self.lags.clear()
        self.errors.clear()
        self.sent = self.misses = self.rows_beyond_one = 0


def _encode(values_ns: list[int]) -> str:
    if not values_ns:
        return ""
    latencies = Latencies()
    latencies.record_all(values_ns)
    return latencies.encode()
