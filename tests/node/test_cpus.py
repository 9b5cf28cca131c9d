"""How many CPUs this node may use, from files as Linux writes them."""

from pathlib import Path

import pytest

from node.cpus import MOST_WORKERS, usable_cpus, workers_for


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_without_a_quota_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(16, tmp_path) == 16
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", "max 100000\n")
    assert usable_cpus(16, tmp_path) == 16


@pytest.mark.parametrize(
    ("quota", "cpus"), [("250000", 2), ("50000", 1), ("400000", 4), ("9900000", 8)]
)
def test_a_quota_pays_for_whole_cpus_and_for_one_at_least(
    tmp_path: Path, quota: str, cpus: int
) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", f"{quota} 100000\n")
    assert usable_cpus(8, tmp_path) == cpus


def test_the_tightest_of_the_groups_above_counts(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "1:name=systemd:/x\n0::/system.slice/biaojie.service\n")
    write(tmp_path, "sys/fs/cgroup/system.slice/biaojie.service/cpu.max", "max 100000\n")
    write(tmp_path, "sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n")
    assert usable_cpus(8, tmp_path) == 3


@pytest.mark.parametrize(("quota", "cpus"), [("200000", 2), ("-1", 8)])
def test_a_quota_of_the_older_control_groups_counts_too(
    tmp_path: Path, quota: str, cpus: int
) -> None:
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", f"{quota}\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert usable_cpus(8, tmp_path) == cpus


@pytest.mark.parametrize(("cpus", "workers"), [(1, 1), (2, 2), (3, 3), (4, 3), (16, 15)])
def test_from_four_cpus_on_one_is_left_for_the_registrar(cpus: int, workers: int) -> None:
    assert workers_for(cpus) == workers


def test_there_are_never_more_workers_than_the_setting_allows() -> None:
    assert workers_for(1000) == MOST_WORKERS
