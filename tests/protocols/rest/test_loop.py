"""CDN-Loop: which nodes an HTTP question has passed, whatever else stands in the field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.rest.loop import MAX_HOPS, read_loop, write_loop

ids = st.text("0123456789abcdef", min_size=1, max_size=16)


@given(st.lists(ids, min_size=1, max_size=8).map(tuple), st.integers(0, MAX_HOPS))
def test_ids_and_hops_come_back(via: tuple[str, ...], hop_count: int) -> None:
    assert read_loop(write_loop(via, hop_count)) == (via, max(hop_count, len(via)))


@pytest.mark.parametrize(
    ("field", "read"),
    [
        ("", ((), 0)),
        ("ab", (("ab",), 1)),
        ("foo.cdn.example; v=2, ab;hops=3, OTHER", (("ab",), 3)),
        ("ab; hops=9999, cd; x=1", (("ab", "cd"), 2)),
        (",,;;,", ((), 0)),
        ("a" * 2000, ((), MAX_HOPS)),
    ],
)
def test_other_makes_are_passed_over(field: str, read: tuple) -> None:
    assert read_loop(field) == read


@given(st.text(max_size=60))
def test_no_field_is_too_odd(field: str) -> None:
    via, hops = read_loop(field)
    assert hops >= len(via)


def test_nothing_to_say_is_an_empty_field() -> None:
    assert write_loop((), 3) == ""
