"""Tally: answers counted in plain integers and handed to the metrics some times a second."""

from collections import Counter

from node.metrics import HTTP_ANSWERS, HTTP_SECONDS

UNKNOWN = "none"
"""The route label of requests that no route takes."""


class Tally:
    """One per listener."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()

    def count(self, route: str, status: int) -> None:
        """One answer."""
        self._answers[route, status // 100] += 1

    def time(self, route: str, seconds: float) -> None:
        """How long a handler took; not called for the plain reading of records."""
        HTTP_SECONDS.labels(route).observe(seconds)

    def flush(self) -> None:
        """Hand the counts on."""
        for (route, status_class), count in self._answers.items():
            HTTP_ANSWERS.labels(route, f"{status_class}xx").inc(count)
        self._answers.clear()
