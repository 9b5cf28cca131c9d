"""Which plots a result has: latency by percentile, throughput and p99 over time, peers, and what else it brought."""

from collections.abc import Iterator, Sequence

from bench.report.axes import linear_axis, log_axis, percentile_axis
from bench.report.plots import Bar, Drawn, Mark, bar_plot, line_plot, milliseconds
from bench.report.result import CompareRow, Plot, Point, Series

MARKED = (50.0, 90.0, 99.0, 99.9, 99.99)
"""Percentiles with a dot on the curve."""


def series_figures(all_series: Sequence[Series]) -> Iterator[str]:
    """Of all series together, so that they can be compared."""
    answered = [series for series in all_series if series.curve]
    if answered:
        yield latency_figure(answered)
    timed = [series for series in all_series if len(series.timeline) > 1]
    if timed:
        yield _throughput(timed)
        yield from _p99_over_time(timed)
        if any(moment.errors for series in timed for moment in series.timeline):
            yield _errors(timed)


def latency_figure(all_series: Sequence[Series]) -> str:
    """Latency over percentile, both in equal factors; every point is one of the histogram's."""
    values = [point.latency_ms for series in all_series for point in series.curve]
    x = percentile_axis(
        "% of the answers took at most", max(series.answers for series in all_series)
    )
    y = log_axis("ms", values)
    lines = [
        Drawn(
            series.name,
            [(point.percentile, point.latency_ms) for point in series.curve],
            list(_marks(series)),
        )
        for series in all_series
    ]
    return line_plot("Latency by percentile", x, y, lines)


def _marks(series: Series) -> Iterator[Mark]:
    for percentile in MARKED:
        latency_ms = series.latency_ms.get(f"p{percentile:g}")
        if latency_ms is not None and percentile <= _last_before_all(series.curve):
            text = f"{percentile:g} % within {milliseconds(latency_ms)}"
            yield Mark(percentile, latency_ms, text)


def _last_before_all(curve: Sequence[Point]) -> float:
    return max((point.percentile for point in curve if point.percentile < 100), default=0.0)


def _throughput(all_series: Sequence[Series]) -> str:
    rates = {
        series.name: [
            (moment.at_s + moment.seconds / 2, moment.answers / moment.seconds)
            for moment in series.timeline
        ]
        for series in all_series
    }
    offered = [series.offered_per_s for series in all_series if series.offered_per_s]
    end_s = max(series.seconds for series in all_series)
    y = linear_axis(
        "right answers/s", [rate for line in rates.values() for _, rate in line] + offered
    )
    references = [
        Drawn(f"offered: {rate:,.0f}/s", [(0.0, rate), (end_s, rate)], is_reference=True)
        for rate in sorted(set(offered))
    ]
    lines = [Drawn(name, points) for name, points in rates.items()]
    title = "Throughput over time" + (" (grey: offered)" if offered else "")
    return line_plot(title, linear_axis("s", [end_s]), y, [*references, *lines])


def _p99_over_time(all_series: Sequence[Series]) -> Iterator[str]:
    lines = []
    for series in all_series:
        points = [
            (moment.at_s + moment.seconds / 2, moment.p99_ms)
            for moment in series.timeline
            if moment.p99_ms is not None
        ]
        if len(points) > 1:
            lines.append(Drawn(series.name, points))
    if lines:
        end_s = max(series.seconds for series in all_series)
        values = [latency for line in lines for _, latency in line.points]
        yield line_plot("p99 over time", linear_axis("s", [end_s]), log_axis("ms", values), lines)


def _errors(all_series: Sequence[Series]) -> str:
    lines = [
        Drawn(
            series.name,
            [
                (moment.at_s + moment.seconds / 2, moment.errors / moment.seconds)
                for moment in series.timeline
            ],
        )
        for series in all_series
        if series.errors
    ]
    end_s = max(series.seconds for series in all_series)
    y = linear_axis("errors/s", [rate for line in lines for _, rate in line.points])
    return line_plot("Errors over time", linear_axis("s", [end_s]), y, lines)


def compare_figure(path: str, rows: Sequence[CompareRow]) -> str:
    """What an answer on one path costs each server that was measured."""
    bars = [
        Bar(row.peer, row.median_cpu_us, f"{row.median_cpu_us:.2f} µs", _is_measure(row))
        for row in rows
        if row.median_cpu_us is not None
    ]
    return bar_plot(f"{path}: server CPU per answer, less is better", bars)


def _is_measure(row: CompareRow) -> bool:
    """Whether the others are compared with it: in every slice it is once as good as itself."""
    return row.ratio == row.ratio_low == row.ratio_high == 1.0


def plot_figure(plot: Plot) -> str:
    """A plot that the document brought itself."""
    xs = [point[0] for line in plot.lines for point in line.points]
    ys = [point[1] for line in plot.lines for point in line.points]
    x = log_axis(plot.x_label, xs) if plot.x_is_log else linear_axis(plot.x_label, xs)
    y = log_axis(plot.y_label, ys) if plot.y_is_log else linear_axis(plot.y_label, ys)
    lines = [
        Drawn(
            line.name,
            [(point[0], point[1]) for point in line.points],
            [Mark(point[0], point[1], f"{point[0]:g}: {point[1]:g}") for point in line.points],
        )
        for line in plot.lines
    ]
    return line_plot(plot.title, x, y, lines)
