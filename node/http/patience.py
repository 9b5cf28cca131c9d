"""Patience: how long one connection may take to ask, to read and to rest. Pure bookkeeping; time is handed in.

A request has a deadline from its first byte. A bulk body instead lives on by progress: every KiB received buys a
second, never more than the allowance ahead. The same rule holds for a reader of large answers. A resting connection is
closed sooner the fewer slots are free (the scheme Unbound uses for its TCP slots).
"""

from math import inf

PROGRESS_BYTES_PER_S = 1024
"""Slower than this is not a slow line but a held slot: 1 KiB/s is a tenth of a 1990s modem pair."""

IDLE_SHARES = ((0.50, 1.0), (0.35, 0.1), (0.20, 0.01), (0.0, 0.001))
"""(share of slots that is free, more than; share of the idle time that is granted): 600 s, 60 s, 6 s, 0.6 s."""


def idle_limit_s(idle_s: float, in_use: int, slots: int) -> float:
    """How long a connection may rest when ``in_use`` of ``slots`` are taken."""
    free = 1 - in_use / slots
    shares = (share for above, share in IDLE_SHARES if free > above)
    # The least share even when no slot is free: else whoever fills them has every pooled connection closed.
    return idle_s * next(shares, IDLE_SHARES[-1][1])


class Patience:
    """A deadline that stands still, or moves on with progress."""

    __slots__ = ("allowance_s", "deadline_s")

    def __init__(self, allowance_s: float) -> None:
        self.allowance_s = allowance_s
        self.deadline_s = inf

    def start(self, now_s: float) -> None:
        """Something has to be finished by ``allowance_s`` from now."""
        self.deadline_s = now_s + self.allowance_s

    def stop(self) -> None:
        """It is finished."""
        self.deadline_s = inf

    def credit(self, now_s: float, progress_bytes: int) -> None:
        """Progress was made: move the deadline on, at most to ``allowance_s`` from now."""
        earned = self.deadline_s + progress_bytes / PROGRESS_BYTES_PER_S
        self.deadline_s = min(earned, now_s + self.allowance_s)

    def is_over(self, now_s: float) -> bool:
        """Whether the deadline has passed."""
        return now_s >= self.deadline_s
