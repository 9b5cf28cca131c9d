"""The search finds the limit of servers whose limit is known."""

import pytest

from bench.load.search import MOST_STEPS, PRECISION, Search
from bench.report.result import SearchStep


def find(limit: float, first: float, most: float = 1e6, client_most: float = 1e9) -> Search:
    """Against a server that keeps up to ``limit`` and a client that manages ``client_most``."""
    search = Search(first, most)
    while (rate := search.next_rate) is not None:
        is_late = rate > client_most
        passed = rate <= limit and not is_late
        search.tell(SearchStep(rate, min(rate, limit), 1.0, 0.0, passed, is_late))
    return search


@pytest.mark.parametrize("limit", [700, 40_000, 51_000, 99_000, 160_000])
def test_the_limit_is_found_from_below_and_from_above(limit):
    search = find(limit, first=50_000)
    assert search.best is not None
    assert limit * (1 - PRECISION) <= search.best.offered_per_s <= limit
    assert len(search.steps) <= MOST_STEPS
    assert "did not pass" in search.ending


def test_no_more_is_offered_than_the_operator_allows():
    search = find(limit=1e9, first=50_000, most=60_000)
    assert search.best is not None
    assert search.best.offered_per_s == 60_000
    assert max(step.offered_per_s for step in search.steps) == 60_000
    assert "allowed" in search.ending


def test_a_server_that_keeps_up_with_nothing_ends_the_search():
    search = find(limit=0, first=50_000)
    assert search.best is None
    assert search.steps[-1].offered_per_s <= 500
    assert "not even" in search.ending


def test_when_the_client_is_the_limit_the_search_says_so():
    search = find(limit=1e9, first=50_000, client_most=70_000)
    assert search.best is not None
    assert search.best.offered_per_s <= 70_000
    assert "--processes" in search.ending
