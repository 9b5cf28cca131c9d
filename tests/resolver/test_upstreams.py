import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from protocols.values.site import HTTP, HTTPS, TCP, UDP
from resolver.asking import Role, Target, Trouble
from resolver.limits import Limits
from resolver.upstreams import FAULTS, PREFERENCE, Upstreams

NEAR = Target(TCP, "192.0.2.1", 2641)
FAR = Target(TCP, "192.0.2.2", 2641)
NEW = Target(TCP, "192.0.2.3", 2641)
SIX = Target(TCP, "2001:db8::1", 2641)
NAMED = Target(TCP, "top.example", 2641, Role.UPSTREAM)
HARMLESS = frozenset(Trouble) - FAULTS


def answer(upstreams, target, seconds=0.01, now_s=0.0, times=1):
    for _ in range(times):
        upstreams.sent(target, now_s)
        upstreams.answered(target, seconds, now_s)


def fail(upstreams, target, times=1, now_s=0.0, trouble=Trouble.TIMEOUT):
    for _ in range(times):
        upstreams.sent(target, now_s)
        upstreams.failed(target, trouble, now_s)


def state_of(upstreams, target):
    (state,) = [state for state in upstreams.states() if state.name == target.name]
    return state


# ---- order


def test_servers_never_asked_keep_the_given_order():
    assert Upstreams().order([FAR, NEW, NEAR], 0) == [FAR, NEW, NEAR]


def test_a_near_server_comes_before_an_unknown_one_and_that_before_a_far_one():
    upstreams = Upstreams()
    answer(upstreams, FAR, 0.3)
    answer(upstreams, NEAR, 0.01)
    assert upstreams.order([FAR, NEW, NEAR], 0) == [NEAR, NEW, FAR]


def test_tcp_comes_before_udp_before_https_before_http_however_fast():
    targets = [Target(protocol, "192.0.2.1", 2641) for protocol in (7, HTTP, HTTPS, UDP, TCP)]
    upstreams = Upstreams()
    answer(upstreams, targets[1], 0.001)
    answer(upstreams, targets[4], 0.4)
    assert [target.protocol for target in upstreams.order(targets, 0)] == [*PREFERENCE, 7]


def test_the_preferred_protocol_is_the_operators_choice():
    targets = [Target(protocol, "192.0.2.1", 2641) for protocol in (TCP, HTTP, UDP)]
    upstreams = Upstreams(prefer=(UDP, TCP))
    assert [target.protocol for target in upstreams.order(targets, 0)] == [UDP, TCP, HTTP]


def test_a_lossy_server_below_the_threshold_of_the_breaker_stands_behind_a_working_one():
    upstreams = Upstreams()
    worse = NEW._replace(protocol=UDP)  # slower and by the less preferred protocol
    answer(upstreams, worse, 0.3)
    answer(upstreams, NEAR, 0.001)
    fail(upstreams, NEAR, 19)
    assert state_of(upstreams, NEAR).breaker == "closed"
    assert upstreams.order([NEAR, worse], 0) == [worse, NEAR]


def test_a_server_that_loses_every_second_question_stands_behind_one_that_loses_one_in_fifty():
    upstreams = Upstreams()
    for n in range(200):
        (fail if n % 2 else answer)(upstreams, NEAR, now_s=n)
        (fail if n % 50 == 0 else answer)(upstreams, FAR, now_s=n)
        if n > 20:
            assert upstreams.order([NEAR, FAR], n) == [FAR, NEAR]


def test_one_lost_question_changes_no_protocol():
    upstreams = Upstreams()
    fail(upstreams, NEAR)
    assert upstreams.order([Target(UDP, "192.0.2.9", 2641), NEAR], 0)[0] == NEAR


def test_a_lossy_server_is_tried_again_one_day():
    upstreams = Upstreams()
    fail(upstreams, NEAR, 10)
    udp = NEAR._replace(protocol=UDP)
    assert upstreams.order([NEAR, udp], 30) == [udp, NEAR]
    assert upstreams.order([NEAR, udp], 300) == [NEAR, udp]


def test_between_working_servers_a_failure_weighs_like_the_wait_it_costs():
    upstreams = Upstreams()
    answer(upstreams, NEAR, 0.01)
    answer(upstreams, FAR, 0.03)
    assert upstreams.order([FAR, NEAR], 0) == [NEAR, FAR]
    fail(upstreams, NEAR)
    assert upstreams.order([NEAR, FAR], 0) == [FAR, NEAR]


def test_what_is_known_of_a_server_that_is_not_asked_fades():
    upstreams = Upstreams()
    answer(upstreams, NEAR, 0.3)
    answer(upstreams, FAR, 0.06, now_s=60)
    assert upstreams.order([NEAR, FAR], 60) == [FAR, NEAR]
    answer(upstreams, FAR, 0.06, now_s=600)
    assert upstreams.order([FAR, NEAR], 600) == [NEAR, FAR]


