"""HS_ADMIN data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cursor import Reader
from protocols.errors import Malformed, TooLarge
from protocols.values.admin import (
    ADD_ADMIN,
    ADD_HANDLE,
    ALL_PERMISSIONS,
    DELETE_DERIVED_PREFIX,
    LIST_HANDLES,
    PERMISSION_NAMES,
    Admin,
    decode_admin,
    encode_admin,
    format_permissions,
    parse_permissions,
)
from protocols.values.value import read_value
from tests.protocols.strategies import admins, u16
from tests.protocols.values.hostile import assert_every_truncation_is_refused, survive_mutation
from tests.protocols.values.vectors import vector_bytes

V2_DATA = bytes.fromhex("0ff700000011302e4e412f32302e3530302e3939393939000000c8")


def test_the_published_bytes_name_who_and_what():
    assert decode_admin(V2_DATA) == Admin("0.NA/20.500.99999", 200, 0x0FF7)
    assert encode_admin(Admin("0.NA/20.500.99999", 200, 0x0FF7)) == V2_DATA


def test_the_value_vector_holds_an_administrator():
    value = read_value(Reader(vector_bytes("value_hs_admin")))
    assert value.type == "HS_ADMIN"
    admin = decode_admin(value.data)
    assert admin.permissions & ADD_HANDLE
    assert not admin.permissions & DELETE_DERIVED_PREFIX
    assert encode_admin(admin) == value.data


@given(admins)
def test_bytes_and_object_are_one(admin):
    assert decode_admin(encode_admin(admin)) == admin


def test_the_two_spare_bytes_of_old_servers_are_kept():
    admin = decode_admin(V2_DATA + b"\0\0")
    assert (admin.index, admin.spare) == (200, b"\0\0")
    assert encode_admin(admin) == V2_DATA + b"\0\0"


@pytest.mark.parametrize("surplus", [b"\0", b"\0\1", b"\0\0\0", b"x"])
def test_any_other_surplus_is_malformed_where_it_begins(surplus):
    with pytest.raises(Malformed) as caught:
        decode_admin(V2_DATA + surplus)
    assert caught.value.offset == len(V2_DATA)


def test_a_shortened_administrator_is_refused():
    assert_every_truncation_is_refused(decode_admin, V2_DATA)
    assert_every_truncation_is_refused(decode_admin, V2_DATA + b"\0\0", also_good={len(V2_DATA)})


@given(admins, st.integers(0), st.binary(min_size=1, max_size=6))
def test_a_damaged_administrator_raises_only_protocol_errors(admin, at, replacement):
    survive_mutation(decode_admin, encode_admin(admin), at, replacement)


def test_a_handle_that_is_not_text_is_malformed_at_its_byte():
    with pytest.raises(Malformed) as caught:
        decode_admin(V2_DATA.replace(b"0.NA", b"0.N\xff"))
    assert caught.value.offset == 2 + 4 + 3


def test_a_handle_longer_than_an_identifier_is_too_large():
    with pytest.raises(TooLarge):
        decode_admin(encode_admin(Admin("x" * 2049, 1)))


def test_permission_digits_begin_with_the_most_significant():
    assert format_permissions(0x7F3) == "011111110011"
    assert parse_permissions("011111110011") == 0x7F3
    assert format_permissions(LIST_HANDLES) == "100000000000"
    assert format_permissions(ADD_HANDLE) == "000000000001"
    assert format_permissions(0x1000) == "1000000000000"


@given(u16)
def test_permission_digits_and_number_are_one(permissions):
    assert parse_permissions(format_permissions(permissions)) == permissions


def test_a_star_means_every_permission():
    assert parse_permissions("*") == ALL_PERMISSIONS == 0xFFF


@pytest.mark.parametrize("text", ["", "012", "1" * 17, " 1", "+1", "0b1", "1_1", "**"])
def test_other_permission_texts_are_malformed(text):
    with pytest.raises(Malformed):
        parse_permissions(text)


def test_every_bit_has_one_name():
    assert sorted(PERMISSION_NAMES.values()) == [1 << bit for bit in range(13)]
    assert PERMISSION_NAMES["add_admin"] == ADD_ADMIN == 0x200
