"""CPUs this process may use, and how many workers that makes with ``node.workers = "auto"``.

What may be used is what the scheduler allows (sched_getaffinity(2), which knows cpusets) and, below that, what the
control group's quota pays for: ``cpu.max`` of cgroup v2 in the process's own group or any above it, and
``cpu.cfs_quota_us`` of v1.
"""

import contextlib
import os
from pathlib import Path

MOST_WORKERS = 64
"""The bound of ``node.workers``."""
SPARE_FROM = 4
"""From so many CPUs on one is left for the registrar, which is as busy as a worker while a bulk load runs. With fewer
CPUs a worker less would cost more answers than the registrar ever takes."""


def auto_workers() -> int:
    """What ``"auto"`` means here and now."""
    return workers_for(usable_cpus(len(os.sched_getaffinity(0))))


def workers_for(cpus: int) -> int:
    """How many workers so many CPUs make."""
    return max(1, min(MOST_WORKERS, cpus - (cpus >= SPARE_FROM)))


def usable_cpus(allowed: int, root: Path = Path("/")) -> int:
    """Whole CPUs' worth: ``allowed``, or what the control group's quota pays for when that is less; at least one."""
    quotas = [*_quotas_v2(root), *_quota_v1(root)]
    return max(1, min([allowed, *(int(quota) for quota in quotas)]))


def _quotas_v2(root: Path) -> list[float]:
    """Of the process's group and those above it. In a container the group's root is mounted, its path is "/"."""
    mounted = root / "sys/fs/cgroup"
    path = Path("/")
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                path = Path(line[3:])
    quotas = []
    for group in (path, *path.parents):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (mounted / str(group).lstrip("/") / "cpu.max").read_text().split()
            quotas.append(int(quota) / int(period))  # "max" is no number: no quota
    return quotas


def _quota_v1(root: Path) -> list[float]:
    group = root / "sys/fs/cgroup/cpu"
    with contextlib.suppress(OSError, ValueError):
        quota = int((group / "cpu.cfs_quota_us").read_text())
        period = int((group / "cpu.cfs_period_us").read_text())
        if quota > 0 and period > 0:
            return [quota / period]
    return []