def test_a_server_that_was_slow_once_is_tried_again_one_day_and_one_answer_tells():
    upstreams = Upstreams()
    answer(upstreams, NEAR, 2.0)
    assert upstreams.order([NEAR, NEW], 0) == [NEW, NEAR]
    answer(upstreams, NEAR, 0.01, now_s=3600)
    assert upstreams.order([NEW, NEAR], 3600) == [NEAR, NEW]


def test_a_broken_server_is_left_out_until_its_probe_and_then_stands_behind_working_ones():
    upstreams = Upstreams()
    answer(upstreams, NEAR, 0.001)
    answer(upstreams, FAR, 0.4, times=9)
    fail(upstreams, NEAR, 20)
    assert upstreams.order([NEAR, FAR], 4.9) == [FAR]
    assert upstreams.refusal(NEAR, 4.9) is Trouble.LEFT_ALONE
    assert upstreams.order([NEAR, FAR], 5) == [FAR, NEAR]
    assert upstreams.refusal(NEAR, 5) is None


def test_while_its_probe_is_out_a_server_is_left_out():
    upstreams = Upstreams()
    fail(upstreams, NEAR, 20)
    upstreams.sent(NEAR, 5)
    assert state_of(upstreams, NEAR).breaker == "probing"
    assert upstreams.order([NEAR], 6) == []
    assert upstreams.refusal(NEAR, 6) is Trouble.LEFT_ALONE
    upstreams.answered(NEAR, 0.01, 6)
    assert upstreams.order([NEAR], 6) == [NEAR]


def test_a_server_that_nobody_needed_for_a_minute_is_probed_first_but_one_a_time():
    upstreams = Upstreams()
    fail(upstreams, NEAR, 20)
    fail(upstreams, NEW, 20)
    answer(upstreams, FAR, 0.01, now_s=60)
    assert upstreams.order([FAR, NEAR, NEW], 64.9)[0] == FAR
    assert upstreams.order([FAR, NEAR, NEW], 65) == [NEAR, FAR, NEW]
    upstreams.sent(NEAR, 65)
    assert upstreams.order([FAR, NEAR, NEW], 65) == [FAR, NEW]
    assert upstreams.order([FAR, NEAR, NEW], 69.9) == [FAR, NEW]
    assert upstreams.order([FAR, NEW], 70) == [NEW, FAR]


# ---- address families


@pytest.mark.parametrize(
    ("has_ipv4", "has_ipv6", "usable"),
    [(True, False, [NEAR, NAMED]), (False, True, [SIX, NAMED]), (False, False, [NAMED])],
)
def test_families_this_machine_lacks_are_left_out_and_refused(has_ipv4, has_ipv6, usable):
    upstreams = Upstreams(has_ipv4=has_ipv4, has_ipv6=has_ipv6)
    assert upstreams.order([NEAR, SIX, NAMED], 0) == usable
    refused = [
        target for target in (NEAR, SIX, NAMED) if upstreams.refusal(target, 0) is Trouble.REFUSED
    ]
    assert sorted([*refused, *usable]) == sorted([NEAR, SIX, NAMED])


def test_a_family_that_finds_nobody_stands_behind_the_other_for_a_while():
    upstreams = Upstreams()
    for n in range(3):
        fail(upstreams, SIX._replace(port=n), trouble=Trouble.REFUSED)
    assert upstreams.order([SIX, NEAR], 59) == [NEAR, SIX]
    assert upstreams.order([SIX, NEAR], 60) == [SIX, NEAR]


def test_one_answer_clears_its_family():
    upstreams = Upstreams()
    for n in range(9):
        fail(upstreams, SIX._replace(port=n))
    answer(upstreams, SIX._replace(port=99))
    assert upstreams.order([SIX, NEAR], 0) == [SIX, NEAR]


def test_garbage_says_nothing_about_the_family():
    upstreams = Upstreams()
    for n in range(9):
        fail(upstreams, SIX._replace(port=n), trouble=Trouble.GARBAGE)
    assert upstreams.order([SIX, NEAR], 0) == [SIX, NEAR]


# ---- what counts


@pytest.mark.parametrize("trouble", sorted(FAULTS, key=str))
def test_a_fault_of_the_server_counts_against_it(trouble):
    upstreams = Upstreams()
    fail(upstreams, NEAR, 20, trouble=trouble)
    assert state_of(upstreams, NEAR)[2:] == (0, None, 0, 20, "open", 5.0)


