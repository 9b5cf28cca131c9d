"""The two clocks of a run; all else is told the time."""

import time


def now_s() -> int:
    """Seconds since 1970, for expiration fields and timestamps."""
    return int(time.time())  # noqa: TID251  the suite stands outside the node and has no clock handed in


def monotonic_s() -> float:
    """For patience and durations."""
    return time.monotonic()
