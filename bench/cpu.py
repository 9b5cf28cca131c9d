"""CPU time of other processes, in nanoseconds, from the kernel's scheduler (``/proc/PID/task/*/schedstat``)."""

from pathlib import Path


def cpu_ns(pid: int) -> int:
    """User plus system CPU of all threads of ``pid`` so far. Raises ``FileNotFoundError`` when it is gone."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            continue  # the thread ended between the listing and the read
    return total


def tree(pid: int) -> list[int]:
    """``pid`` and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            try:
                found += [int(child) for child in (task / "children").read_text().split()]
            except FileNotFoundError:
                continue
    return found
