"""Ids that say who made them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.slots import ID_BITS, MOST_SLOTS, new_id, slot_of


@given(st.integers(0, MOST_SLOTS - 1), st.sampled_from([16, ID_BITS, 63]))
def test_the_slot_is_found_again_in_every_id(slot: int, bits: int) -> None:
    made = new_id(slot, bits)
    assert 0 < made < 2**bits
    assert slot_of(made, bits) == slot


@pytest.mark.parametrize("chosen", [0, 1, 10_001, 2**23 - 1, 2**32 - 1])
def test_ids_that_clients_choose_have_no_slot(chosen: int) -> None:
    assert slot_of(chosen) is None


def test_ids_are_not_repeated_in_practice() -> None:
    assert len({new_id(3) for _ in range(100)}) == 100
