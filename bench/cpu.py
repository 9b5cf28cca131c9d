"""CPU time of other processes, in nanoseconds, from the kernel's scheduler (``/proc/PID/task/*/schedstat``)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


def tree(pid: int) -> list[int]:
    """``pid`` and all its descendants."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
        except FileNotFoundError:
            continue  # it ended since its parent named it
        for task in tasks:
            try:
                found += [int(child) for child in (task / "children").read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


class Times(NamedTuple):
    """Of a process and all its descendants: a server of several processes is charged for all of them."""

    cpu_ns: int
    """Running, user and system."""
    wait_ns: int
    """Ready to run, but the core was somebody else's."""


def tree_times(pid: int) -> Times:
    """So far; processes that have ended meanwhile are not in it."""
    cpu = wait = 0
    for each in tree(pid):
        for place in _schedstats(each):
            ran, waited, *_ = place.split()
            cpu, wait = cpu + int(ran), wait + int(waited)
    return Times(cpu, wait)


def _schedstats(pid: int) -> Iterator[str]:
    """Of each thread that is still there."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return
    for task in tasks:
        try:
            yield (task / "schedstat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
