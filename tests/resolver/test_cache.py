"""The foreign cache: what it remembers, for how long, and what it never gives again."""

import tracemalloc

import pytest

from protocols.errors import Malformed
from protocols.identifier import parse_identifier, read_identifier
from protocols.message import Outcome
from protocols.values.value import TTL_ABSOLUTE, Value
from protocols.values.value_list import encode_values
from resolver.cache import ForeignCache, Rank, State, aged
from resolver.hot_records import HotRecord
from resolver.limits import Limits
from resolver.source import Now

LIMITS = Limits()
ITEM = parse_identifier("88.200/sn-1")
WALL_S = 2_000_000_000.0
BUDGET = 1 << 20


def at(seconds):
    return Now(1000.0 + seconds, WALL_S + seconds)


def url(ttl=3600, index=1, **more):
    return Value(index, "URL", b"https://example.com/1", ttl=ttl, **more)


def until(seconds, index=1):
    """A value with an absolute TTL, so many seconds after ``at(0)``."""
    return url(int(WALL_S) + seconds, index, ttl_type=TTL_ABSOLUTE)


@pytest.fixture
def cache():
    return ForeignCache(BUDGET)


def learn(cache, *values, identifier=ITEM, when=0.0, rank=Rank.TCP):
    return cache.put(identifier, Outcome.SUCCESS, values, rank, at(when))


def learn_absent(cache, identifier=ITEM, when=0.0, rank=Rank.TCP, outcome=Outcome.NOT_FOUND):
    return cache.put(identifier, outcome, (), rank, at(when), "not registered there")


def states(cache, *moments, identifier=ITEM):
    found = [cache.get(identifier, at(moment)) for moment in moments]
    return [one and one.state for one in found]


# ------------------------------------------------------------------------------------------------ TTLs


def test_an_answer_is_fresh_for_the_least_ttl_of_its_values_and_then_stale_for_a_day(cache):
    learn(cache, url(3600, 1), url(60, 2))
    moments = (0, 50, 59.9, 60, 60 + LIMITS.stale_s, 60.1 + LIMITS.stale_s)
    fresh, ahead, stale = State.FRESH, State.AHEAD, State.STALE
    assert states(cache, *moments) == [fresh, fresh, ahead, stale, stale, None]
    assert cache.count == 0


def test_told_ttls_are_what_is_left_of_each_and_never_below_zero(cache):
    learn(cache, url(100, 1), url(3600, 2), until(500, 3))
    values = cache.get(ITEM, at(40.9)).values
    assert [value.ttl for value in values] == [60, 3560, int(WALL_S) + 500]
    assert [value.ttl for value in aged(values, 61)] == [0, 3499, int(WALL_S) + 500]


def test_a_stale_answer_tells_thirty_seconds_but_keeps_absolute_times(cache):
    learn(cache, url(100, 1), url(3600, 2), until(9999, 3))
    found = cache.get(ITEM, at(101))
    assert found.state is State.STALE
    assert [value.ttl for value in found.values] == [30, 30, int(WALL_S) + 9999]
    assert found.held.values == (url(100, 1), url(3600, 2), until(9999, 3))


def test_nothing_is_fresh_for_more_than_two_days(cache):
    learn(cache, url(0xFFFF_FFFF))
    assert states(cache, LIMITS.ttl_most_s - 1, LIMITS.ttl_most_s) == [State.AHEAD, State.STALE]


def test_an_absolute_ttl_is_until_then_by_the_wall_clock(cache):
    learn(cache, url(3600, 1), until(100, 2))
    assert states(cache, 99, 100) == [State.AHEAD, State.STALE]


@pytest.mark.parametrize("value", [url(0), until(-5), until(0)])
def test_what_may_not_be_kept_is_told_once_and_then_stale_at_best(cache, value):
    found = learn(cache, value)
    assert (found.state, found.values) == (State.FRESH, (value,))
    assert (states(cache, 0), found.held.ttl_s) == ([State.STALE], 0)


@pytest.mark.parametrize("outcome", [Outcome.NOT_FOUND, Outcome.VALUES_NOT_FOUND, Outcome.SUCCESS])
def test_an_answer_without_values_is_kept_for_a_minute(cache, outcome):
    learn_absent(cache, outcome=outcome)
    found = cache.get(ITEM, at(59))
    assert (found.state, found.held.outcome, found.values) == (State.AHEAD, outcome, ())
    assert found.held.reason == "not registered there"
    is_absence = outcome is Outcome.NOT_FOUND
    assert states(cache, 60) == [None if is_absence else State.STALE]


