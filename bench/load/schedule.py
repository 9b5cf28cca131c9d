"""When questions are due in an open loop: known beforehand, whatever the server does.

A late answer delays nobody's due time, and latency counts from the due time; so a server that stalls is charged for
everybody who would have asked meanwhile ("coordinated omission" is the usual way to forget them).
"""

from collections.abc import Callable, Iterator
from random import Random

_NS = 1_000_000_000


def constant_arrivals(begin_ns: int, rate_per_s: float, phase: float) -> Iterator[int]:
    """Due times in equal steps; ``phase`` (0 to 1) of a step later, so that several processes take turns."""
    step_ns = _NS / rate_per_s
    number = phase
    while True:
        yield begin_ns + int(number * step_ns)
        number += 1


def poisson_arrivals(begin_ns: int, rate_per_s: float, random: Random) -> Iterator[int]:
    """Due times as many independent askers make them: exponential gaps, bursts included."""
    rate_per_ns = rate_per_s / _NS
    gap: Callable[[float], float] = random.expovariate
    at_ns = float(begin_ns)
    while True:
        at_ns += gap(rate_per_ns)
        yield int(at_ns)


def due_times(
    arrivals: str, begin_ns: int, rate_per_s: float, phase: float, random: Random
) -> Iterator[int]:
    """``constant`` or ``poisson``, without end."""
    if arrivals == "poisson":
        return poisson_arrivals(begin_ns, rate_per_s, random)
    return constant_arrivals(begin_ns, rate_per_s, phase)
