"""Latencies: three digits, exact sums across processes, and a curve that is the histogram's."""

from random import Random

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bench.load.latencies import DIGITS, LEAST_NS, MOST_NS, SHOWN, Latencies


def some(seed: int, count: int) -> list[int]:
    random = Random(seed)
    return [int(random.lognormvariate(12, 1.5)) for _ in range(count)]


def of(values: list[int]) -> Latencies:
    made = Latencies()
    made.record_all(values)
    return made


@given(st.lists(st.integers(1_000, 60_000_000_000), min_size=1, max_size=300))
def test_percentiles_are_right_to_three_digits_or_a_tenth_of_a_microsecond(values):
    found, ordered = of(values), sorted(values)
    for percentile in (50, 90, 99, 100):
        rank = max(1, int(percentile * len(ordered) / 100 + 0.5))  # as HdrHistogram counts
        exact_ms = ordered[rank - 1] / 1e6
        assert found.percentile_ms(percentile) == pytest.approx(exact_ms, rel=0.002, abs=0.0001)


def test_what_two_processes_measured_adds_up_exactly():
    left, right = some(1, 5000), some(2, 3000)
    sum_, whole = of(left), of(left + right)
    sum_.add_encoded(of(right).encode())
    assert sum_.count == 8000
    assert sum_.encode() == whole.encode()
    other = of(left)
    other.add(of(right))
    assert other.encode() == whole.encode()


def test_the_text_form_is_read_back():
    found = of(some(3, 1000))
    assert Latencies.decode(found.encode()).summary_ms() == found.summary_ms()


def test_the_curve_is_the_histogram():
    found = of(some(4, 20_000))
    curve = found.curve()
    assert [point.percentile for point in curve] == sorted(point.percentile for point in curve)
    for point in curve:
        assert point.latency_ms == found.percentile_ms(point.percentile)
    assert curve[0].percentile == 0
    assert (curve[-1].percentile, curve[-1].count) == (100.0, 20_000)
    assert curve[-1].latency_ms == pytest.approx(found.summary_ms()["max"])


def test_the_curve_passes_through_the_summary_and_says_nothing_about_parts_of_one_answer():
    curve = {point.percentile: point for point in of(some(5, 1500)).curve()}
    assert {each for each in SHOWN if each in curve} == {50.0, 90.0, 99.0, 99.9}
    assert curve[99.0].count == 1485


def test_nothing_measured_has_no_summary_and_no_curve():
    empty = Latencies()
    assert empty.summary_ms() == {}
    assert empty.curve() == []


def test_one_answer_is_all_percentiles():
    one = of([1_000_000])
    assert one.curve()[-1].latency_ms == pytest.approx(1.0, rel=0.001)
    assert set(one.summary_ms()) == {"mean", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"}


def test_what_takes_longer_than_an_hour_is_counted_at_an_hour():
    assert of([7_200 * 10**9]).percentile_ms(100) == pytest.approx(3_600_000, rel=0.001)


@given(st.lists(st.integers(0, 3_600_000_000_000), min_size=1, max_size=200))
def test_counting_by_slots_is_recording_one_by_one(values):
    one_by_one = HdrHistogram(LEAST_NS, MOST_NS, DIGITS)
    for value in values:
        one_by_one.record_value(value)
    found = of(values)
    for percentile in (0, 10, 50, 90, 99, 100):
        exact_ms = one_by_one.get_value_at_percentile(percentile) / 1e6
        assert found.percentile_ms(percentile) == exact_ms
