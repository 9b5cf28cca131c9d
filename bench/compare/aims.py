"""The aims of the project, and what became of them in one comparison."""

from collections.abc import Sequence

from bench.compare.contest import AIMS, OURS, PATHS, Aim
from bench.compare.spread import AIM, AIM_COUNT, HOTTEST, UNIFORM
from bench.compare.writes import AIM as AIM_OF_WRITES
from bench.compare.writes import COPY
from bench.compare.writes import OURS as BATCHES
from bench.compare.writes import TITLE as TITLE_OF_WRITES
from bench.report.result import CompareRow, Table

TITLE = "Aims: server CPU per answer, the peer's divided by ours"
COLUMNS = ["path", "ours", "against", "ratio", "aim", ""]
NOTE = "Where several peers or ways of asking stand for one aim, the hardest counts."


def aims_table(rows: Sequence[CompareRow]) -> Table:
    """One line for each aim: met, missed, or not measured."""
    lines = [line for aim in AIMS for line in _lines_of(aim, rows)]
    spread = [row for row in rows if row.peer == HOTTEST and row.aim is not None]
    lines += [_line(row.path, UNIFORM, row, AIM) for row in spread]
    if not spread:
        title = f"uniform over {AIM_COUNT:,} identifiers (--store)"
        lines.append([title, UNIFORM, HOTTEST, None, AIM, "not measured"])
    copied = [row for row in rows if row.peer == COPY and row.ratio is not None]
    lines += [_line(TITLE_OF_WRITES, BATCHES, row, AIM_OF_WRITES) for row in copied]
    if not copied:
        lines.append([TITLE_OF_WRITES, BATCHES, COPY, None, AIM_OF_WRITES, "not measured"])
    return Table(TITLE, COLUMNS, lines, NOTE)


def _lines_of(aim: Aim, rows: Sequence[CompareRow]) -> list[list[str | float | int | None]]:
    """Of the first of ours that was measured; the hardest peer of those that were."""
    title = PATHS[aim.path].title
    for server in aim.ours:
        path = f"{title}: {OURS[server]}"
        against = [
            row
            for row in rows
            if row.path == path and row.peer in aim.peers and row.ratio is not None
        ]
        if against:
            hardest = min(against, key=lambda row: row.ratio or 0.0)
            return [_line(title, OURS[server], hardest, aim.ratio)]
    peers = " or ".join(aim.peers)
    return [[title, OURS[aim.ours[0]], peers, None, aim.ratio, "not measured"]]


def _line(title: str, ours: str, row: CompareRow, aim: float) -> list[str | float | int | None]:
    assert row.ratio is not None
    return [title, ours, row.peer, row.ratio, aim, "met" if row.ratio >= aim else "missed"]
