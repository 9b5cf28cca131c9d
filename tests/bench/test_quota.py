"""A process with a share of a core gets no more than that; where the kernel does not allow it, that is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.quota import PERIOD_US, NoQuota, limited

SHARE, SECONDS = 0.2, 0.5
BUSY = """
import sys, time
sys.stdin.readline()
began_s, until_s = time.process_time(), time.monotonic() + float(sys.argv[1])
while time.monotonic() < until_s:
    pass
print(time.process_time() - began_s)
"""


def groups() -> set[Path]:
    return {path for root in ("cpu", ".") for path in Path("/sys/fs/cgroup", root).glob("biaojie-bench-*")}  # fmt: skip


def test_a_busy_process_gets_its_share_and_nothing_is_left_of_the_limit():
    before = groups()
    busy = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(SECONDS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    told, used = "", ""
    try:
        with limited(busy.pid, SHARE):
            used, _ = busy.communicate("go\n", timeout=60)
    except NoQuota as trouble:
        told = str(trouble)
        busy.kill()
        busy.communicate()
    assert "/sys/fs/cgroup" in told or 0 < float(used) <= 2 * SHARE * SECONDS + PERIOD_US / 1e6
    assert groups() <= before


def test_a_process_that_is_not_there_leaves_no_group():
    before = groups()
    with pytest.raises(NoQuota, match="/sys/fs/cgroup"), limited(2**22 + 1, SHARE):
        pass
    assert groups() <= before
