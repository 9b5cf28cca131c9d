"""Stages as a table, a plot and the aims they are held to."""

from collections.abc import Callable, Sequence

from bench.growth.stage import Stage
from bench.report.result import Line, Plot, Table

MIB = 1_048_576
AIM_COUNT = 10_000_000
"""The aims are set for so many identifiers; below, they are shown all the same."""

COLUMNS: dict[str, Callable[[Stage], float | int | None]] = {
    "identifiers": lambda one: one.keys,
    "rows/s": lambda one: None if one.rows_per_s is None else round(one.rows_per_s),
    "record B": lambda one: round(one.disk.records / one.keys, 1),
    "÷ content": lambda one: round(one.record_ratio, 2),
    "feed B": lambda one: round(one.disk.feed / one.keys, 1),
    "start s": lambda one: round(one.start_s, 2),
    "RssAnon MiB": lambda one: round(one.rss_anon_bytes / MIB, 1),
    "hit µs": lambda one: round(one.hit_us, 2),
    "hottest µs": lambda one: round(one.hottest_us, 2),
    "miss µs": lambda one: round(one.miss_us, 2),
    "hit p99 ms": lambda one: round(one.hit_p99_ms, 2),
    "miss p99 ms": lambda one: round(one.miss_p99_ms, 2),
}
"""A column of the table and how it is had."""

PLOTTED: dict[str, Callable[[Stage], float]] = {
    "record bytes on disk for each": lambda one: one.disk.records / one.keys,
    "feed bytes on disk for each": lambda one: one.disk.feed / one.keys,
    "start to first answer": lambda one: one.start_s,
    "RssAnon of a worker": lambda one: one.rss_anon_bytes,
    "CPU of a hit, any key": lambda one: one.hit_us,
    "CPU of a hit, the hottest key": lambda one: one.hottest_us,
    "CPU of a miss": lambda one: one.miss_us,
    "p99 of a hit": lambda one: one.hit_p99_ms,
}
"""A line of the plot: what it is by what it was with the fewest identifiers."""

AIMS: tuple[tuple[str, Callable[[Stage], float], float, bool], ...] = (
    ("record bytes on disk / (key + values on the wire)", lambda one: one.record_ratio, 1.4, False),
    ("start to first answer, s", lambda one: one.start_s, 2.0, False),
    ("RssAnon of a worker, MB", lambda one: one.rss_anon_bytes / 1e6, 150.0, False),
    ("uniform over all keys / the hottest key", lambda one: one.spread_ratio, 0.6, True),
)
"""What, how it is had, the bound, and whether more is better."""


def growth_table(stages: Sequence[Stage]) -> Table:
    """One row for each size."""
    rows = [[had(one) for had in COLUMNS.values()] for one in stages]
    note = (
        "Import into the stopped node. Bytes of each identifier are whole pages of the store; content is its "
        "store key and its values as they go on the wire. Start is to the first answer. CPU is the server's, "
        "user and system, per UDP answer; waits are counted from when a question was due, at 2,000 a second. "
        "RssAnon includes all caches."
    )
    return Table("What one identifier costs", list(COLUMNS), [list(row) for row in rows], note)


def growth_plot(stages: Sequence[Stage]) -> Plot:
    """Every figure by what it was with the fewest identifiers: what is flat does not grow."""
    first = stages[0]
    lines = [
        Line(name, [[one.keys, had(one) / had(first)] for one in stages])
        for name, had in PLOTTED.items()
        if had(first)
    ]
    label = f"times the figure at {first.keys:,}"
    return Plot("How cost grows", "identifiers", label, lines, x_is_log=True, y_is_log=True)


def growth_aims(stages: Sequence[Stage]) -> Table:
    """The largest size against the aims."""
    largest = stages[-1]
    rows: list[list[str | float | int | None]] = []
    for name, had, bound, is_least in AIMS:
        found = had(largest)
        is_met = found >= bound if is_least else found <= bound
        aim = f"{'≥' if is_least else '≤'} {bound:g}"
        rows.append([name, round(found, 2), aim, "met" if is_met else "missed"])
    note = "" if largest.keys >= AIM_COUNT else f"The aims are set for {AIM_COUNT:,}."
    return Table(f"Aims, at {largest.keys:,} identifiers", ["", "found", "aim", ""], rows, note)