def test_values_are_told_in_order_of_index(cache):
    found = learn(cache, url(60, 3), url(60, 1), url(60, 2))
    assert [value.index for value in found.values] == [1, 2, 3]
    assert [value.index for value in cache.get(ITEM, at(1)).values] == [1, 2, 3]


def test_what_is_held_says_who_when_and_how(cache):
    spelled = parse_identifier("0.na/88.200.ab")
    found = learn(cache, url(60), identifier=spelled, rank=Rank.SIGNED, when=5)
    held = cache.get(parse_identifier("88.200.AB"), at(6)).held
    assert held is found.held
    assert (held.key, held.spelling, held.prefix) == (
        b"0.NA/88.200.AB",
        spelled.spelling,
        b"88.200.AB",
    )
    assert (held.rank, held.learned_s, held.learned_wall_s) == (Rank.SIGNED, 1005.0, WALL_S + 5)
    assert (held.ttl_s, held.fresh_until_s, held.paused_until_s) == (60, 1065.0, 0.0)


# ------------------------------------------------------------------------------------------------ refresh ahead


def test_the_moment_to_ask_again_lies_between_eleven_and_nine_hundredths_of_the_end(cache):
    moments = set()
    for number in range(500):
        name = read_identifier(b"88.200/%d" % number)
        held = learn(cache, url(1000), identifier=name).held
        moments.add(held.ahead_s - held.learned_s)
        just_before = Now(held.ahead_s - 0.001, WALL_S)
        assert cache.get(name, just_before).state is State.FRESH
        assert cache.get(name, Now(held.ahead_s, WALL_S)).state is State.AHEAD
    assert 890 <= min(moments) < 892
    assert 908 < max(moments) <= 910
    assert len(moments) > 490, "what was learned together is not asked for together"


def test_a_failed_refresh_pauses_the_next_for_thirty_seconds_and_an_answer_ends_the_pause(cache):
    held = learn(cache, url(100)).held
    cache.pause(ITEM, at(95))
    assert held.ahead_s == held.fresh_until_s, "an answer is never fresh for longer than its TTL"
    assert states(cache, 99) == [State.FRESH]
    found = cache.get(ITEM, at(101))
    assert (found.state, found.held.paused_until_s) == (State.STALE, 1000 + 95 + LIMITS.pause_s)
    cache.pause(ITEM, at(126))
    assert cache.get(ITEM, at(127)).held.paused_until_s == 1000 + 126 + LIMITS.pause_s
    learn(cache, url(100), when=130)
    assert cache.get(ITEM, at(131)).held.paused_until_s == 0.0
    assert states(cache, 229) == [State.AHEAD]


def test_a_pause_within_a_long_ttl_puts_the_refresh_off_and_no_more(cache):
    held = learn(cache, url(10_000)).held
    cache.pause(ITEM, at(9200))
    assert states(cache, 9201, 9229, 9230, 10_000) == [
        State.FRESH, State.FRESH, State.AHEAD, State.STALE,
    ]  # fmt: skip
    assert held.ahead_s == 1000 + 9230


def test_to_pause_what_is_not_known_changes_nothing(cache):
    cache.pause(ITEM, at(0))
    assert (cache.get(ITEM, at(0)), cache.used_bytes) == (None, 0)


# ------------------------------------------------------------------------------------------------ ranks


@pytest.mark.parametrize("first", Rank)
@pytest.mark.parametrize("second", Rank)
def test_what_is_easier_to_forge_never_replaces_what_lasts(cache, first, second):
    learn(cache, url(100), rank=first)
    kept = learn_absent(cache, rank=second, when=50)
    outcome = cache.get(ITEM, at(51)).held.outcome
    if second < first:
        assert (kept, outcome) == (None, Outcome.SUCCESS)
    else:
        assert (kept.held.outcome, outcome) == (Outcome.NOT_FOUND, Outcome.NOT_FOUND)