@pytest.mark.parametrize("trouble", sorted(HARMLESS, key=str))
def test_what_is_not_its_fault_does_not(trouble):
    upstreams = Upstreams()
    fail(upstreams, NEAR, 100, trouble=trouble)
    assert state_of(upstreams, NEAR)[2:] == (0, None, 0, 0, "closed", 0.0)


def test_the_faults_are_those_of_the_agreement():
    assert {trouble.name for trouble in HARMLESS} == {
        "CROWDED", "NEAR_MISS", "TOO_LARGE", "OUT_OF_BAILIWICK", "LEFT_ALONE",
    }  # fmt: skip


def test_a_refusal_to_use_udp_for_a_large_answer_closes_the_breaker():
    upstreams = Upstreams()
    udp = NEAR._replace(protocol=UDP)
    fail(upstreams, udp, 20)
    fail(upstreams, udp, now_s=5, trouble=Trouble.TOO_LARGE)
    assert upstreams.refusal(udp, 5) is None
    assert state_of(upstreams, udp).breaker == "closed"


def test_another_protocol_at_the_same_place_has_a_health_of_its_own():
    upstreams = Upstreams()
    fail(upstreams, NEAR, 20)
    assert upstreams.order([NEAR, NEAR._replace(protocol=UDP)], 0) == [NEAR._replace(protocol=UDP)]


def test_role_and_key_do_not_make_another_server():
    upstreams = Upstreams()
    fail(upstreams, NEAR, 20)
    same = NEAR._replace(role=Role.DELEGATED, public_key=b"key")
    assert upstreams.refusal(same, 0) is Trouble.LEFT_ALONE
    answer(upstreams, same, now_s=5)
    assert state_of(upstreams, NEAR).role is Role.DELEGATED


def test_what_is_told_unasked_counts_for_nothing():
    upstreams = Upstreams()
    answer(upstreams, NEAR, 0.2)
    before = upstreams.states()
    for target in (NEAR, NEW):
        upstreams.answered(target, 0.001, 1)
        upstreams.failed(target, Trouble.TIMEOUT, 1)
        upstreams.cancelled(target)
    assert upstreams.states() == before


def test_round_trips_are_smoothed():
    upstreams = Upstreams()
    answer(upstreams, NEAR, 0.1)
    answer(upstreams, NEAR, 0.9)
    assert state_of(upstreams, NEAR).smoothed_s == pytest.approx(0.2)
    answer(upstreams, NEAR, 0.4, times=100)
    assert state_of(upstreams, NEAR).smoothed_s == pytest.approx(0.4, abs=1e-3)


# ---- bounds


def test_no_more_than_so_many_questions_are_in_flight_to_one_server():
    upstreams = Upstreams()
    for _ in range(256):
        assert upstreams.refusal(NEAR, 0) is None
        upstreams.sent(NEAR, 0)
    assert upstreams.refusal(NEAR, 0) is Trouble.CROWDED
    assert upstreams.refusal(FAR, 0) is None
    upstreams.cancelled(NEAR)
    assert upstreams.refusal(NEAR, 0) is None
    assert state_of(upstreams, NEAR).in_flight == 255


def test_ten_retries_are_allowed_at_once_and_then_one_for_ten_first_tries():
    upstreams = Upstreams()
    spent = 0
    while upstreams.may_retry(NEAR):
        upstreams.sent(NEAR, 0, is_retry=True)
        spent += 1
    assert spent == 10
    for _ in range(3):
        for _ in range(10):
            assert not upstreams.may_retry(NEAR)
            upstreams.sent(NEAR, 0)
        assert upstreams.may_retry(NEAR)
        upstreams.sent(NEAR, 0, is_retry=True)


def test_no_more_than_ten_retries_are_saved_up():
    upstreams = Upstreams(Limits(in_flight=10_000))
    for _ in range(1_000):
        upstreams.sent(NEAR, 0)
    spent = 0
    while upstreams.may_retry(NEAR):
        upstreams.sent(NEAR, 0, is_retry=True)
        spent += 1
    assert spent == 10


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), max_size=300), st.sampled_from([0.0, 0.05, 0.1, 0.3, 1.0]))
def test_retries_are_never_more_than_their_share_and_ten(wishes, share):
    upstreams = Upstreams(Limits(retry_share=share))
    firsts = retries = 0
    for wants_retry in wishes:
        is_retry = wants_retry and upstreams.may_retry(NEAR)
        upstreams.sent(NEAR, 0, is_retry)
        upstreams.cancelled(NEAR)
        firsts, retries = firsts + (not is_retry), retries + is_retry
        assert retries <= 10 + share * firsts + 1e-6


