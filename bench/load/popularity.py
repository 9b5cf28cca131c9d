"""Popularity: which key is asked next: all alike, or some far more often than others (Zipf).

Zipf with exponent s asks the k-th most popular of n keys in proportion to k**-s; real resolvers see 0.7 to 1.1. Drawn
by rejection-inversion (W. Hörmann, G. Derflinger: "Rejection-inversion to generate variates from monotone discrete
distributions", 1996): exact, no table, the same cost for ten keys and ten million.
"""

import math
from random import Random
from typing import Protocol

_GOLDEN = 0.6180339887498949


class Popularity(Protocol):
    """A way to choose."""

    def draw(self) -> int:
        """The number of a key, from 0."""


class Uniform:
    """Every key as often as any other."""

    def __init__(self, count: int, random: Random) -> None:
        self._count = count
        self._random = random.random

    def draw(self) -> int:
        """As ``Popularity`` says."""
        return int(self._random() * self._count)


class Zipf:
    """The k-th of ``count`` keys in proportion to k**-exponent; popular keys lie scattered among the others."""

    def __init__(self, count: int, exponent: float, random: Random) -> None:
        assert count > 0
        assert exponent > 0
        self._count = count
        self._exponent = exponent
        self._random = random.random
        self._stride = scatter_stride(count)
        self._low = self._area(1.5) - 1.0
        self._high = self._area(count + 0.5)
        self._sure = 2.0 - self._inverse_area(self._area(2.5) - 2.0**-exponent)

    def draw(self) -> int:
        """As ``Popularity`` says."""
        return (self.rank() - 1) * self._stride % self._count

    def rank(self) -> int:
        """1 for the most popular, 2 for the next."""
        while True:
            u = self._high + self._random() * (self._low - self._high)
            x = self._inverse_area(u)
            k = min(max(int(x + 0.5), 1), self._count)
            if k - x <= self._sure or u >= self._area(k + 0.5) - k**-self._exponent:
                return k

    def _area(self, x: float) -> float:
        """Integral of x**-s, up to a constant; exact near s = 1 too."""
        log_x = math.log(x)
        return _expm1_by(log_x * (1.0 - self._exponent)) * log_x

    def _inverse_area(self, area: float) -> float:
        t = max(area * (1.0 - self._exponent), -1.0)
        return math.exp(_log1p_by(t) * area)


def scatter_stride(count: int) -> int:
    """A step through ``count`` numbers that meets each once and keeps neighbours apart."""
    stride = max(1, int(count * _GOLDEN))
    while math.gcd(stride, count) != 1:
        stride += 1
    return stride


def _expm1_by(x: float) -> float:
    """(exp(x) - 1) / x."""
    return math.expm1(x) / x if abs(x) > 1e-8 else 1.0 + x / 2


def _log1p_by(x: float) -> float:
    """log(1 + x) / x."""
    if x == -1.0:
        return math.inf
    return math.log1p(x) / x if abs(x) > 1e-8 else 1.0 - x / 2
