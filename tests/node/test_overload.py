"""The loop's lateness decides what is refused, the least important first, and no longer than it lasts."""

import pytest

from node.overload import SHED_ABOVE_S, WINDOW, Overload, Work

ORDER = [Work.BULK, Work.WRITE, Work.FORWARD, Work.READ]


def late(lag_s: float, times: int = WINDOW, turn_s: float = 60.0) -> Overload:
    overload = Overload()
    for _ in range(times):
        overload.saw(lag_s, turn_s)
    return overload


def refused(overload: Overload) -> list[Work]:
    return [work for work in ORDER if overload.refuses(work)]


def test_a_worker_that_has_just_begun_refuses_nothing():
    assert refused(Overload()) == []


@pytest.mark.parametrize(
    ("lag_s", "count"), [(0.0, 0), (0.05, 0), (0.06, 1), (0.09, 2), (0.11, 3), (0.24, 3), (0.3, 4)]
)
def test_the_later_the_loop_the_more_is_refused_bulk_first(lag_s: float, count: int):
    assert refused(late(lag_s)) == ORDER[:count]


def test_questions_for_other_nodes_are_refused_above_a_tenth_of_a_second():
    assert SHED_ABOVE_S[Work.FORWARD] == 0.1


def test_one_late_turn_is_no_overload_however_late():
    overload = late(0.0)
    overload.saw(30.0, 30.0)
    assert refused(overload) == []


def test_it_takes_a_whole_window():
    assert refused(late(1.0, WINDOW - 1)) == []
    assert refused(late(1.0, WINDOW)) == ORDER


def test_one_turn_in_time_ends_it():
    overload = late(1.0)
    overload.saw(0.001, 1.0)
    assert refused(overload) == []


def test_what_is_refused_is_counted_and_what_is_held_is_not():
    overload = late(0.09)
    assert overload.holds(Work.BULK)
    assert overload.refuses(Work.BULK)
    assert overload.refuses(Work.WRITE)
    assert not overload.refuses(Work.FORWARD)
    assert overload.refused == {Work.BULK: 1, Work.WRITE: 1, Work.FORWARD: 0, Work.READ: 0}


def test_nothing_is_refused_later_than_what_matters_less():
    assert list(SHED_ABOVE_S) == ORDER
    assert list(SHED_ABOVE_S.values()) == sorted(SHED_ABOVE_S.values())


def test_a_loop_that_comes_late_and_has_nothing_to_do_waited_for_the_machine():
    assert refused(late(1.0, turn_s=0.002)) == []


def test_it_is_late_by_no_more_than_a_turn_takes():
    assert refused(late(1.0, turn_s=0.09)) == [Work.BULK, Work.WRITE]


def test_one_short_turn_ends_it():
    overload = late(1.0)
    overload.saw(1.0, 0.001)
    assert refused(overload) == []
