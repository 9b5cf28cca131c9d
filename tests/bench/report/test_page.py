"""The page: complete in itself, safe against what it shows, and its curve is the histogram."""

import re
import shlex
from html.parser import HTMLParser

import pytest

from bench.load.latencies import Latencies
from bench.report.axes import log_axis, percentile_axis
from bench.report.figures import latency_figure
from bench.report.page import render_page
from bench.report.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from bench.report.result import CompareRow
from tests.bench.report.results import full_result, result, series


class Reader(HTMLParser):
    """Tags in their order, text by tag; every tag that is opened has to be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def test_the_page_needs_nothing_but_itself():
    page = render_page([full_result()])
    reader = Reader(page)
    assert reader.open == []
    assert {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in reader.tags} == set()
    for tag, attributes in reader.tags:
        assert {"src", "href", "xlink:href", "action", "background"} & set(attributes) == set(), tag
    assert re.findall(r"url\(|@import|https?://|//[a-z]", page) == []
    assert page.isascii() or '<meta charset="utf-8">' in page.split("<title>")[0]


def test_the_page_forbids_itself_to_fetch_anything():
    policy = next(
        attributes["content"]
        for tag, attributes in Reader(render_page([full_result()])).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


def test_what_was_measured_cannot_change_the_page():
    nasty = '</style><script>alert("x")</script>\'"&'
    told = result(
        series(nasty, keys=nasty, remarks=[nasty], errors={nasty: 1}), series("b"),
        target=nasty, remarks=[nasty], arguments=["biaojie", nasty],
    )  # fmt: skip
    page = render_page([told], nasty)
    assert "<script" not in page
    reader = Reader(page)
    assert reader.open == []
    assert nasty in "".join(reader.texts["title"])


def test_everything_of_a_document_is_shown():
    reader = Reader(render_page([full_result()]))
    text = " ".join(piece for pieces in reader.texts.values() for piece in pieces)
    for shown in (
        "UDP", "10,000", "client-limited", "NSD", "not installed", "Knot", "Growth", "Cost",
        "a remark", "3 × timeout", "passed", "2026-11-22T08:00:00Z", "--seed 7",
    ):  # fmt: skip
        assert shown in text, shown
    for fact in (full_result().machine.cpu_model, full_result().machine.kernel):
        assert fact in text


def test_the_command_can_be_pasted():
    reader = Reader(render_page([full_result()]))
    assert shlex.split(reader.texts["pre"][0]) == full_result().arguments


def points(figure: str) -> list[list[tuple[float, float]]]:
    """Every line's points, as drawn."""
    return [
        [tuple(map(float, pair.split(","))) for pair in line.split()]
        for line in re.findall(r'<polyline class="line[^"]*" points="([^"]+)"', figure)
    ]


def test_the_latency_plot_is_the_histogram_point_by_point():
    one = series("one", 3, 30_000)
    histogram = Latencies.decode(one.histogram)
    x = percentile_axis("", one.answers)
    y = log_axis("", [point.latency_ms for point in one.curve])
    (drawn,) = points(latency_figure([one]))
    assert len(drawn) == len(one.curve) > 40
    for (at_x, at_y), point in zip(drawn, one.curve, strict=True):
        latency_ms = histogram.percentile_ms(point.percentile)
        assert at_x == pytest.approx(
            LEFT + x.place(point.percentile) * (WIDTH - LEFT - RIGHT), abs=0.02
        )
        assert at_y == pytest.approx(
            TOP + (1 - y.place(latency_ms)) * (HEIGHT - TOP - BOTTOM), abs=0.02
        )


def test_dots_say_the_histograms_percentiles():
    one = series("one", 3, 30_000)
    histogram = Latencies.decode(one.histogram)
    said = re.findall(r"<title>one: ([\d.]+) % within ([\d.]+) ms</title>", latency_figure([one]))
    assert [percentile for percentile, _ in said] == ["50", "90", "99", "99.9", "99.99"]
    for percentile, milliseconds in said:
        exact = histogram.percentile_ms(float(percentile))
        assert float(milliseconds) == pytest.approx(exact, abs=0.0006)


def test_series_of_several_documents_share_their_plots():
    page = render_page([result(series("first")), result(series("second", 2))])
    assert page.count("<figcaption>Latency by percentile</figcaption>") == 1
    reader = Reader(page)
    assert "first" in "".join(reader.texts["li"])
    assert "second" in "".join(reader.texts["li"])


def test_a_document_without_answers_still_makes_a_page():
    silent = series(
        "silent", latency_ms={}, curve=[], histogram="", answers=0, achieved_per_s=0.0, timeline=[]
    )
    assert Reader(render_page([result(silent)])).open == []


def test_every_path_of_a_comparison_has_its_own_bars_and_table():
    rows = [
        CompareRow("udp", "biaojie", "0.1.0", 9, 2.0, 50_000.0, 1.0, 1.0, 1.0),
        CompareRow("udp", "as cheap", "1", 9, 2.0, 50_000.0, 1.0, 0.98, 1.02),
        CompareRow("tcp", "Redis", None, note="not there"),
    ]
    page = render_page([result(compare=rows)])
    assert page.count("peer ÷ Biaojie") == 2
    assert page.index("udp: server CPU") < page.index("as cheap") < page.index("<h3>tcp</h3>")
    assert page.count('class="bar ours"') == 1
