"""Tally: answers counted in plain integers and handed to the metrics some times a second."""

from collections import Counter

from node.metrics import HTTP_ANSWERS, HTTP_SECONDS
from resolver.rendered import Count

UNKNOWN = "none"
"""The route label of requests that no route takes."""
TUNNEL = "native"
"""And of native messages, which may come to any path."""


class Tally:
    """One per listener."""

    __slots__ = ("_answers", "_elsewhere", "_told")

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._elsewhere: list[tuple[str, int, Count, bool]] = []
        """Route, class of status, the count, and whether the route's answers are timed."""
        self._told: Counter[int] = Counter()
        """How much of each of those was handed on."""

    def count(self, route: str, status: int) -> None:
        """One answer."""
        self._answers[route, status // 100] += 1

    def count_elsewhere(self, route: str, status: int, *, is_timed: bool) -> Count:
        """A count that somebody else keeps, of answers that took next to no time. It only ever grows."""
        count = Count()
        self._elsewhere.append((route, status // 100, count, is_timed))
        return count

    def time(self, route: str, seconds: float) -> None:
        """How long a handler took; not called for the plain reading of records."""
        HTTP_SECONDS.labels(route).observe(seconds)

    def flush(self) -> None:
        """Hand the counts on."""
        for at, (route, status_class, count, is_timed) in enumerate(self._elsewhere):
            more = count.answers - self._told[at]
            self._told[at] += more
            self._answers[route, status_class] += more
            if is_timed and more:
                # Into the first bucket at once: to observe one by one would take as long as the answers did.
                HTTP_SECONDS.labels(route)._buckets[0].inc(more)  # noqa: SLF001
        for (route, status_class), total in self._answers.items():
            HTTP_ANSWERS.labels(route, f"{status_class}xx").inc(total)
        self._answers.clear()
