"""Server health: how long one server takes, how often it fails, and how many second tries it has left."""

from resolver.asking import Target
from resolver.breaker import Breaker
from resolver.limits import Limits

KEEP = 7 / 8
"""Weight of what was known when something new is told at once (RFC 6298 §2 smooths round trips so)."""
HALF_LIFE_S = 60.0
"""What is known counts half after so long without news."""
LOSSY = 0.3
"""Share of failures above which a server stands behind the others: three in a row from a clean record. One lost
datagram is no news, half of them lost is found out within a few questions."""
RETRIES_AT_ONCE = 10.0
"""Second tries saved up at most, and allowed at the start: a few lost datagrams after a quiet night are repaired."""
_ROUNDING = 1e-9


class RetryBudget:
    """Second tries as a share of first ones."""

    __slots__ = ("_share", "_tokens")

    def __init__(self, share: float) -> None:
        self._share = share
        self._tokens = RETRIES_AT_ONCE

    @property
    def is_enough(self) -> bool:
        """Whether a second try may be made."""
        return self._tokens >= 1.0 - _ROUNDING

    def count(self, is_retry: bool) -> None:
        """A try is made: a first one earns its share, a second one costs a whole."""
        if is_retry:
            self._tokens = max(self._tokens - 1.0, 0.0)
        else:
            self._tokens = min(self._tokens + self._share, RETRIES_AT_ONCE)


class ServerHealth:
    """Of one server; ``target`` is how it was last asked."""

    __slots__ = (
        "_loss",
        "_news_s",
        "answers",
        "breaker",
        "failures",
        "retries",
        "smoothed_s",
        "target",
    )

    UNKNOWN_S = 0.05
    """Round trip assumed of a server never asked: behind one near by, before one far away."""

    def __init__(self, target: Target, limits: Limits, now_s: float) -> None:
        self.target = target
        self.breaker = Breaker(limits)
        self.retries = RetryBudget(limits.retry_share)
        self.smoothed_s: float | None = None
        self.answers = 0
        self.failures = 0
        self._loss = 0.0
        self._news_s = now_s

    def answered(self, seconds: float, now_s: float) -> None:
        """It answered after ``seconds``."""
        self.breaker.answered()
        self.answers += 1
        known_s = seconds if self.smoothed_s is None else self.smoothed_s
        self.smoothed_s = seconds + (known_s - seconds) * KEEP * self._left(now_s)
        self._learn(0.0, now_s)

    def failed(self, now_s: float) -> None:
        """It failed."""
        self.breaker.failed(now_s)
        self.failures += 1
        self._learn(1.0, now_s)

    def declined(self, now_s: float) -> None:
        """It answered that it got no answer from others: it works, but somebody else may do better."""
        self.breaker.answered()
        self.failures += 1
        self._learn(1.0, now_s)

    def is_lossy(self, now_s: float) -> bool:
        """Whether it failed so often of late that others are asked first."""
        return self._loss * self._left(now_s) > LOSSY

    def expected_s(self, now_s: float, try_s: float) -> float:
        """How long an answer takes on average, failures costing ``try_s`` each."""
        left = self._left(now_s)
        loss = min(self._loss * left, 0.99)
        known_s = self.UNKNOWN_S if self.smoothed_s is None else self.smoothed_s
        return self.UNKNOWN_S + (known_s - self.UNKNOWN_S) * left + try_s * loss / (1 - loss)

    def _learn(self, failure: float, now_s: float) -> None:
        """Mixes the news into the share of failures."""
        known = self._loss * self._left(now_s)
        self._loss = failure + (known - failure) * KEEP
        self._news_s = now_s

    def _left(self, now_s: float) -> float:
        """What is left of what was known, 1 to 0."""
        return float(0.5 ** ((now_s - self._news_s) / HALF_LIFE_S))
