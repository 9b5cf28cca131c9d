"""Axes: where a number stands on a plot, and which numbers are written beside it. Pure."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

TICKS = 5
"""About as many as can be read without thinking."""
_NINES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999, 99.99999)
_STEPS = (1.0, 2.0, 5.0, 10.0)


class Tick(NamedTuple):
    """``place`` is 0 at the beginning of the axis and 1 at its end."""

    place: float
    text: str


class Axis(NamedTuple):
    """``place`` gives where a value stands, 0 to 1."""

    label: str
    ticks: list[Tick]
    place: Callable[[float], float]


def linear_axis(label: str, values: Sequence[float], *, from_zero: bool = True) -> Axis:
    """From 0, or the least value, to a round number at or above the greatest."""
    least = 0.0 if from_zero else min(values, default=0.0)
    greatest = max(values, default=0.0)
    greatest = greatest if greatest > least else least + 1.0
    step = _round_step((greatest - least) / TICKS)
    first, last = math.floor(least / step + 1e-9), math.ceil(greatest / step - 1e-9)
    last = max(last, first + 1)
    low, span = first * step, (last - first) * step

    def place(value: float) -> float:
        return (value - low) / span

    ticks = [Tick(place(n * step), number(n * step)) for n in range(first, last + 1)]
    return Axis(label, ticks, place)


def log_axis(label: str, values: Sequence[float]) -> Axis:
    """Each factor of ten as long as any other; from a round number to a round number."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = _round_down(min(positive)), _round_up(max(positive))
    if high <= low:
        high = low * 10
    from_, span = math.log10(low), math.log10(high / low)

    def place(value: float) -> float:
        return (math.log10(max(value, low)) - from_) / span

    steps = (1, 2, 5) if span <= 2.5 else (1,)
    decades = range(math.floor(from_ + 1e-9), math.ceil(from_ + span - 1e-9) + 1)
    marks = [10.0**decade * step for decade in decades for step in steps]
    shown = [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]
    return Axis(label, [Tick(place(mark), number(mark)) for mark in shown], place)


def percentile_axis(label: str, most_answers: int) -> Axis:
    """Each further nine as long as the one before; ends where one answer of ``most_answers`` is left."""
    span = math.log10(max(most_answers, 10))

    def place(percentile: float) -> float:
        rest = max(100.0 - percentile, 0.0) / 100
        return 1.0 if rest <= 0 else min(1.0, -math.log10(rest) / span)

    # The last nine may be closer to the end than its name is wide.
    shown = [nines for nines in _NINES if -math.log10(1 - nines / 100) <= span + 1e-9]
    return Axis(label, [Tick(place(nines), f"{nines:g}") for nines in shown], place)


def number(value: float) -> str:
    """Short: ``20,000``, ``0.05``, ``1.5 M``."""
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:g}" if abs(value) >= 1e-9 else "0"


def _round_step(about: float) -> float:
    decade = 10.0 ** math.floor(math.log10(about))
    return next(decade * step for step in _STEPS if about <= decade * step * (1 + 1e-9))


def _round_down(value: float) -> float:
    decade = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return max(decade * step for step in _STEPS[:3] if decade * step <= value * (1 + 1e-9))


def _round_up(value: float) -> float:
    decade = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return min(decade * step for step in _STEPS if decade * step >= value * (1 - 1e-9))
