"""The node's two clocks, read together once per wake-up; everything below is told the time. And what a thread used."""

import resource
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


class Effort:
    """How much of its time the calling thread worked."""

    def __init__(self) -> None:
        self._used, self._faults = _used()
        self._monotonic_s = time.monotonic()

    def share(self) -> float:
        """Since the call before, 0 to 1. Waiting for pages of its own from the disk counts as work without a pause."""
        used, faults = _used()
        now_s = time.monotonic()
        spent, passed_s = used - self._used, now_s - self._monotonic_s
        waited_for_disk = faults > self._faults
        self._used, self._faults, self._monotonic_s = used, faults, now_s
        if waited_for_disk:
            return 1.0
        return min(1.0, spent / passed_s) if passed_s > 0 else 0.0


def _used() -> tuple[float, int]:
    """CPU seconds and page faults with disk reads: of this thread, or of the process where no thread's are known."""
    usage = resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF))
    return usage.ru_utime + usage.ru_stime, usage.ru_majflt
