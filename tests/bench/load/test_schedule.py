"""Open-loop schedules: due times are known beforehand, and a stalled server is charged for everybody who waited."""

import statistics
from itertools import islice, pairwise, takewhile
from random import Random

import pytest

from bench.load.latencies import Latencies
from bench.load.pace import NEVER_NS, Pace
from bench.load.plan import Run
from bench.load.schedule import constant_arrivals, poisson_arrivals

S = 1_000_000_000
MS = 1_000_000


def test_constant_arrivals_do_not_drift():
    times = list(islice(constant_arrivals(7 * S, 30_000, 0.0), 300_001))
    assert times[0] == 7 * S
    assert times[-1] == 17 * S
    gaps = {b - a for a, b in pairwise(times)}
    assert gaps <= {33_333, 33_334}


def test_several_processes_take_turns():
    all_times = sorted(
        due for place in range(4) for due in islice(constant_arrivals(0, 250, place / 4), 250)
    )
    assert all_times == list(islice(constant_arrivals(0, 1000, 0.0), 1000))


def test_poisson_arrivals_have_exponential_gaps():
    times = list(islice(poisson_arrivals(0, 1000, Random(4)), 20_000))
    gaps = [b - a for a, b in pairwise(times)]
    assert statistics.mean(gaps) == pytest.approx(MS, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(MS, rel=0.05)  # as large as the mean
    assert sum(gap > 3 * MS for gap in gaps) / len(gaps) == pytest.approx(0.0498, abs=0.006)


def answered_at(due_ns: int) -> int:
    """A server that takes 1 ms, and stands still from the fifth second to the sixth."""
    begun = 6 * S if 5 * S <= due_ns < 6 * S else due_ns
    return begun + MS


def test_a_server_that_stalls_for_a_second_shows_a_second_at_the_percentiles_it_deserves():
    """1,000/s for ten seconds: a tenth of all questions was due in the stall, and waited 0.5 s on average."""
    due = takewhile(lambda at: at < 10 * S, constant_arrivals(0, 1000, 0.0))
    latencies = Latencies()
    latencies.record_all([answered_at(at) - at for at in due])
    assert latencies.count == 10_000
    assert latencies.percentile_ms(89) == pytest.approx(1.0, rel=0.01)
    assert latencies.percentile_ms(95) == pytest.approx(501, rel=0.01)
    assert latencies.percentile_ms(99) == pytest.approx(901, rel=0.01)
    assert latencies.percentile_ms(100) == pytest.approx(1001, rel=0.01)


def test_the_same_stall_in_a_closed_loop_hides_behind_one_question():
    """Why the open loop exists: the asker that waits for its answer asks nobody during the stall."""
    latencies, at = [], 0
    while at < 10 * S:
        done = answered_at(at)
        latencies.append(done - at)
        at = done
    found = Latencies()
    found.record_all(latencies)
    assert found.percentile_ms(99.9) == pytest.approx(1.0, rel=0.01)
    assert found.percentile_ms(100) == pytest.approx(1001, rel=0.01)


def pace(rate: float | None) -> Pace:
    run = Run(10 * S, 1.0, 2.0, 0.5, rate)
    return Pace(run, 0.5, Random(1))


def test_a_pace_ends_where_the_run_ends():
    one = pace(10.0)
    due = []
    while one.due_ns != NEVER_NS:
        due.append(one.due_ns)
        one.advance()
    assert len(due) == 30
    assert due[0] == 10 * S
    assert due[-1] < one.end_ns == 13 * S
    assert sum(at >= one.measure_ns for at in due) == 20


def test_a_pace_that_is_cut_has_nothing_more_to_send_and_waits_only_for_what_is_on_the_way():
    one = pace(10.0)
    one.cut(11 * S, S // 2)
    assert one.due_ns == NEVER_NS
    assert (one.end_ns, one.give_up_ns) == (11 * S, 11 * S + S // 2)


def test_a_closed_loop_has_no_due_times():
    one = pace(None)
    assert not one.is_open
    assert one.due_ns == NEVER_NS
