"""Axes: round numbers, whose places are what the axis says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.axes import linear_axis, log_axis, number, percentile_axis

positive = st.floats(1e-3, 1e6)


@given(st.lists(positive, min_size=1, max_size=20))
def test_a_linear_axis_begins_at_zero_and_holds_every_value(values):
    axis = linear_axis("x", values)
    assert axis.place(0) == 0
    assert all(0 <= axis.place(value) <= 1 + 1e-9 for value in values)
    assert 2 <= len(axis.ticks) <= 12
    assert (axis.ticks[0].place, axis.ticks[-1].place) == (0, pytest.approx(1))


@given(st.lists(positive, min_size=1, max_size=20))
def test_a_log_axis_holds_every_value_in_equal_factors(values):
    axis = log_axis("x", values)
    assert all(-1e-9 <= axis.place(value) <= 1 + 1e-9 for value in values)
    low = min(values)
    step = axis.place(low * 10) - axis.place(low)
    assert axis.place(low * 100) - axis.place(low * 10) == pytest.approx(step)
    assert axis.ticks


def test_each_nine_of_a_percentile_axis_is_as_long_as_the_one_before():
    axis = percentile_axis("%", 1_000_000)
    assert [tick.text for tick in axis.ticks] == [
        "0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999",
    ]  # fmt: skip
    places = [axis.place(100 * (1 - 10**-nines)) for nines in range(7)]
    assert places == pytest.approx([nines / 6 for nines in range(7)])
    assert axis.place(100.0) == 1


def test_no_values_make_an_axis_all_the_same():
    assert linear_axis("x", []).ticks
    assert log_axis("x", []).ticks
    assert linear_axis("x", [0.0, 0.0]).place(0) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.05, "0.05"), (12, "12"), (20_000, "20,000"), (1_500_000, "1.5 M")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text