def test_the_idle_server_thought_of_longest_ago_is_forgotten_when_the_table_is_full():
    upstreams = Upstreams(most_servers=3)
    answer(upstreams, NEAR)
    upstreams.sent(FAR, 0)
    answer(upstreams, NEW)
    upstreams.order([NEAR], 0)
    answer(upstreams, SIX)
    assert {state.name for state in upstreams.states()} == {NEAR.name, FAR.name, SIX.name}


def test_a_server_with_a_question_in_flight_is_never_forgotten():
    upstreams = Upstreams(most_servers=2)
    for n in range(5):
        upstreams.sent(NEAR._replace(port=n), 0)
    assert len(upstreams.states()) == 5
    for n in range(5):
        upstreams.cancelled(NEAR._replace(port=n))
    for n in range(100, 1_000):
        answer(upstreams, NEAR._replace(port=n))
        assert len(upstreams.states()) == 2


# ---- a black hole, played through


def test_a_black_hole_of_half_an_hour_is_probed_seldom_and_left_soon_after_its_end():
    upstreams, end_s, sent = Upstreams(), 1_800.0, []
    now_s, recovered_s = 0.0, None
    for n in range(200_000):
        now_s = n / 100
        if upstreams.order([NEAR], now_s) and upstreams.refusal(NEAR, now_s) is None:
            upstreams.sent(NEAR, now_s)
            if now_s >= end_s:
                upstreams.answered(NEAR, 0.01, now_s)
                recovered_s = now_s
                break
            sent.append(now_s)
            upstreams.failed(NEAR, Trouble.TIMEOUT, now_s + 0.4)
    assert len([time_s for time_s in sent if time_s > 1]) <= 1_800 / 60 + 5
    assert recovered_s is not None
    assert recovered_s - end_s <= 61
    assert upstreams.order([NEAR], now_s) == [NEAR]


@pytest.mark.parametrize("loss", [0.02, 0.1, 0.3])
def test_loss_alone_does_not_cut_off_the_only_server(loss):
    upstreams, chance, refused = Upstreams(), random.Random(7), 0
    for n in range(20_000):
        now_s = n / 1_000
        refused += not upstreams.order([NEAR], now_s)
        (fail if chance.random() < loss else answer)(upstreams, NEAR, now_s=now_s)
    assert refused == 0


# ---- any use


class AnyUse(RuleBasedStateMachine):
    """Servers asked as the rules allow, ended in any way, also wrongly."""

    TARGETS = (NEAR, FAR, SIX, NAMED, NEAR._replace(protocol=UDP))

    @initialize(most=st.integers(1, 5))
    def begin(self, most):
        self.limits = Limits(breaker_failures=3, in_flight=4)
        self.upstreams = Upstreams(self.limits, most_servers=most)
        self.most = most
        self.now_s = 0.0
        self.most_busy = 0
        self.out = dict.fromkeys(self.TARGETS, 0)

    @rule(seconds=st.sampled_from([0.1, 1, 5, 70]))
    def pass_time(self, seconds):
        self.now_s += seconds

    @rule(asked=st.sampled_from(TARGETS), is_retry=st.booleans(), count=st.integers(1, 5))
    def ask(self, asked, is_retry, count):
        for _ in range(count):
            if self.upstreams.refusal(asked, self.now_s) is None:
                self.upstreams.sent(asked, self.now_s, is_retry)
                self.out[asked] += 1
                self.most_busy = max(self.most_busy, sum(map(bool, self.out.values())))

    @rule(
        asked=st.sampled_from(TARGETS),
        end=st.sampled_from([None, "answer", *Trouble]),
        count=st.integers(1, 5),
    )
    def end(self, asked, end, count):
        for _ in range(count):
            if end is None:
                self.upstreams.cancelled(asked)
            elif end == "answer":
                self.upstreams.answered(asked, 0.05, self.now_s)
            else:
                self.upstreams.failed(asked, end, self.now_s)
            self.out[asked] = max(self.out[asked] - 1, 0)

    @invariant()
    def in_flight_is_what_is_out_and_bounded(self):
        states = {state.name: state for state in self.upstreams.states()}
        assert len(states) <= max(self.most, self.most_busy)
        for target, out in self.out.items():
            in_flight = states[target.name].in_flight if target.name in states else 0
            assert 0 <= in_flight == out <= self.limits.in_flight
            if target.name in states and states[target.name].breaker == "probing":
                assert in_flight == 1

    @invariant()
    def what_is_ordered_may_be_asked(self):
        ordered = self.upstreams.order(self.TARGETS, self.now_s)
        assert len(set(ordered)) == len(ordered)
        for target in self.TARGETS:
            refusal = self.upstreams.refusal(target, self.now_s)
            assert (target in ordered) == (refusal in (None, Trouble.CROWDED))


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
