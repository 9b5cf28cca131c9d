"""What a harvest means: sums, timelines without holes, and an honest word when the client was the limit."""

from dataclasses import replace

import pytest

from bench.load.fleet import Harvest, Member, Tally
from bench.load.latencies import Latencies
from bench.load.plan import Interval, Run, Setup, Target, Writes
from bench.load.series import Named, client_limits, series_of, step_of, together

MS = 1_000_000
NAMED = Named("one", "uniform over 88.118/{1..9}")


def latencies(*values_ms: float) -> Latencies:
    made = Latencies()
    made.record_all([int(value * MS) for value in values_ms])
    return made


def interval(number: int, answers: int, errors=None, latency_ms: float = 1.0) -> Interval:
    text = latencies(*[latency_ms] * answers).encode() if answers else ""
    return Interval(number, answers, answers, 0, errors or {}, text, "")


def harvest(intervals, cpu=0.5, lag_ms=(0.1,), rate: float | None = 100.0, seconds=1.0) -> Harvest:
    total, moments = Tally(), {}
    for each in intervals:
        total.add(each)
        moments.setdefault(each.number, Tally()).add(each)
    member = Member(0, total.sent, cpu, latencies(*lag_ms) if lag_ms else Latencies())
    return Harvest(Run(0, 0.0, seconds, 0.25, rate), total, moments, [member], 0, 0)


def setups(writes: Writes | None = None) -> list[Setup]:
    target = Target("udp", "127.0.0.1", 2641, "127.0.0.1:2641")
    return [Setup(target, 0, 16, 1, 2.0, 1, 0, writes=writes)]


def test_a_series_adds_up():
    found = series_of(harvest([interval(0, 30), interval(1, 20, {"timeout": 5})]), setups(), NAMED)
    assert (found.answers, found.sent, found.errors) == (50, 50, {"timeout": 5})
    assert found.achieved_per_s == 50.0
    assert found.offered_per_s == 100.0
    assert found.loop == "open"
    assert found.connections == 16
    assert Latencies.decode(found.histogram).count == 50


def test_an_interval_without_an_answer_is_in_the_timeline_as_such():
    found = series_of(harvest([interval(0, 30), interval(3, 10)]), setups(), NAMED)
    assert [moment.answers for moment in found.timeline] == [30, 0, 0, 10]
    assert [moment.at_s for moment in found.timeline] == [0.0, 0.25, 0.5, 0.75]
    assert found.timeline[1].p99_ms is None


def test_answers_after_the_end_count_but_make_no_interval():
    found = series_of(harvest([interval(0, 30), interval(4, 10)]), setups(), NAMED)
    assert found.answers == 40
    assert len(found.timeline) == 4


@pytest.mark.parametrize(
    ("cpu", "lag_ms", "latency_ms", "is_limited"),
    [
        (0.5, 0.1, 1.0, False),
        (0.91, 0.1, 1.0, True),
        (0.5, 0.9, 1.0, False),  # below what any scheduler does
        (0.5, 3.0, 4.0, True),  # most of the latency is the client's
        (0.5, 3.0, 40.0, False),  # the server is late, not the client
        (0.0, 0.0, 1.0, False),
    ],
)
def test_the_client_is_the_limit_when_it_has_no_time_left_or_is_late(
    cpu, lag_ms, latency_ms, is_limited
):
    found = harvest([interval(0, 100, latency_ms=latency_ms)], cpu, [lag_ms] * 100)
    limits = client_limits(found)
    assert limits.is_limited is is_limited
    assert bool(limits.remarks) is is_limited
    assert series_of(found, setups(), NAMED).client_limited is is_limited


def test_a_closed_loop_has_no_schedule_to_be_late_for():
    found = series_of(harvest([interval(0, 10)], lag_ms=(), rate=None), setups(), NAMED)
    assert found.offered_per_s is None
    assert found.clients[0].lag_p99_ms is None


@pytest.mark.parametrize(
    ("errors", "latency_ms", "passed"),
    [({}, 1.0, True), ({"timeout": 1}, 1.0, True), ({"timeout": 2}, 1.0, False), ({}, 11.0, False)],
)
def test_a_step_passes_when_little_is_lost_and_p99_is_short(errors, latency_ms, passed):
    step = step_of(harvest([interval(0, 999, errors, latency_ms)]), 0.001, 10.0)
    assert step.passed is passed


def test_a_step_without_answers_does_not_pass():
    step = step_of(harvest([interval(0, 0, {"timeout": 9})]), 1.0, 1e9)
    assert not step.passed
    assert (step.p99_ms, step.loss) == (None, 1.0)


def test_runs_of_a_kind_follow_each_other():
    first = harvest([interval(0, 10), interval(5, 1)], cpu=0.2)
    second = harvest([interval(1, 20, {"RC 3": 2})], cpu=0.4)
    found = series_of(together([first, second]), setups(), NAMED)
    assert found.seconds == 2.0
    assert found.answers == 31
    assert [moment.answers for moment in found.timeline] == [10, 0, 0, 0, 0, 20, 0, 0]
    assert found.errors == {"RC 3": 2}
    assert found.clients[0].cpu_share == pytest.approx(0.3)
    assert first.total.answers == 11  # its own numbers are untouched


def test_batches_are_offered_in_rows():
    writes = Writes("88.118", "BENCH", [], 1000, "")
    found = series_of(harvest([interval(0, 10)], rate=30.0), setups(writes), NAMED)
    assert found.offered_per_s == 30_000
    assert any("batch of 1,000" in remark for remark in found.remarks)


def test_what_errors_mean_is_said():
    found = series_of(harvest([interval(0, 1, {"RC 2": 3, "RC 100": 1})]), setups(), NAMED)
    assert any("--tcp" in remark for remark in found.remarks)
    assert any("--misses" in remark for remark in found.remarks)


def test_answers_that_come_after_the_schedule_are_not_taken_for_a_steady_rate():
    on_time = series_of(harvest([interval(0, 97), interval(4, 3)]), setups(), NAMED)
    late = series_of(harvest([interval(0, 60), interval(4, 40)]), setups(), NAMED)
    closed = series_of(harvest([interval(0, 60), interval(4, 40)], rate=None), setups(), NAMED)
    assert late.achieved_per_s == on_time.achieved_per_s == 100
    assert on_time.remarks == closed.remarks == []
    (remark,) = late.remarks
    assert "40% of the right answers came after the end of the schedule" in remark
    assert "within it 60 a second" in remark


def test_a_page_where_a_redirect_was_due_is_explained():
    redirecting = [
        replace(each, target=replace(each.target, transport="redirect")) for each in setups()
    ]
    found = series_of(harvest([interval(0, 1, {"HTTP 200": 3})]), redirecting, NAMED)
    assert any("without a URL value" in remark for remark in found.remarks)
