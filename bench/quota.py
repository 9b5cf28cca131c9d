"""A share of a core for one process, by the kernel's bandwidth control (control groups 1 or 2; needs root).

On two cores nobody can ask ten times what a whole core answers. A server that gets a fifth of its core is overloaded by
what the other core can ask, and the clients and monitors that count have the rest of the server's.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PERIOD_US = 10_000
"""The usual 100 ms would stop the server for longer at a time than clients shall wait."""
_ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
"""Version 1, version 2."""


class NoQuota(Exception):
    """The kernel does not let this user limit processes; ``str()`` says what was tried."""


@contextmanager
def limited(pid: int, share: float) -> Iterator[None]:
    """The process gets ``share`` (0 to 1) of one core while inside. Raises ``NoQuota``."""
    root = next((root for root in _ROOTS if (root / "cgroup.procs").exists()), None)
    if root is None:
        raise NoQuota("no control groups are mounted below /sys/fs/cgroup")
    group = root / f"biaojie-bench-{os.getpid()}"
    try:
        group.mkdir()
        _limit(group, int(share * PERIOD_US))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        if group.exists():
            group.rmdir()
        raise NoQuota(f"{group}: {error.strerror}; run this as root") from None
    try:
        yield
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            (root / "cgroup.procs").write_text(left)
        group.rmdir()


def _limit(group: Path, quota_us: int) -> None:
    if (group / "cpu.cfs_quota_us").exists():
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(quota_us))
    else:
        (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
