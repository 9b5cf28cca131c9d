"""The machine a bench ran on, as the report tells it."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.report.result import Machine


def describe_machine(lane: bool | None) -> Machine:
    """This machine, now. ``lane``: whether the compiled lane is loaded, which only the node can tell."""
    return Machine(
        cpu_model=_field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        biaojie=_version("biaojie") or "0+unknown",
        uvloop=_version("uvloop"),
        lane=lane,
    )


def said_of_load(load: float, cores: int) -> list[str]:
    """A remark when others keep this machine busy. ``load``: of the last minute, as ``os.getloadavg`` tells it."""
    if load <= cores:
        return []
    busy = f"this machine was busy before it began (load average {load:.1f}, {cores} cores)"
    return [f"{busy}: others' work is in these latencies and rates"]


def _field(path: Path, name: str) -> str:
    """What stands behind ``name:`` in the first such line; empty when there is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
