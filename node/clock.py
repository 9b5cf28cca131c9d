"""The node's two clocks, read together once per wake-up; everything below is told the time."""

import time

from resolver.source import Now

STEP_S = 5.0
"""A wall clock that moved against the monotonic one by more than this was set, not drifting."""


def read_clocks() -> Now:
    """Monotonic for deadlines and TTLs, wall for timestamps and expiry dates."""
    return Now(time.monotonic(), time.time())  # noqa: TID251  # the one place


class StepWatch:
    """Notices that somebody set the wall clock."""

    def __init__(self, now: Now) -> None:
        self._last = now

    def step_s(self, now: Now) -> float:
        """By how many seconds the wall clock was set since the last call; 0.0 below ``STEP_S``."""
        last, self._last = self._last, now
        step = (now.wall_s - last.wall_s) - (now.monotonic_s - last.monotonic_s)
        return step if abs(step) > STEP_S else 0.0