def test_what_is_easier_to_forge_may_replace_what_is_over(cache):
    learn(cache, url(100), rank=Rank.SIGNED)
    assert learn(cache, url(7), rank=Rank.UDP, when=99.9) is None
    assert learn(cache, url(7), rank=Rank.UDP, when=100) is not None
    assert cache.get(ITEM, at(100)).held.rank is Rank.UDP


def test_what_is_refused_for_its_rank_does_not_end_a_failure(cache):
    learn(cache, url(100), rank=Rank.SIGNED)
    cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(1))
    learn_absent(cache, rank=Rank.UDP, when=2)
    assert cache.failure(ITEM, at(3)) is not None


def test_a_revoked_record_is_never_given_again(cache):
    learn(cache, url(100_000))
    learn_absent(cache, when=10)
    found = cache.get(ITEM, at(69))
    assert (found.held.outcome, found.values) == (Outcome.NOT_FOUND, ())
    for moment in (70, 71 + LIMITS.failure_s, 50_000):
        assert cache.get(ITEM, at(moment)) is None


def test_a_record_too_large_to_keep_still_ends_what_was_kept_before(cache):
    learn(cache, url(100_000))
    huge = [Value(index, "DATA", bytes(60_000)) for index in range(1, 20)]
    assert learn(cache, *huge, when=1) is None
    assert states(cache, 2) == [None]


def test_what_no_native_message_can_carry_is_not_kept(cache):
    learn(cache, url(100))
    assert learn(cache, Value(1, "X" * 300, b""), when=1) is None
    assert states(cache, 2) == [None]


# ------------------------------------------------------------------------------------------------ spellings


def test_spellings_are_kept_apart_and_dropped_together(cache):
    names = [parse_identifier(text) for text in ("88.200.x/Ab", "88.200.X/aB", "88.200.x/AB")]
    for number, name in enumerate(names, 1):
        learn(cache, url(100 * number), identifier=name)
    assert [cache.get(name, at(0)).held.ttl_s for name in names] == [100, 200, 300]
    cache.fail(names[0], Outcome.UNREACHABLE, "silence", at(0))
    cache.drop(b"88.200.X/ab")
    assert [cache.get(name, at(0)) for name in names] == [None, None, None]
    assert cache.failure(names[0], at(0)) is None
    assert (cache.count, cache.used_bytes) == (0, 0)


def test_the_prefix_has_no_case_and_a_bare_prefix_is_its_record(cache):
    learn(cache, url(100), identifier=parse_identifier("88.ab/x"))
    learn(cache, url(100), identifier=parse_identifier("88.ab"))
    assert cache.get(parse_identifier("88.AB/x"), at(0)) is not None
    assert cache.get(parse_identifier("88.AB/X"), at(0)) is None
    assert cache.get(parse_identifier("0.NA/88.AB"), at(0)) is not None


def test_a_change_of_a_prefix_drops_what_lies_below_it_failures_too(cache):
    below = [parse_identifier(text) for text in ("88.2/a", "88.2.1/a", "0.NA/88.2", "88.2.1")]
    beside = [
        parse_identifier(text)
        for text in ("88/a", "88.20/a", "88.20.2/a", "0.NA/88", "88.20", "0.NA/88.2/a")
    ]
    for name in below + beside:
        learn(cache, url(100), identifier=name)
        cache.fail(name, Outcome.UNREACHABLE, "silence", at(0))
    cache.drop_below(b"88.2")
    for name in below:
        assert (cache.get(name, at(1)), cache.failure(name, at(1))) == (None, None)
    for name in beside:
        assert cache.get(name, at(1)) is not None
        assert cache.failure(name, at(1)) is not None
    assert cache.count == len(beside)


def test_clear_forgets_everything(cache):
    learn(cache, url(100))
    cache.fail(ITEM, Outcome.UNREACHABLE, "silence", at(0))
    cache.clear()
    assert (cache.get(ITEM, at(0)), cache.failure(ITEM, at(0))) == (None, None)
    assert (cache.count, cache.used_bytes) == (0, 0)


# ------------------------------------------------------------------------------------------------ memory


