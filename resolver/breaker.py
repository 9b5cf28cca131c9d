"""Breaker: leaves a server alone that keeps failing, and lets one question at a time find out whether it works again.

::

    closed --- breaker_failures within breaker_window_s ---> open
    open   --- its time is over, nothing in flight: one question goes out ---> probing
    probing -- failed ---> open, for twice as long as before (at most breaker_most_s)
    probing -- cancelled, or it told nothing about the server ---> open, until breaker_open_s after it was sent
    any    --- an answer ---> closed

An answer also takes back one failure: of a thousand questions a second two in a hundred may be lost without the server
being left alone, and nobody closes it to others with a few identifiers that it cannot answer.
"""

from collections import deque
from typing import Literal

from resolver.limits import Limits

State = Literal["closed", "open", "probing"]


class Breaker:
    """Of one server. It counts the questions in flight, since a probe goes out only when nothing else can be mistaken
    for it; each ``sent`` is ended by one of ``answered``, ``failed`` and ``released``."""

    __slots__ = ("_failures", "_limits", "_pause_s", "in_flight", "open_until_s", "state")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._failures: deque[float] = deque(maxlen=limits.breaker_failures)
        self._pause_s = 0.0
        self.state: State = "closed"
        self.in_flight = 0
        self.open_until_s = 0.0
        """Monotonic; 0 while closed. While probing: when the next probe may go out if this one tells nothing."""

    def passes(self, now_s: float) -> bool:
        """Whether a question may go out: closed, or due for a probe."""
        return self.state == "closed" or self.is_due(now_s)

    def is_due(self, now_s: float) -> bool:
        """Whether the next question is a probe."""
        return self.state == "open" and now_s >= self.open_until_s and not self.in_flight

    def sent(self, now_s: float) -> None:
        """A question goes out."""
        if self.is_due(now_s):
            self.state = "probing"
            self.open_until_s = now_s + self._limits.breaker_open_s
        self.in_flight += 1

    def answered(self) -> None:
        """It works. Also when the question was sent before it was left alone."""
        self.in_flight -= 1
        if self.state != "closed":
            self.state, self.open_until_s = "closed", 0.0
            self._failures.clear()
        elif self._failures:
            self._failures.pop()

    def failed(self, now_s: float) -> None:
        """A failure. What was sent before it was left alone changes nothing any more."""
        self.in_flight -= 1
        if self.state == "probing":
            self._open(self._pause_s * 2, now_s)
        elif self.state == "closed":
            self._failures.append(now_s)
            is_full = len(self._failures) == self._limits.breaker_failures
            if is_full and now_s - self._failures[0] <= self._limits.breaker_window_s:
                self._open(self._limits.breaker_open_s, now_s)

    def released(self) -> None:
        """Over without a word about the server: cancelled, or our own bound."""
        self.in_flight -= 1
        if self.state == "probing":
            self.state = "open"

    def _open(self, pause_s: float, now_s: float) -> None:
        self._pause_s = min(pause_s, self._limits.breaker_most_s)
        self.state, self.open_until_s = "open", now_s + self._pause_s
