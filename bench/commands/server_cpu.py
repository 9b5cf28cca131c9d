"""What a load cost the server's processes, when they are on this machine and the operator names them."""

from collections.abc import Sequence
from typing import Self

from bench.cpu import tree_times
from bench.load.fleet import Harvest
from node.output import EXIT_USAGE, CommandError


class ServerCpu:
    """CPU of processes and their children, from entering to leaving the ``with`` statement."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._before_ns = self._spent_ns = 0

    def __enter__(self) -> Self:
        self._before_ns = self._read()
        if self._pids and not self._before_ns:
            raise CommandError(f"--server-pid {self._pids[0]}: no such process", "", EXIT_USAGE)
        return self

    def __exit__(self, *exception: object) -> None:
        self._spent_ns = self._read() - self._before_ns

    def us_per(self, harvest: Harvest) -> float | None:
        """Microseconds per answer, the warm-up's included, because its cost is; None when no process was named."""
        run, total = harvest.run, harvest.total
        if not self._pids or not total.answers:
            return None
        whole = (run.warm_up_s + run.seconds) / run.seconds
        return round(self._spent_ns / 1000 / (total.answers * whole), 4)

    def _read(self) -> int:
        return sum(tree_times(pid).cpu_ns for pid in self._pids)
