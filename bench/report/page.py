"""The report: one HTML page of result documents that needs nothing but itself. Pure.

No script, nothing fetched from elsewhere: a Content-Security-Policy in the page says so and browsers keep it.
"""

import shlex
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from bench.report.axes import number
from bench.report.figures import compare_figure, plot_figure, series_figures
from bench.report.result import CompareRow, Machine, Result, SearchStep, Series, Table

STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MIB = 1_048_576
_SHOWN = ("p50", "p90", "p99", "p99.9", "max")
Cell = str | float | int | None


def render_page(results: Sequence[Result], title: str | None = None) -> str:
    """The whole page. Series of all results share their plots."""
    shown = title or _usual_title(results)
    style = STYLE.read_text(encoding="utf-8")
    body = "\n".join(_body(results, shown))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(shown)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _usual_title(results: Sequence[Result]) -> str:
    commands = ", ".join(dict.fromkeys(result.command for result in results))
    return f"biaojie bench: {commands}"


def _body(results: Sequence[Result], title: str) -> Iterator[str]:
    yield f"<header><h1>{escape(title)}</h1>{_paragraphs(_summary(results))}</header>"
    all_series = [series for result in results for series in result.series]
    if all_series:
        yield "<h2>Load</h2>"
        yield _series_table(all_series)
        yield _list([f"{series.name}: {text}" for series in all_series for text in _said(series)])
        yield from series_figures(all_series)
    for result in results:
        yield from _parts(result)
    yield "<h2>How it was measured</h2>"
    for result in results:
        yield from _method(result)


def _summary(results: Sequence[Result]) -> Iterator[str]:
    for result in results:
        where = f" {result.target}" if result.target else ""
        yield f"{result.command}{where}, {result.started_at}"


def _parts(result: Result) -> Iterator[str]:
    """What a result has beside its series."""
    if result.search:
        yield "<h2>Search for the highest rate</h2>"
        yield _search_table(result.search)
    if result.compare:
        yield "<h2>Beside other servers</h2>"
        for path, rows in groupby(result.compare, key=lambda row: row.path):
            yield from _path_beside(path, list(rows))
    for plot in result.plots:
        yield plot_figure(plot)
    for table in result.tables:
        yield _table_of(table)
    yield _list(result.remarks)


def _method(result: Result) -> Iterator[str]:
    yield f"<p>To repeat it:</p><pre>{escape(shlex.join(result.arguments))}</pre>"
    yield _table(("machine", ""), _machine_rows(result.machine))


def _machine_rows(machine: Machine) -> list[tuple[Cell, ...]]:
    lane = {True: "loaded", False: "not loaded", None: "unknown"}[machine.lane]
    return [
        ("processor", machine.cpu_model),
        ("cores", machine.cores),
        ("memory", f"{machine.memory_bytes / _MIB:,.0f} MiB"),
        ("kernel", machine.kernel),
        ("Python", machine.python),
        ("biaojie", machine.biaojie),
        ("uvloop", machine.uvloop or "not installed"),
        ("compiled part, where the bench ran", lane),
    ]


def _series_table(all_series: Sequence[Series]) -> str:
    head = (
        "series", "offered/s", "right answers/s", *(f"{name} ms" for name in _SHOWN), "errors",
        "client CPU", "server µs/answer",
    )  # fmt: skip
    return _table(head, [_series_row(series) for series in all_series])


def _series_row(series: Series) -> tuple[Cell, ...]:
    share = max((client.cpu_share for client in series.clients), default=0.0)
    limited = " (client-limited)" if series.client_limited else ""
    latencies = (_rounded(series.latency_ms.get(name)) for name in _SHOWN)
    offered = "closed loop" if series.offered_per_s is None else round(series.offered_per_s)
    return (
        series.name, offered, round(series.achieved_per_s), *latencies, sum(series.errors.values()),
        f"{share:.0%}{limited}", series.server_cpu_us,
    )  # fmt: skip


def _said(series: Series) -> Iterator[str]:
    """What stands below the table."""
    yield f"{series.transport}, {series.connections} sockets, {series.keys}"
    yield from (f"{count:,} × {kind}" for kind, count in series.errors.items())
    yield from series.remarks


def _search_table(steps: Sequence[SearchStep]) -> str:
    rows = [
        (
            round(step.offered_per_s), round(step.achieved_per_s), _rounded(step.p99_ms),
            f"{step.loss:.3%}", "passed" if step.passed else "did not pass",
            "yes" if step.client_limited else "",
        )
        for step in steps
    ]  # fmt: skip
    head = ("offered/s", "right answers/s", "p99 ms", "lost", "verdict", "client-limited")
    return _table(head, rows)


def _path_beside(path: str, rows: Sequence[CompareRow]) -> Iterator[str]:
    """One path: what an answer costs each server as bars, and all figures below them."""
    if any(row.median_cpu_us is not None for row in rows):
        yield compare_figure(path, rows)
    else:
        yield f"<h3>{escape(path)}</h3>"
    head = (
        "server", "version", "slices", "CPU µs/answer (median)", "answers/s", "peer ÷ Biaojie",
        "range", "aim", "client CPU", "",
    )  # fmt: skip
    yield _table(head, [_compare_row(row) for row in rows])


def _compare_row(row: CompareRow) -> tuple[Cell, ...]:
    if row.version is None:
        return (row.peer, "not installed", *[None] * 7, row.note)
    spread = None if row.ratio_low is None else f"{row.ratio_low:.2f} to {row.ratio_high:.2f}"
    client = None if row.client_share is None else f"{row.client_share:.0%}"
    limited = " client-limited" if row.client_limited else ""
    return (
        row.peer, row.version, row.slices, _rounded(row.median_cpu_us),
        None if row.answers_per_s is None else round(row.answers_per_s), _rounded(row.ratio),
        spread, row.aim, client, f"{row.note}{limited}".strip(),
    )  # fmt: skip


def _table_of(table: Table) -> str:
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    return f"<h2>{escape(table.title)}</h2>{_table(table.columns, table.rows)}{note}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    if cell is None:
        return "<td>–</td>"
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    text = f"{cell:,}" if isinstance(cell, int) else number(cell)
    return f'<td class="number">{text}</td>'


def _rounded(value: float | None) -> float | None:
    """Three digits behind the point, fewer where they say nothing."""
    return None if value is None else round(value, 3 if value < 100 else 1)


def _paragraphs(texts: Iterator[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def _list(texts: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="remarks">{items}</ul>' if items else ""
