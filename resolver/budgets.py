"""Miss budgets: how many questions a second may go elsewhere for one foreign prefix, and for one client.

A flood of random suffixes below a foreign prefix misses every cache; these two rates bound what it costs the others.
Over a rate one in ``Limits.trickle`` passes, so that a real question among the random ones is answered sooner or later
(the factor 10 of Unbound's ``ratelimit-factor`` and ``ip-ratelimit-factor``), up to ``Limits.trickle_share`` of the
rate: whatever the flood, others are asked at most so much more than the rate.
"""

from resolver.buckets import Bucket, Generations, source_network
from resolver.limits import Limits

MAX_PREFIXES = 8_192
MAX_SOURCES = 32_768
"""In one generation of a table; two generations are kept."""
TABLES_BYTES = 2 * (MAX_PREFIXES + MAX_SOURCES) * 250
"""What both tables take at most."""
MAX_PREFIX_BYTES = 64
"""Longer prefixes with the same beginning share a budget: none in use is half as long, and the table stays small."""


class MissBudgets:
    """``refused`` counts questions by the budget that was exceeded: ``prefix`` or ``source``."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008  # immutable
        max_prefixes: int = MAX_PREFIXES,
        max_sources: int = MAX_SOURCES,
    ) -> None:
        prefix_rate = _Rate(limits.misses_per_prefix_s, limits.trickle, limits.trickle_share)
        source_rate = _Rate(limits.misses_per_source_s, limits.trickle, limits.trickle_share)
        self._prefixes: Generations[bytes, _Budget] = Generations(
            max_prefixes, lambda _, now_s: _Budget(prefix_rate, now_s)
        )
        self._sources: Generations[str, _Budget] = Generations(
            max_sources, lambda _, now_s: _Budget(source_rate, now_s)
        )
        self.refused: dict[str, int] = {"prefix": 0, "source": 0}

    def __len__(self) -> int:
        """Prefixes and sources remembered."""
        return len(self._prefixes) + len(self._sources)

    def is_spent(self, prefix: bytes, source: str, now_s: float, is_free: bool = False) -> bool:
        """Whether ``take`` would refuse, whoever asks how often: neither the rate nor what may pass besides has
        anything left. If so it counts as refused. For whoever wants to refuse before anything else is done.
        """
        if not is_free and self._sources.get(source_network(source), now_s).is_spent(now_s):
            self.refused["source"] += 1
            return True
        if self._prefixes.get(prefix[:MAX_PREFIX_BYTES], now_s).is_spent(now_s):
            self.refused["prefix"] += 1
            return True
        return False

    def take(self, prefix: bytes, source: str, now_s: float, is_free: bool = False) -> bool:
        """Whether a question below the folded prefix may go elsewhere for the source (IP text) at monotonic ``now_s``.

        What passes counts in both budgets; what either refuses uses up neither. ``is_free``: only the prefix counts.
        """
        asker = None if is_free else self._sources.get(source_network(source), now_s)
        if asker is not None and not asker.passes(now_s):
            self.refused["source"] += 1
            return False
        asked = self._prefixes.get(prefix[:MAX_PREFIX_BYTES], now_s)
        if not asked.passes(now_s):
            self.refused["prefix"] += 1
            return False
        if asker is not None:
            asker.pay()
        asked.pay()
        return True


class _Rate:
    """Computed once: this is asked for every question of a flood."""

    __slots__ = ("burst", "per_s", "trickle", "trickle_burst", "trickle_per_s")

    def __init__(self, per_s: float, trickle: int, share: float) -> None:
        self.per_s = per_s
        self.burst = max(per_s, 1.0)
        """A second's worth at once, and never less than one question."""
        self.trickle = trickle
        self.trickle_per_s = per_s * share
        """What may pass besides."""
        self.trickle_burst = max(self.trickle_per_s, 1.0)


class _Budget(Bucket):
    """A bucket that lets every so many pass of those it would refuse."""

    __slots__ = ("_over", "_rate", "_spare")

    def __init__(self, rate: _Rate, now_s: float) -> None:
        super().__init__(rate.burst, now_s)
        self._rate = rate
        self._over = 0
        self._spare = Bucket(rate.trickle_burst, now_s)

    def passes(self, now_s: float) -> bool:
        """Whether a question is within the rate, or the one in ``trickle`` over it."""
        if self.has_token(self._rate.per_s, self._rate.burst, now_s):
            return True
        self._over += 1
        rate = self._rate
        is_spare = self._spare.has_token(rate.trickle_per_s, rate.trickle_burst, now_s)
        return is_spare and self._over % self._rate.trickle == 0

    def is_spent(self, now_s: float) -> bool:
        """Whether nothing passes now."""
        rate = self._rate
        if self.has_token(rate.per_s, rate.burst, now_s):
            return False
        return not self._spare.has_token(rate.trickle_per_s, rate.trickle_burst, now_s)

    def pay(self) -> None:
        """It went elsewhere: within the rate, or as one of the few besides."""
        paying = self if self.tokens >= 1.0 else self._spare
        paying.tokens -= 1.0
