import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.message import Outcome
from protocols.values.site import TCP, UDP
from resolver.asking import Target, Trouble
from resolver.limits import Limits
from resolver.round import ESCALATES, REPEATABLE, Round
from resolver.upstreams import Upstreams

A, B, C, D = (Target(TCP, f"192.0.2.{number}", 2641) for number in range(1, 5))
U = Target(UDP, "192.0.2.1", 2641)


def a_round(*targets, upstreams=None, limits=Limits()):  # noqa: B008  # immutable
    """Asked in the given order, whatever is spoken there."""
    return Round(targets, upstreams or Upstreams(limits, prefer=()), limits)


def ask(one, number, now_s=0.0):
    pick = one.pick(now_s)
    assert pick is not None
    one.sent(number, pick, now_s)
    return pick


def fail(one, number, trouble, now_s=0.0):
    one.failed(one.take(number), trouble, now_s)


def in_flight(upstreams):
    return {state.name: state.in_flight for state in upstreams.states() if state.in_flight}


# ---- whom


def test_servers_are_asked_one_after_another_each_once():
    one = a_round(A, B, C)
    assert [ask(one, number).target for number in (1, 2, 3)] == [A, B, C]
    assert one.pick(0.0) is None


def test_the_patience_of_each_try_is_twice_that_of_the_last():
    one = a_round(A, B, C)
    untils = []
    for number, now_s in enumerate((0.0, 0.4, 1.2), 1):
        ask(one, number, now_s)
        untils.append(one.patience_until_s)
    assert untils == pytest.approx([0.4, 1.2, 2.8])


def test_no_more_than_three_tries_are_made():
    one = a_round(A, B, C, D)
    for number in (1, 2, 3):
        ask(one, number)
        fail(one, number, Trouble.REFUSED)
    assert one.pick(0.0) is None


def test_a_lonely_server_is_asked_again_while_its_retry_budget_lasts():
    one = a_round(A)
    assert [ask(one, number).is_retry for number in (1, 2, 3)] == [False, True, True]


def test_without_retry_budget_a_server_is_not_asked_twice():
    upstreams = Upstreams()
    for number in range(20):
        upstreams.sent(A, number, is_retry=True)
        upstreams.answered(A, 0.01, number)
    one = a_round(A, upstreams=upstreams)
    ask(one, 1, 20.0)
    assert one.pick(20.5) is None


@pytest.mark.parametrize(
    "trouble", sorted(set(Trouble) - REPEATABLE - ESCALATES, key=lambda t: t.value)
)
def test_after_what_it_would_say_again_a_server_is_not_asked_again(trouble):
    one = a_round(A, B)
    ask(one, 1)
    fail(one, 1, trouble)
    assert ask(one, 2).target == B
    fail(one, 2, trouble)
    assert one.pick(0.0) is None


@pytest.mark.parametrize("trouble", sorted(REPEATABLE, key=lambda t: t.value))
def test_after_bad_luck_a_server_is_asked_again_behind_the_others(trouble):
    one = a_round(A, B)
    ask(one, 1)
    fail(one, 1, trouble)
    assert one.patience_until_s == 0
    assert ask(one, 2).target == B
    fail(one, 2, Trouble.REFUSED)
    pick = ask(one, 3)
    assert pick.target == A
    assert pick.is_retry


def test_a_late_failure_does_not_end_the_patience_with_the_newest():
    one = a_round(A, B)
    ask(one, 1)
    ask(one, 2, 0.4)
    fail(one, 1, Trouble.CLOSED, 0.5)
    assert one.patience_until_s == pytest.approx(1.2)


# ---- over tcp instead


@pytest.mark.parametrize("trouble", sorted(ESCALATES, key=lambda t: t.value))
def test_where_udp_does_not_do_the_same_server_is_asked_over_tcp_at_once(trouble):
    one = a_round(U, B)
    ask(one, 1)
    fail(one, 1, trouble)
    assert one.patience_until_s == 0
    pick = one.pick(0.0)
    assert pick is not None
    assert pick.target == A
    assert not pick.is_retry


def test_a_late_escalation_does_not_wait_for_the_server_that_is_being_asked():
    one = a_round(U, B)
    ask(one, 1)
    ask(one, 2, 0.4)
    fail(one, 1, Trouble.TOO_LARGE, 0.5)
    assert one.patience_until_s <= 0.5
    assert ask(one, 3, 0.5).target == A


def test_an_escalation_is_made_although_all_tries_are_used_up():
    one = a_round(B, C, U)
    for number in (1, 2, 3):
        ask(one, number)
        fail(one, number, Trouble.REFUSED if number < 3 else Trouble.TOO_LARGE)
    assert ask(one, 4).target == A


@pytest.mark.parametrize("trouble", sorted(ESCALATES, key=lambda t: t.value))
def test_there_is_nothing_beyond_tcp(trouble):
    one = a_round(A)
    ask(one, 1)
    fail(one, 1, trouble)
    assert one.pick(0.0) is None


