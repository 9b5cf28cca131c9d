"""Free disk space: below the limit writes stop and reads go on, because a full disk is worse than a refused write."""

import os
from pathlib import Path

LOOK_EVERY_S = 0.5
"""``statvfs`` costs a microsecond, but there is no need to ask before every commit."""


class DiskWatch:
    """Remembers the last look; ``trouble`` is the sentence a refused write gets."""

    def __init__(self, directory: Path, least_percent: float) -> None:
        self._directory = directory
        self._least_percent = least_percent
        self._looked_s = float("-inf")
        self.free_percent = free_percent(directory)

    def trouble(self, monotonic_s: float) -> str:
        """Why writes are stopped, "" when there is room."""
        if monotonic_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = monotonic_s
            self.free_percent = free_percent(self._directory)
        if self.free_percent >= self._least_percent:
            return ""
        return (
            f"writes are stopped: {self.free_percent:.1f} % of the disk of {self._directory} is free, "
            f"below store.min_free_percent = {self._least_percent:g}; free some space, writes resume by themselves"
        )


def free_percent(directory: Path) -> float:
    """Share of the file system that an ordinary user may still fill."""
    facts = os.statvfs(directory)
    return 100.0 * facts.f_bavail / facts.f_blocks if facts.f_blocks else 100.0
