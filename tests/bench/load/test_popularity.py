"""Popularity: Zipf is Zipf, uniform is uniform, and popular keys are not neighbours."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.popularity import Uniform, Zipf, scatter_stride

DRAWS = 60_000


@pytest.mark.parametrize(
    ("count", "exponent"), [(10, 1.0), (100, 0.7), (1000, 1.1), (50, 2.5), (3, 0.01)]
)
def test_each_rank_is_drawn_as_often_as_zipf_says(count, exponent):
    zipf = Zipf(count, exponent, Random(11))
    found = Counter(zipf.rank() for _ in range(DRAWS))
    weights = [k**-exponent for k in range(1, count + 1)]
    total = sum(weights)
    assert set(found) <= set(range(1, count + 1))
    chi_square = 0.0
    for k, weight in enumerate(weights, 1):
        expected = DRAWS * weight / total
        chi_square += (found[k] - expected) ** 2 / expected
    assert chi_square < count + 5 * (2 * count) ** 0.5  # mean and deviation of the distribution


def test_ten_million_keys_need_no_table():
    zipf = Zipf(10_000_000, 0.9, Random(3))
    ranks = [zipf.rank() for _ in range(20_000)]
    harmonic = sum(k**-0.9 for k in range(1, 10_000_001))
    hundred = sum(k**-0.9 for k in range(1, 101)) / harmonic
    assert sum(rank <= 100 for rank in ranks) / len(ranks) == pytest.approx(hundred, abs=0.012)
    assert max(ranks) > 9_000_000


def test_uniform_draws_all_alike():
    uniform = Uniform(20, Random(5))
    found = Counter(uniform.draw() for _ in range(40_000))
    assert set(found) == set(range(20))
    assert max(found.values()) / min(found.values()) < 1.2


@given(st.integers(1, 100_000))
def test_every_rank_has_a_key_of_its_own(count):
    stride = scatter_stride(count)
    sample = range(min(count, 2000))
    assert len({rank * stride % count for rank in sample}) == len(sample)


def test_the_most_popular_keys_lie_far_apart():
    zipf = Zipf(100_000, 1.2, Random(1))
    popular = [key for key, _ in Counter(zipf.draw() for _ in range(20_000)).most_common(10)]
    assert min(abs(a - b) for a in popular for b in popular if a != b) > 1000


def test_the_same_seed_asks_the_same():
    def draws(seed: int) -> list[int]:
        zipf = Zipf(1000, 0.9, Random(seed))
        return [zipf.draw() for _ in range(100)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
