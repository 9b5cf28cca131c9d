from hypothesis import given, settings
from hypothesis import strategies as st

from resolver.budgets import MAX_PREFIX_BYTES, MissBudgets
from resolver.limits import Limits

SOURCE, OTHER = "192.0.2.7", "192.0.2.8"
PREFIX = b"88.200"
STRICT = Limits(misses_per_prefix_s=5, misses_per_source_s=2, trickle=1_000_000)


def passed(budgets, count, now_s=0.0, prefix=PREFIX, source=SOURCE, is_free=False):
    return sum(budgets.take(prefix, source, now_s, is_free) for _ in range(count))


def test_a_source_gets_its_rate_and_one_in_ten_of_the_rest():
    budgets = MissBudgets()
    assert passed(budgets, 20) == 20
    assert [budgets.take(PREFIX, SOURCE, 0.0) for _ in range(10)] == [False] * 9 + [True]
    assert budgets.refused == {"prefix": 0, "source": 9}


def test_a_flood_of_any_size_gets_no_more_than_five_in_a_hundred_besides():
    budgets = MissBudgets()
    seconds = 10
    asked = (budgets.take(PREFIX, f"10.{n % 200}.0.1", n / 4_000) for n in range(seconds * 4_000))
    assert 100 + 99 * seconds <= sum(asked) <= (100 + 100 * seconds) * 1.05


def test_a_prefix_gets_its_rate_from_all_sources_together_and_one_in_ten_of_the_rest():
    budgets = MissBudgets()
    assert sum(passed(budgets, 20, source=f"192.0.2.{n}") for n in range(5)) == 100
    answers = [budgets.take(PREFIX, f"198.51.100.{n}", 0.0) for n in range(20)]
    assert answers == ([False] * 9 + [True]) * 2  # five a second may
    assert budgets.refused == {"prefix": 18, "source": 0}


def test_the_few_besides_are_saved_up_for_a_second_only():
    budgets = MissBudgets()
    passed(budgets, 1_000, is_free=True)
    assert passed(budgets, 10_000, now_s=1e6, is_free=True) == 100 + 5


def test_other_prefixes_and_other_sources_do_not_pay_for_a_flood():
    budgets = MissBudgets(STRICT)
    passed(budgets, 1_000, is_free=True)
    assert passed(budgets, 3, prefix=b"88.201") == 2
    assert passed(budgets, 3, prefix=b"88.201", source=OTHER) == 2


def test_free_networks_are_held_to_the_budget_of_the_prefix_only():
    budgets = MissBudgets(STRICT)
    assert passed(budgets, 100, is_free=True) == 5
    assert budgets.refused == {"prefix": 95, "source": 0}


def test_what_the_prefix_refuses_does_not_use_up_the_source():
    budgets = MissBudgets(STRICT)
    passed(budgets, 5, is_free=True)
    assert passed(budgets, 50) == 0
    assert passed(budgets, 3, prefix=b"88.201") == 2


def test_what_the_source_refuses_does_not_use_up_the_prefix():
    budgets = MissBudgets(STRICT)
    assert passed(budgets, 1_000) == 2
    assert passed(budgets, 10, is_free=True) == 3


def test_nobody_saves_up_more_than_one_second():
    budgets = MissBudgets(STRICT)
    passed(budgets, 10)
    assert passed(budgets, 10, now_s=1e6) == 2
    assert passed(budgets, 10, now_s=1e6 + 0.5) == 1


def test_a_rate_below_one_a_second_still_lets_one_pass():
    budgets = MissBudgets(STRICT._replace(misses_per_source_s=0.5))
    assert [passed(budgets, 3, now_s) for now_s in (0.0, 1.0, 2.0)] == [1, 0, 1]