def test_a_scan_of_ten_times_the_budget_does_not_throw_out_what_is_asked_often():
    cache = ForeignCache(300_000)
    often = [read_identifier(b"88.200/often-%d" % number) for number in range(50)]
    for name in often:
        learn(cache, url(3600), identifier=name)
    scanned_bytes, number = 0, 0
    while scanned_bytes < 10 * 300_000:
        found = learn(cache, url(3600), identifier=read_identifier(b"88.201/%d" % number))
        scanned_bytes += found.held.cost_bytes
        assert cache.get(often[number % 50], at(1)) is not None, number
        assert cache.used_bytes <= 300_000
        number += 1
    assert number > 5 * cache.count


@pytest.mark.parametrize(
    "name",
    [b"88.200/SN-%06d", b"88.200/sn-%06d", b"88.%d/SN"],
    ids=["upper case", "lower case", "a prefix each"],
)
@pytest.mark.parametrize("count", [0, 1, 5], ids="{} values".format)
def test_the_bytes_counted_are_those_really_taken(name, count):
    names = [read_identifier(name % number) for number in range(1000)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        cache = ForeignCache(1 << 30)
        for number, identifier in enumerate(names):
            values = [url(100, index) for index in range(1, count + 1)]
            spelled = read_identifier(bytes(bytearray(identifier.spelling)))
            learn(cache, *values, identifier=spelled, when=number / 7)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 1.0 <= cache.used_bytes / taken < 1.3


# ------------------------------------------------------------------------------------------------ after a restart


def hot(ttl_s, age_s, *values, rank=Rank.TCP, name=b"88.200/sn-1"):
    return HotRecord(
        name, rank, 7, float(age_s), float(ttl_s), encode_values(values or (url(ttl_s),))
    )


def test_what_is_restored_is_fresh_for_what_is_left_of_its_ttl_and_then_stale_as_ever(cache):
    assert cache.restore(hot(100, 40), ITEM, at(0))
    found = cache.get(ITEM, at(10))
    assert (found.state, found.values[0].ttl) == (State.FRESH, 50)
    assert found.held.learned_wall_s == WALL_S - 40
    assert states(cache, 59.9, 60, 60 + LIMITS.stale_s, 61 + LIMITS.stale_s) == [
        State.AHEAD, State.STALE, State.STALE, None,
    ]  # fmt: skip


def test_what_is_restored_stale_tells_thirty_seconds(cache):
    assert cache.restore(hot(100, 5000), ITEM, at(0))
    found = cache.get(ITEM, at(0))
    assert (found.state, found.values[0].ttl) == (State.STALE, 30)


def test_what_is_over_is_not_restored(cache):
    assert not cache.restore(hot(100, 101 + LIMITS.stale_s), ITEM, at(0))
    assert cache.count == 0


def test_an_absolute_ttl_of_a_restored_record_ends_by_the_wall_clock_even_if_its_age_says_later(
    cache,
):
    assert cache.restore(hot(1000, 0, until(30)), ITEM, at(0))
    assert states(cache, 29, 30) == [State.AHEAD, State.STALE]


def test_an_absolute_ttl_is_not_lengthened_by_a_wall_clock_that_was_set_back(cache):
    assert cache.restore(hot(100, 40, until(7200)), ITEM, at(0))
    assert states(cache, 59, 60) == [State.AHEAD, State.STALE]


def test_no_restored_record_is_fresh_for_more_than_two_days_in_all(cache):
    cache.restore(hot(10 * int(LIMITS.ttl_most_s), 1000), ITEM, at(0))
    left_s = LIMITS.ttl_most_s - 1000
    assert states(cache, left_s - 1, left_s) == [State.AHEAD, State.STALE]


def test_what_is_restored_keeps_how_hard_it_was_to_forge(cache):
    cache.restore(hot(100, 0, rank=Rank.SIGNED), ITEM, at(0))
    assert learn(cache, url(7), rank=Rank.TCP, when=1) is None
    assert cache.get(ITEM, at(1)).held.rank is Rank.SIGNED


def test_what_was_learned_since_is_not_replaced_by_what_is_restored(cache):
    learn(cache, url(7))
    assert not cache.restore(hot(100, 0), ITEM, at(1))
    assert cache.get(ITEM, at(1)).held.ttl_s == 7


def test_values_that_cannot_be_read_are_not_restored(cache):
    with pytest.raises(Malformed):
        cache.restore(hot(100, 0)._replace(encoded=b"\0\0\0\1x"), ITEM, at(0))
    assert cache.count == 0
