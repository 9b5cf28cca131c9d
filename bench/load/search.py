"""Search: the highest rate that a server keeps up with, found by offering rates. Pure: it is told how each step went.

It begins at what a closed loop reached, goes up by quarters while that passes, and then halves the gap between the
highest rate that passed and the lowest that did not, until the gap is small.
"""

from bench.report.result import SearchStep

GROWTH = 1.25
"""From one step that passed to the next."""
PRECISION = 0.05
"""A gap this small, as a share of the rate, is within the noise of steps of a second or two."""
MOST_STEPS = 14
LEAST_SHARE = 0.01
"""Of the first rate: a server that does not pass even there does not pass."""


class Search:
    """Ask ``next_rate``, try it, ``tell``; until it is None."""

    def __init__(self, first_rate_per_s: float, most_rate_per_s: float) -> None:
        """``most_rate_per_s``: what the operator allows."""
        self._rate = min(first_rate_per_s, most_rate_per_s)
        self._first = self._rate
        self._most = most_rate_per_s
        self._lowest_failed: float | None = None
        self.best: SearchStep | None = None
        """The highest that passed."""
        self.steps: list[SearchStep] = []
        self.ending = ""
        """Why it is over, in words."""

    @property
    def next_rate(self) -> float | None:
        """What to offer now; None when it is over."""
        return None if self.ending else self._rate

    def tell(self, step: SearchStep) -> None:
        """How the last rate went."""
        self.steps.append(step)
        if step.passed:
            self.best = step
        else:
            self._lowest_failed = step.offered_per_s
        self._choose(step)

    def _choose(self, step: SearchStep) -> None:
        low, high = self.best.offered_per_s if self.best else 0.0, self._lowest_failed
        if step.passed and step.offered_per_s >= self._most:
            self.ending = f"the highest rate allowed, {self._most:,.0f}/s, passed"
        elif step.client_limited and not step.passed and low > 0:
            self.ending = "the client could not offer more: give it more --processes, or more cores"
        elif len(self.steps) >= MOST_STEPS:
            self.ending = f"{MOST_STEPS} steps were made"
        elif high is None:
            self._rate = min(low * GROWTH, self._most)
        elif high <= self._first * LEAST_SHARE:
            self.ending = f"not even {high:,.0f}/s passed"
        elif high - low <= PRECISION * high:
            self.ending = f"{high:,.0f}/s did not pass"
        else:
            self._rate = (low + high) / 2
