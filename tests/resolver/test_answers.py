"""Encoded answers: the same bytes that encoding the values now would give, until somebody has to look again."""

import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.message import Outcome
from protocols.values.value import TTL_ABSOLUTE, Reference, Value
from protocols.values.value_list import decode_values, encode_values
from resolver.answers import EncodedAnswers
from resolver.cache import ForeignCache, Rank, aged, with_ttl
from resolver.source import Now
from tests.protocols.strategies import references, short_bytes, stored_index, texts, u32

ITEM = b"88.200/sn-1"
URL = Value(1, "URL", b"https://example.com/1", ttl=100)
BUDGET = 1 << 20

ttls = st.integers(0, 120) | u32
values = st.builds(
    Value, stored_index, texts, short_bytes, ttls, st.integers(0, 2), u32.map(lambda n: n & 0xFF),
    u32, st.lists(references, max_size=2).map(tuple),
)  # fmt: skip
value_lists = st.lists(values, min_size=1, max_size=5).map(tuple)
eighths = st.integers(0, 1000).map(lambda n: n / 8)
"""Moments that are exact in binary, so that a whole second is one by every way of reckoning."""


@pytest.fixture
def answers():
    return EncodedAnswers(BUDGET)


def put(answers, spelling=ITEM, *more, until=math.inf, fixed_ttl_s=None, now_s=0.0):
    answers.put(spelling, more or (URL,), 0.0, until, fixed_ttl_s, now_s)


def ttl_at(answers, now_s, spelling=ITEM):
    (value,) = decode_values(answers.get(spelling, now_s))
    return value.ttl


# ------------------------------------------------------------------------------------------------ TTLs


@given(value_lists, st.lists(eighths, min_size=1, max_size=8))
def test_an_answer_is_what_encoding_the_aged_values_would_give(values, moments):
    answers = EncodedAnswers(BUDGET)
    put_s, *asked_s = sorted(moments)
    answers.put(ITEM, values, 0.0, math.inf, None, put_s)
    for now_s in asked_s:
        assert answers.get(ITEM, now_s) == encode_values(aged(values, int(now_s)))


@given(value_lists, st.lists(eighths, min_size=1, max_size=8), st.integers(0, 1000))
def test_a_stale_answer_tells_the_same_ttl_for_ever(values, moments, ttl_s):
    answers = EncodedAnswers(BUDGET)
    answers.put(ITEM, values, -500.0, math.inf, ttl_s, 0.0)
    for now_s in moments:
        assert answers.get(ITEM, now_s) == encode_values(with_ttl(values, ttl_s))


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=4), st.lists(eighths, max_size=8))
def test_an_answer_is_what_the_cache_would_tell(ttls, moments):
    answers, cache = EncodedAnswers(BUDGET), ForeignCache(BUDGET)
    identifier = parse_identifier("88.200/sn-1")
    values = [Value(index, "URL", b"x", ttl) for index, ttl in enumerate(ttls, 1)]
    held = cache.put(identifier, Outcome.SUCCESS, values, Rank.TCP, Now(0.0, 2e9)).held
    answers.put(ITEM, held.values, held.learned_s, held.fresh_until_s, None, 0.0)
    for now_s in sorted(moments):
        told = encode_values(cache.get(identifier, Now(now_s, 2e9 + now_s)).values)
        assert answers.get(ITEM, now_s) == (told if now_s < held.fresh_until_s else None)


def test_ttls_are_set_anew_at_most_once_a_second(answers):
    put(answers)
    first = answers.get(ITEM, 7.1)
    assert answers.get(ITEM, 7.9) is first
    assert answers._shelf.get(ITEM).patch_at_s == 8.0, "until then a hit is two comparisons"
    assert answers.get(ITEM, 8.0) is not first
    assert [ttl_at(answers, moment) for moment in (8.0, 8.99, 9, 99, 100, 5000)] == [
        92,
        92,
        91,
        1,
        0,
        0,
    ]


def test_absolute_times_stay_as_they_are(answers):
    absolute = URL._replace(ttl=2_000_000_000, ttl_type=TTL_ABSOLUTE)
    put(answers, ITEM, absolute)
    assert ttl_at(answers, 50) == 2_000_000_000
    put(answers, ITEM, absolute, fixed_ttl_s=30)
    assert ttl_at(answers, 50) == 2_000_000_000


def test_references_and_long_data_do_not_lead_astray(answers):
    first = Value(1, "é" * 20, bytes(70_000), 50, references=(Reference("88.1/x", 7),) * 3)
    put(answers, ITEM, first, URL)
    assert answers.get(ITEM, 20) == encode_values((first._replace(ttl=30), URL._replace(ttl=80)))


# ------------------------------------------------------------------------------------------------ until when


