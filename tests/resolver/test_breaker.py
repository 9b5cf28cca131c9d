from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from resolver.breaker import Breaker
from resolver.limits import Limits

LIMITS = Limits(breaker_failures=4, breaker_window_s=5, breaker_open_s=5, breaker_most_s=18)


def fail(breaker, *times_s):
    for time_s in times_s:
        breaker.sent(time_s)
        breaker.failed(time_s)


def answer(breaker, time_s):
    breaker.sent(time_s)
    breaker.answered()


def follow(breaker, n):
    """One answer, two failures, and so on."""
    fail(breaker, n / 10) if n % 3 else answer(breaker, n / 10)


def opened(at_s=0.0):
    breaker = Breaker(LIMITS)
    fail(breaker, *[at_s] * 4)
    return breaker


def test_enough_failures_within_the_window_open_it():
    breaker = Breaker(LIMITS)
    fail(breaker, 0, 1, 2)
    assert breaker.passes(4.9)
    fail(breaker, 5)
    assert (breaker.state, breaker.open_until_s) == ("open", 10)
    assert not breaker.passes(9.99)


def test_as_many_failures_over_a_longer_time_do_not():
    breaker = Breaker(LIMITS)
    fail(breaker, *(second * 1.7 for second in range(100)))
    assert breaker.state == "closed"


def test_the_default_is_twenty_failures_in_five_seconds():
    breaker = Breaker(Limits())
    fail(breaker, *(n / 4 for n in range(19)))
    assert breaker.state == "closed"
    fail(breaker, 4.9)
    assert breaker.state == "open"


def test_a_few_failures_among_many_answers_never_open_it():
    breaker = Breaker(LIMITS)
    for n in range(1_000):
        answer(breaker, n / 1000)
        if n % 50 == 0:
            fail(breaker, n / 1000)
    assert breaker.state == "closed"


def test_earlier_answers_do_not_put_off_the_opening_when_all_fails():
    breaker = Breaker(LIMITS)
    for n in range(1_000):
        answer(breaker, n / 1000)
    fail(breaker, 1, 1, 1, 1)
    assert breaker.state == "open"


def test_more_failures_than_answers_open_it():
    breaker = Breaker(LIMITS)
    asked = [n for n in range(12) if breaker.passes(n / 10) and not follow(breaker, n)]
    assert (breaker.state, len(asked)) == ("open", 9)


def test_when_its_time_is_over_one_probe_passes_and_no_second():
    breaker = opened()
    assert not breaker.passes(4.99)
    assert breaker.passes(5)
    breaker.sent(5)
    assert breaker.state == "probing"
    assert not breaker.passes(5)
    assert not breaker.passes(1e9)


def test_an_answered_probe_closes_it():
    breaker = opened()
    answer(breaker, 5)
    assert (breaker.state, breaker.open_until_s) == ("closed", 0)
    fail(breaker, 6, 6, 6)
    assert breaker.passes(6)


def test_every_failed_probe_doubles_the_pause_up_to_the_most():
    breaker, pauses = opened(), []
    for _ in range(5):
        probe_s = breaker.open_until_s
        fail(breaker, probe_s)
        pauses.append(breaker.open_until_s - probe_s)
    assert pauses == [10, 18, 18, 18, 18]


def test_after_an_answer_the_pause_is_short_again():
    breaker = opened()
    fail(breaker, 5)
    answer(breaker, 15)
    fail(breaker, *[20] * 4)
    assert breaker.open_until_s == 25


def test_a_cancelled_probe_is_followed_by_another_but_not_at_once():
    breaker = opened()
    breaker.sent(7)
    breaker.released()
    assert (breaker.state, breaker.passes(11.9), breaker.passes(12)) == ("open", False, True)
    fail(breaker, 12)
    assert breaker.open_until_s == 22


def test_what_was_sent_before_the_opening_neither_lengthens_it_nor_counts_as_a_probe():
    breaker = Breaker(LIMITS)
    for _ in range(6):
        breaker.sent(0)
    for _ in range(4):
        breaker.failed(0.4)
    until_s = breaker.open_until_s
    breaker.failed(3)
    assert (breaker.state, breaker.open_until_s) == ("open", until_s)
    assert not breaker.passes(until_s)  # one is still out: its end could be taken for the probe's
    breaker.failed(until_s)
    assert breaker.passes(until_s)


def test_a_late_answer_closes_it_and_what_was_before_is_forgotten():
    breaker = Breaker(LIMITS)
    breaker.sent(0)
    fail(breaker, *[0] * 4)
    breaker.answered()
    fail(breaker, 0, 0, 0)
    assert breaker.passes(0)


class AnyUse(RuleBasedStateMachine):
    """Questions that go out when they may, and end in any way at any time."""

    def __init__(self):
        super().__init__()
        self.breaker = Breaker(LIMITS)
        self.now_s = 0.0
        self.out = 0
        self.probes_out = 0
        self.last_probe_s = -1e9

    @rule(seconds=st.sampled_from([0, 0.1, 1, 5, 20]))
    def pass_time(self, seconds):
        self.now_s += seconds

    @rule(count=st.integers(1, 6))
    def ask(self, count):
        for _ in range(count):
            if self.breaker.passes(self.now_s):
                is_probe = self.breaker.state != "closed"
                self.breaker.sent(self.now_s)
                self.out += 1
                self.probes_out += is_probe
                if is_probe:
                    assert self.now_s - self.last_probe_s >= LIMITS.breaker_open_s
                    self.last_probe_s = self.now_s

    @rule(end=st.sampled_from(["answered", "failed", "released"]), count=st.integers(1, 6))
    def end(self, end, count):
        for _ in range(min(count, self.out)):
            self.out -= 1
            if end == "answered":
                self.breaker.answered()
                assert self.breaker.state == "closed"
                self.last_probe_s = -1e9
            elif end == "failed":
                self.breaker.failed(self.now_s)
            else:
                self.breaker.released()
            self.probes_out = min(self.probes_out, self.out)

    @invariant()
    def never_two_probes(self):
        assert self.probes_out <= 1
        if self.breaker.state == "probing":
            assert self.out == self.breaker.in_flight == 1

    @invariant()
    def never_for_ever(self):
        assert self.breaker.in_flight == self.out
        if not self.out:
            assert self.breaker.passes(self.now_s + LIMITS.breaker_most_s)


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
