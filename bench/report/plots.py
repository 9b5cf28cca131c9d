"""Plots as inline SVG: lines over two axes, and bars. Colours come from the page, so light and dark both work. Pure."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from bench.report.axes import Axis, number

WIDTH, HEIGHT = 760, 340
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 14, 46
_INNER_WIDTH, _INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
COLOURS = 8
"""Told apart by people who see few colours, too; further lines begin again, dashed."""
_BAR_HEIGHT, _BAR_STEP, _NAME_WIDTH = 18, 28, 230


class Mark(NamedTuple):
    """A dot that says its value when it is pointed at."""

    x: float
    y: float
    text: str


class Drawn(NamedTuple):
    """One line: its points in the axes' own numbers."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: Sequence[Mark] = ()
    is_reference: bool = False
    """Thin and grey: what was offered, what was aimed at. It has no colour of its own."""


class Bar(NamedTuple):
    """One bar; ``is_ours`` is drawn in the first colour, all others in grey."""

    name: str
    value: float
    text: str
    is_ours: bool = False


def line_plot(title: str, x: Axis, y: Axis, lines: Sequence[Drawn]) -> str:
    """A figure with a legend when there is more than one line."""
    inside = [_grid(x, y)]
    coloured = [line for line in lines if not line.is_reference]
    for line in lines:
        style = "reference" if line.is_reference else _style(coloured.index(line))
        inside.append(_line(line, x, y, style))
    legend = "" if len(coloured) < 2 else _legend([line.name for line in coloured])
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(inside)
        + "</svg>"
    )
    return f"<figure><figcaption>{escape(title)}</figcaption>{legend}{svg}</figure>"


def bar_plot(title: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from zero, in the given order, each with its value behind it."""
    most = max((bar.value for bar in bars), default=0.0) or 1.0
    room = WIDTH - _NAME_WIDTH - 90
    height = _BAR_STEP * len(bars) + 8
    drawn = []
    for place, bar in enumerate(bars):
        top = place * _BAR_STEP + 6
        width = max(1.0, bar.value / most * room)
        style = "bar ours" if bar.is_ours else "bar"
        middle = top + _BAR_HEIGHT - 5
        drawn.append(
            f'<text class="name" x="{_NAME_WIDTH - 8}" y="{middle}">{escape(bar.name)}</text>'
            f'<rect class="{style}" x="{_NAME_WIDTH}" y="{top}" width="{width:.1f}" height="{_BAR_HEIGHT}" rx="2"/>'
            f'<text class="value" x="{_NAME_WIDTH + width + 6:.1f}" y="{middle}">{escape(bar.text)}</text>'
        )
    svg = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}{''.join(drawn)}</svg></figure>"


def _grid(x: Axis, y: Axis) -> str:
    bottom = TOP + _INNER_HEIGHT
    parts = []
    for tick in y.ticks:
        at = _y(tick.place)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>'
            f'<text class="tick left" x="{LEFT - 8}" y="{at + 4:.1f}">{escape(tick.text)}</text>'
        )
    for tick in x.ticks:
        at = _x(tick.place)
        parts.append(
            f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{bottom}"/>'
            f'<text class="tick" x="{at}" y="{bottom + 18}">{escape(tick.text)}</text>'
        )
    middle = TOP + _INNER_HEIGHT / 2
    parts.append(
        f'<text class="label" x="{LEFT + _INNER_WIDTH / 2}" y="{HEIGHT - 8}">{escape(x.label)}</text>'
        f'<text class="label" transform="rotate(-90)" x="{-middle}" y="14">{escape(y.label)}</text>'
    )
    return "".join(parts)


def _line(line: Drawn, x: Axis, y: Axis, style: str) -> str:
    points = " ".join(f"{_x(x.place(a))},{_y(y.place(b))}" for a, b in line.points)
    marks = "".join(
        f'<circle class="{style}" cx="{_x(x.place(mark.x))}" cy="{_y(y.place(mark.y))}" r="3.5">'
        f"<title>{escape(f'{line.name}: {mark.text}')}</title></circle>"
        for mark in line.marks
    )
    name = f"<title>{escape(line.name)}</title>"
    return f'<polyline class="{style}" points="{points}">{name}</polyline>{marks}'


def _legend(names: Sequence[str]) -> str:
    items = "".join(
        '<li><svg viewBox="0 0 24 8" aria-hidden="true">'
        f'<line class="{_style(place)}" x1="0" x2="24" y1="4" y2="4"/></svg>{escape(name)}</li>'
        for place, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


def _style(place: int) -> str:
    dashed = " dashed" if place >= COLOURS else ""
    return f"line s{place % COLOURS + 1}{dashed}"


def _x(place: float) -> float:
    return round(LEFT + min(max(place, 0.0), 1.0) * _INNER_WIDTH, 2)


def _y(place: float) -> float:
    return round(TOP + (1 - min(max(place, 0.0), 1.0)) * _INNER_HEIGHT, 2)


def milliseconds(value: float) -> str:
    """``0.227 ms``, ``1,200 ms``."""
    return f"{value:.3f} ms" if value < 100 else f"{number(round(value))} ms"
