"""Deadlines and idle times, told the time."""

from hypothesis import given
from hypothesis import strategies as st

from node.http.patience import PROGRESS_BYTES_PER_S, Patience, idle_limit_s


def test_a_deadline_stands_from_its_start():
    patience = Patience(10.0)
    assert not patience.is_over(1e12)
    patience.start(100.0)
    assert not patience.is_over(109.9)
    assert patience.is_over(110.0)
    patience.stop()
    assert not patience.is_over(1e12)


def test_a_sender_at_the_least_rate_lives_and_one_below_it_does_not():
    for rate, lives in ((PROGRESS_BYTES_PER_S, True), (PROGRESS_BYTES_PER_S * 0.8, False)):
        patience = Patience(10.0)
        patience.start(0.0)
        over = False
        for second in range(1, 121):
            patience.credit(float(second), int(rate))
            over = over or patience.is_over(float(second))
        assert over is not lives


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10**9))))
def test_no_progress_buys_more_than_the_allowance_ahead(steps):
    patience = Patience(10.0)
    patience.start(0.0)
    now_s = 0.0
    for pause_s, progress in steps:
        now_s += pause_s
        patience.credit(now_s, progress)
        assert patience.deadline_s <= now_s + 10.0


def test_a_connection_may_rest_shorter_the_fewer_slots_are_free():
    assert idle_limit_s(600, 0, 1024) == 600
    assert idle_limit_s(600, 511, 1024) == 600
    assert idle_limit_s(600, 512, 1024) == 60
    assert idle_limit_s(600, 700, 1024) == 6
    assert idle_limit_s(600, 1000, 1024) == 0.6
    assert idle_limit_s(600, 1024, 1024) == 0.6  # not 0: busy connections rest for moments, too


@given(st.integers(0, 1023))
def test_resting_time_never_grows_with_the_slots_in_use(in_use):
    assert idle_limit_s(600, in_use, 1024) >= idle_limit_s(600, in_use + 1, 1024)
