"""Failures: repeated to who asks, not repeated to who failed, for longer each time."""

import tracemalloc

import pytest

from protocols.identifier import parse_identifier, read_identifier
from protocols.message import Answer, Outcome
from protocols.trail import Verdict
from protocols.values.value import Value
from resolver.cache import ForeignCache, Rank
from resolver.failures import Failures
from resolver.limits import Limits
from resolver.source import Now

LIMITS = Limits()
ITEM = parse_identifier("88.200/sn-1")
BUDGET = 1 << 20


def at(seconds):
    return Now(1000.0 + seconds, 2_000_000_000.0 + seconds)


@pytest.fixture
def cache():
    return ForeignCache(BUDGET)


def learn(cache, identifier=ITEM, when=0.0):
    values = (Value(1, "URL", b"https://example.com/1", ttl=100),)
    return cache.put(identifier, Outcome.SUCCESS, values, Rank.TCP, at(when))


def test_a_failure_is_remembered_for_what_it_was(cache):
    cache.fail(ITEM, Outcome.UNTRUSTED, "the key is not the pinned one", at(0))
    assert cache.failure(ITEM, at(4.9)) == Answer(
        Outcome.UNTRUSTED, reason="the key is not the pinned one",
        is_authoritative=False, verdict=Verdict.FAILURE,
    )  # fmt: skip
    assert cache.failure(ITEM, at(5)) is None
    assert cache.get(ITEM, at(0)) is None


def lasts_s(cache, since):
    """For how long, in whole seconds, the failure is repeated from then on."""
    return next(s for s in range(1000) if cache.failure(ITEM, at(since + s)) is None)


def test_failures_that_follow_each_other_last_twice_as_long_up_to_five_minutes(cache):
    when, waits = 0, []
    for _ in range(9):
        cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(when))
        waits.append(lasts_s(cache, when))
        when += waits[-1] + 1
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_questions_that_fail_together_are_one_failure(cache):
    for moment in (0, 0.5, 4):
        cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(moment))
    assert lasts_s(cache, 0) == 5
    cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(6))
    assert lasts_s(cache, 6) == 10


def test_an_answer_and_a_long_silence_end_the_row_of_failures(cache):
    for moment in (0, 5):
        cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(moment))
    learn(cache, when=6)
    assert cache.failure(ITEM, at(6)) is None
    cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(7))
    assert lasts_s(cache, 7) == 5
    cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(12 + LIMITS.failure_most_s))
    assert lasts_s(cache, 12 + LIMITS.failure_most_s) == 5


def test_failures_are_bounded_in_number_and_reason_and_take_nothing_from_the_answers():
    cache = ForeignCache(BUDGET)
    learn(cache)
    for number in range(5000):
        name = read_identifier(b"88.200/%d" % number)
        cache.fail(name, Outcome.UNREACHABLE, "x" * 100_000, at(0))
        assert cache.used_bytes <= BUDGET
    for number in range(3000):
        learn(cache, identifier=read_identifier(b"88.201/%d" % number))
        cache.get(ITEM, at(1))
        assert cache.used_bytes <= BUDGET
    assert cache.used_bytes > 0.7 * BUDGET, "both are full, but for what enlarging a table takes"
    assert cache.failure(read_identifier(b"88.200/4999"), at(1)) is not None
    assert cache.failure(read_identifier(b"88.200/0"), at(1)) is None
    assert cache.get(ITEM, at(1)) is not None


def test_the_bytes_counted_for_failures_are_those_really_taken():
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        failures = Failures(1 << 30, LIMITS)
        for number in range(3000):
            name = read_identifier(b"88.200/sn-%d" % number)
            failures.add(name, Outcome.UNREACHABLE, f"no server answered {number}", at(number / 7))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert failures.count == 3000
    assert 0.85 < failures.used_bytes / taken < 1.15