def test_an_ipv6_source_is_its_64_bit_network_and_a_mapped_address_is_ipv4():
    budgets = MissBudgets(STRICT)
    assert passed(budgets, 2, source="2001:db8:1:2::1") == 2
    assert passed(budgets, 1, source="2001:db8:1:2:ffff::9") == 0
    assert passed(budgets, 1, source="2001:db8:1:3::1") == 1
    budgets = MissBudgets(STRICT)
    assert passed(budgets, 2, source=SOURCE) == 2
    assert passed(budgets, 1, source=f"::ffff:{SOURCE}") == 0


def test_a_million_forged_sources_and_made_up_prefixes_do_not_fill_the_memory():
    budgets = MissBudgets(max_prefixes=100, max_sources=100)
    for n in range(5_000):
        budgets.take(b"%d" % n, f"10.{n >> 8}.{n & 255}.1", 0.0)
        assert len(budgets) <= 400


def test_a_prefix_under_attack_is_remembered_through_a_flood_of_others():
    budgets = MissBudgets(STRICT, max_prefixes=100)
    answered = 0
    for n in range(2_000):
        passed(budgets, 1, prefix=b"99.%d" % n, is_free=True)
        answered += passed(budgets, 1, is_free=True)
    assert answered == 5


def test_longer_prefixes_than_anybody_uses_share_a_budget_when_they_begin_alike():
    budgets = MissBudgets(STRICT)
    long = b"9" * MAX_PREFIX_BYTES
    assert sum(passed(budgets, 1, prefix=b"%s%d" % (long, n), is_free=True) for n in range(50)) == 5


ASKS = st.lists(
    st.tuples(st.floats(0, 0.6), st.booleans(), st.booleans(), st.booleans()), max_size=150
)


@settings(max_examples=60, deadline=None)
@given(ASKS, st.floats(0.5, 20), st.floats(0.5, 20), st.sampled_from([2, 10, 1_000_000]))
def test_over_any_time_nobody_gets_more_than_burst_rate_and_trickle(asks, prefix, source, trickle):
    limits = Limits(misses_per_prefix_s=prefix, misses_per_source_s=source, trickle=trickle)
    budgets = MissBudgets(limits)
    now_s, asked = 0.0, []
    for pause_s, is_first_prefix, is_first_source, is_free in asks:
        now_s += pause_s
        key = PREFIX if is_first_prefix else b"1"
        is_ok = budgets.take(key, SOURCE if is_first_source else OTHER, now_s, is_free)
        asked.append((now_s, is_first_prefix, is_first_source and not is_free, is_ok))
    for rate, is_of_it in ((prefix, lambda ask: ask[1]), (source, lambda ask: ask[2])):
        mine = [ask for ask in asked if is_of_it(ask)]
        for at in range(0, len(mine), 7):
            count, refused = 0, 0
            for time_s, _, _, is_ok in mine[at:]:
                count += is_ok
                refused += not is_ok
                seconds = time_s - mine[at][0]
                trickled = (count + refused) / trickle + 1
                assert count <= max(rate, 1) + rate * seconds + trickled + 1e-6
    assert sum(budgets.refused.values()) == sum(not is_ok for *_, is_ok in asked)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.integers(2, 20), st.integers(1, 400))
def test_at_one_moment_the_count_is_exact(rate, trickle, asked):
    budgets = MissBudgets(Limits(misses_per_prefix_s=rate, trickle=trickle))
    over = max(asked - rate, 0)
    spare = max(rate // 20, 1)
    assert passed(budgets, asked, is_free=True) == min(asked, rate) + min(over // trickle, spare)


def test_spent_is_said_only_where_asking_would_be_refused_and_asks_for_nothing():
    budgets = MissBudgets()
    assert not budgets.is_spent(PREFIX, SOURCE, 0.0)
    assert passed(budgets, 1_000) == 20 + 1
    assert budgets.is_spent(PREFIX, SOURCE, 0.0)
    assert passed(budgets, 100) == 0
    assert not budgets.is_spent(PREFIX, OTHER, 0.0)
    assert not budgets.is_spent(PREFIX, SOURCE, 0.0, is_free=True)
    assert not budgets.is_spent(PREFIX, SOURCE, 0.05)
    assert passed(budgets, 1, now_s=0.05) == 1
