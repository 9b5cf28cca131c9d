"""The table of predefined types, and text."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError
from protocols.values.data import TYPES, data_type_of
from protocols.values.text import decode_text, encode_text
from tests.protocols.strategies import texts
from tests.protocols.values.vectors import vector_bytes

GOOD = {
    "admin": bytes.fromhex("0ff700000011302e4e412f32302e3530302e3939393939000000c8"),
    "vlist": vector_bytes("data_hs_vlist"),
    "site": vector_bytes("data_hs_site"),
    "key": vector_bytes("data_hs_pubkey_rsa"),
    "string": "标识".encode(),
}


@pytest.mark.parametrize("name", TYPES)
def test_every_type_decodes_and_encodes_its_data(name):
    data_type = TYPES[name]
    good = GOOD[data_type.format]
    assert data_type.encode(data_type.decode(good)) == good


@pytest.mark.parametrize("name", TYPES)
@given(data=st.binary(max_size=80))
def test_any_bytes_for_any_type_raise_only_protocol_errors(name, data):
    with suppress(ProtocolError):
        TYPES[name].decode(data)


def test_types_are_found_in_any_case_and_the_table_is_upper_case():
    assert data_type_of("hs_admin") is TYPES["HS_ADMIN"]
    assert data_type_of("10320/loc") is TYPES["10320/LOC"]
    assert all(name == name.upper() for name in TYPES)


def test_a_free_type_may_hold_anything():
    assert data_type_of("BARCODE") is None


def test_data_that_breaks_its_type_is_refused():
    for name, data in [
        ("HS_ADMIN", b"x"),
        ("HS_SITE.PREFIX", b""),
        ("URL", b"\xff"),
        ("HS_SECKEY", b""),
    ]:
        with pytest.raises(ProtocolError):
            TYPES[name].decode(data)


@given(texts)
def test_text_and_bytes_are_one(text):
    assert decode_text(encode_text(text)) == text


def test_text_that_is_none_is_malformed_at_its_byte():
    with pytest.raises(Malformed) as caught:
        decode_text(b"ab\xff")
    assert caught.value.offset == 2
    with pytest.raises(Malformed):
        encode_text("\ud800")