def test_an_answer_holds_until_somebody_has_to_look_again(answers):
    put(answers, until=90.5)
    assert answers.get(ITEM, 90.4) is not None
    assert answers.get(ITEM, 90.5) is None
    put(answers, until=120.0, now_s=90.5)
    assert ttl_at(answers, 91) == 9


def test_what_has_to_be_looked_at_already_or_has_no_values_is_not_kept_and_ends_what_was(answers):
    put(answers)
    put(answers, until=10.0, now_s=10.0)
    assert (answers.get(ITEM, 9.0), answers.count) == (None, 0)
    put(answers)
    answers.put(ITEM, (), 0.0, 100.0, None, 0.0)
    assert (answers.get(ITEM, 9.0), answers.count, answers.used_bytes) == (None, 0, 0)


def test_a_new_answer_replaces_the_old_one(answers):
    put(answers)
    put(answers, ITEM, URL._replace(data=b"new"), fixed_ttl_s=30)
    assert answers.get(ITEM, 50) == encode_values([URL._replace(data=b"new", ttl=30)])
    assert answers.count == 1


def test_only_exactly_the_spelling_asked_for_is_known(answers):
    put(answers)
    assert answers.get(b"88.200/SN-1", 1) is None
    assert answers.get(ITEM, 1) is not None


def test_hits_are_counted(answers):
    put(answers, until=10.0)
    for moment in (1, 2, 11):
        answers.get(ITEM, moment)
    answers.get(b"88.200/other", 1)
    assert answers.hits == 2


# ------------------------------------------------------------------------------------------------ dropping


def test_a_drop_reaches_every_spelling_of_suffix_and_prefix(answers):
    same = [b"88.ab/Sn", b"88.AB/sn", b"88.Ab/SN", b"88.AB/SN"]
    for spelling in [*same, b"88.ab/sn2"]:
        put(answers, spelling)
    answers.drop(b"88.AB/Sn")
    assert [answers.get(spelling, 0) for spelling in same] == [None] * 4
    assert answers.get(b"88.ab/sn2", 0) is not None
    assert answers.count == 1


def test_a_bare_prefix_is_a_spelling_of_its_record(answers):
    same = [b"88.ab", b"0.NA/88.ab", b"0.na/88.AB", b"0.NA/88.AB"]
    for spelling in same:
        put(answers, spelling)
    answers.drop(b"0.NA/88.AB")
    assert [answers.get(spelling, 0) for spelling in same] == [None] * 4
    assert answers.used_bytes == 0


def test_a_change_of_a_prefix_drops_what_lies_below_it_at_once(answers):
    below = [b"88.2/a", b"88.2.1/b", b"88.2", b"0.na/88.2.7"]
    beside = [b"88.20/a", b"88/a", b"88", b"88.20"]
    for spelling in below + beside:
        put(answers, spelling)
    answers.drop_below(b"88.2")
    assert [answers.get(spelling, 0) for spelling in below] == [None] * 4
    assert all(answers.get(spelling, 0) for spelling in beside)
    put(answers, b"88.2/a")
    assert answers.get(b"88.2/a", 0) is not None
    assert answers.get(b"88.2.1/b", 0) is None


def test_clear_forgets_everything(answers):
    put(answers)
    answers.clear()
    assert (answers.get(ITEM, 0), answers.count, answers.used_bytes) == (None, 0, 0)
    put(answers)
    assert answers.get(ITEM, 0) is not None


# ------------------------------------------------------------------------------------------------ memory


def test_a_scan_of_ten_times_the_budget_does_not_throw_out_what_is_asked_often():
    answers = EncodedAnswers(200_000)
    often = [b"88.200/often-%d" % number for number in range(40)]
    for spelling in often:
        put(answers, spelling)
    for number in range(10 * 200_000 // 400):
        put(answers, b"88.201/%d" % number)
        assert answers.get(often[number % 40], 1) is not None
        assert answers.used_bytes <= 200_000


def test_an_answer_larger_than_the_budget_is_not_kept():
    answers = EncodedAnswers(10_000)
    put(answers, ITEM, URL._replace(data=bytes(10_000)))
    assert (answers.get(ITEM, 0), answers.used_bytes) == (None, 0)


@pytest.mark.parametrize(
    "name",
    [b"88.200/SN-%06d", b"88.200/sn-%06d", b"88.%d/SN"],
    ids=["upper case", "lower case", "a prefix each"],
)
def test_the_bytes_counted_are_those_really_taken(name):
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        answers = EncodedAnswers(1 << 30)
        for number in range(1000):
            learned_s = number / 7
            answers.put(name % number, (URL, URL), learned_s, learned_s + 999, None, learned_s)
            assert answers.get(name % number, learned_s + 300.5)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert answers.count == 1000
    assert 1.0 <= answers.used_bytes / taken < 1.15