def test_tcp_that_was_tried_in_vain_is_not_escalated_to():
    one = a_round(A, U)
    ask(one, 1)
    fail(one, 1, Trouble.REFUSED)
    assert ask(one, 2).target == U
    fail(one, 2, Trouble.TOO_LARGE)
    assert one.pick(0.0) is None


def test_an_escalation_keeps_to_the_bound_of_questions_in_flight():
    limits = Limits(in_flight=2)
    upstreams = Upstreams(limits, prefer=())
    for _ in range(2):
        upstreams.sent(A, 0.0)
    one = a_round(U, upstreams=upstreams, limits=limits)
    ask(one, 1)
    fail(one, 1, Trouble.TOO_LARGE)
    assert one.pick(0.0) is None
    assert one.failure is Outcome.BUSY


def test_an_escalation_leaves_a_failing_server_alone():
    upstreams = Upstreams(prefer=())
    for _ in range(20):
        upstreams.sent(A, 0.0)
        upstreams.failed(A, Trouble.REFUSED, 0.0)
    one = a_round(U, B, upstreams=upstreams)
    ask(one, 1)
    fail(one, 1, Trouble.NEAR_MISS)
    assert ask(one, 2).target == B


# ---- what is told when nobody answers


def test_a_crowded_server_is_not_asked_and_busy_is_told():
    limits = Limits(in_flight=1)
    upstreams = Upstreams(limits)
    upstreams.sent(A, 0.0)
    one = a_round(A, upstreams=upstreams, limits=limits)
    assert one.pick(0.0) is None
    assert one.failure is Outcome.BUSY
    assert "under way" in one.last_word()


def test_the_gravest_failure_is_told_with_the_server_it_came_from():
    one = a_round(A, B, C)
    for number, trouble in enumerate((Trouble.REFUSED, Trouble.UNTRUSTED, Trouble.REFUSED), 1):
        ask(one, number)
        fail(one, number, trouble)
    assert one.failure is Outcome.UNTRUSTED
    assert one.last_word() == "tcp://192.0.2.2:2641: untrusted"


def test_of_silent_servers_all_names_are_told():
    one = a_round(B, A)
    ask(one, 1)
    ask(one, 2, 0.4)
    assert one.failure is Outcome.UNREACHABLE
    assert one.last_word() == "tcp://192.0.2.1:2641 and tcp://192.0.2.2:2641: no answer in time"


def test_servers_left_alone_are_told_as_such():
    upstreams = Upstreams()
    for _ in range(20):
        upstreams.sent(A, 0.0)
        upstreams.failed(A, Trouble.TIMEOUT, 0.0)
    one = a_round(A, upstreams=upstreams)
    assert one.pick(0.1) is None
    assert one.failure is Outcome.UNREACHABLE
    assert "left alone" in one.last_word()


# ---- the end


def test_at_the_end_who_had_his_patience_failed_and_who_had_not_did_nothing():
    upstreams = Upstreams()
    one = a_round(A, B, upstreams=upstreams)
    ask(one, 1)
    ask(one, 2, 0.4)
    closed = one.close(0.5)
    assert [(try_.number, is_overdue) for try_, is_overdue in closed] == [(1, True), (2, False)]
    assert {state.name: state.failures for state in upstreams.states()} == {A.name: 1, B.name: 0}
    assert in_flight(upstreams) == {}
    assert one.close(9.0) == []


def test_a_try_is_taken_once():
    one = a_round(A)
    ask(one, 1)
    assert one.take(1) is not None
    assert one.take(1) is None
    assert one.take(2) is None


events = st.lists(
    st.tuples(
        st.sampled_from(["pick", "pick", "answer", *Trouble]), st.integers(0, 5), st.floats(0, 0.9)
    ),
    max_size=30,
)


@given(events, st.lists(st.sampled_from([A, B, C, U]), max_size=4, unique=True))
@settings(max_examples=200)
def test_whatever_happens_every_try_is_ended_once_and_their_number_is_bounded(happened, targets):
    limits = Limits()
    upstreams = Upstreams(limits)
    one = a_round(*targets, upstreams=upstreams, limits=limits)
    now_s, last, open_ = 0.0, 0, []
    for what, which, wait_s in happened:
        now_s += wait_s
        if what == "pick":
            pick = one.pick(now_s)
            if pick is not None:
                last += 1
                one.sent(last, pick, now_s)
                open_.append(last)
        elif open_:
            try_ = one.take(open_.pop(which % len(open_)))
            if what == "answer":
                one.answered(try_, now_s)
            else:
                one.failed(try_, what, now_s)
        assert sum(in_flight(upstreams).values()) == len(open_)
        assert one.is_open == bool(open_)
    assert last <= 2 * limits.tries
    assert {try_.number for try_, _ in one.close(now_s)} == set(open_)
    assert in_flight(upstreams) == {}
