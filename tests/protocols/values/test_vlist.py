"""HS_VLIST data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, TooLarge
from protocols.values.value import Reference
from protocols.values.vlist import MAX_MEMBERS, decode_vlist, encode_vlist
from tests.protocols.strategies import vlists
from tests.protocols.values.hostile import assert_every_truncation_is_refused, survive_mutation
from tests.protocols.values.vectors import vector_bytes, vector_meaning

VECTOR = vector_bytes("data_hs_vlist")


def test_the_vector_names_its_members():
    expected = tuple(
        Reference(handle, index) for index, handle in vector_meaning("data_hs_vlist")["list"]
    )
    assert decode_vlist(VECTOR) == expected
    assert encode_vlist(expected) == VECTOR


@given(vlists)
def test_bytes_and_object_are_one(members):
    assert decode_vlist(encode_vlist(members)) == members


def test_a_shortened_group_is_refused():
    assert_every_truncation_is_refused(decode_vlist, VECTOR)


def test_a_group_with_surplus_bytes_grants_nothing():
    with pytest.raises(Malformed) as caught:
        decode_vlist(VECTOR + b"\0")
    assert caught.value.offset == len(VECTOR)


def test_a_count_beyond_the_bytes_is_refused_before_anything_is_read():
    with pytest.raises(Malformed) as caught:
        decode_vlist(b"\xff\xff\xff\xff" + VECTOR[4:])
    assert caught.value.offset == 0


def test_more_members_than_allowed_are_too_large():
    assert len(decode_vlist(encode_vlist([Reference("", 0)] * MAX_MEMBERS))) == MAX_MEMBERS
    with pytest.raises(TooLarge):
        decode_vlist(encode_vlist([Reference("", 0)] * (MAX_MEMBERS + 1)))


@given(vlists, st.integers(0), st.binary(min_size=1, max_size=6))
def test_a_damaged_group_raises_only_protocol_errors(members, at, replacement):
    survive_mutation(decode_vlist, encode_vlist(members), at, replacement)
