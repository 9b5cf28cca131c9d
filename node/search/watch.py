"""Watch over the index: how far it is, for metrics and health; asked by the operations process."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from node.metrics import (
    SEARCH_BEHIND,
    SEARCH_BYTES,
    SEARCH_IS_WHOLE,
    SEARCH_RECORDS,
    SEARCH_SEQ,
    SEARCH_VALUES,
)
from node.reports import Check, Report
from node.search.layout import State, size_bytes
from node.search.view import View, how_far

STUCK_S = 60.0
"""An index that has not moved for so long while there is something to do will not move by itself."""
_HEAD = "biaojie_follower_seq"
"""The newest change that a worker has seen."""


class SearchWatch:
    """``read_s`` is a monotonic clock."""

    def __init__(self, data_dir: Path, read_s: Callable[[], float]) -> None:
        self._view, self._read_s = View(data_dir), read_s
        self._moved_s = read_s()
        self._was: tuple[int, int, bool] | None = None

    def look(self, reports: Iterable[Report]) -> Check:
        """Bring the metrics up to date and say how it is; ``reports`` tell where the feed stands."""
        state = self._view.state()
        head = max(map(_head_of, reports), default=0)
        behind = max(0, head - (state.seq if state else 0))
        self._measure(state, behind)
        place = None if state is None else (state.seq, state.done, state.is_whole)
        is_idle = state is not None and state.is_whole and not behind
        if is_idle or place != self._was:
            self._was, self._moved_s = place, self._read_s()
        still_s = self._read_s() - self._moved_s
        words = f"{behind} changes behind" if state and state.is_whole else how_far(state)
        is_stuck = still_s > STUCK_S
        if is_stuck:
            words += f"; it has not moved for {still_s:.0f} s"
        return Check("search", not is_stuck, words)

    def _measure(self, state: State | None, behind: int) -> None:
        SEARCH_SEQ.set(state.seq if state else 0)
        SEARCH_BEHIND.set(behind)
        SEARCH_IS_WHOLE.set(bool(state and state.is_whole))
        SEARCH_RECORDS.set(state.records if state else 0)
        SEARCH_VALUES.set(state.cells if state else 0)
        with suppress(OSError):  # it may be taken away just now
            SEARCH_BYTES.set(size_bytes(self._view.path))


def _head_of(report: Report) -> int:
    for family in report.families:
        if family.name == _HEAD:
            return int(max(family.samples.values(), default=0.0))
    return 0
