"""The stored form of a record."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError, Unsupported
from protocols.record import (
    FORMAT,
    NO_VALUES,
    Record,
    decode_record,
    encode_record,
    public_offset,
)
from protocols.values.value import Value
from protocols.values.value_list import encode_values
from tests.protocols.strategies import u32, value_lists

KEY = b"88.118.7/SN-1"
PUBLIC = encode_values([Value(1, "URL", b"https://example.org", timestamp=7)])
RECORD = Record(KEY, KEY, 1, 42, 1_700_000_000, 86_400, PUBLIC)

records = st.builds(
    Record,
    key=st.binary(min_size=1, max_size=30),
    spelling=st.binary(min_size=1, max_size=30),
    version=u32,
    seq=st.integers(0, 2**64 - 1),
    modified_s=u32,
    least_ttl_s=u32,
    public=value_lists.map(encode_values),
    sealed=st.binary(max_size=50),
    is_deleted=st.booleans(),
    has_absolute_ttl=st.booleans(),
)


@given(records, st.booleans())
def test_stored_bytes_and_record_are_one(record, spelled_as_folded):
    if spelled_as_folded:
        record = record._replace(spelling=record.key)
    assert decode_record(record.key, encode_record(record)) == record


@given(records)
def test_the_public_values_lie_last_exactly_as_on_the_wire(record):
    stored = encode_record(record)
    assert stored[public_offset(stored) :] == record.public


def test_the_documented_head():
    stored = encode_record(
        RECORD._replace(is_deleted=True, has_absolute_ttl=True, public=NO_VALUES)
    )
    assert struct.unpack_from(">BBIQII", stored) == (FORMAT, 4 | 8, 1, 42, 1_700_000_000, 86_400)


def test_the_spelling_costs_nothing_when_it_is_the_folded_one():
    spelled = RECORD._replace(spelling=b"88.118.7/sn-1")
    assert len(encode_record(spelled)) == len(encode_record(RECORD)) + 2 + len(KEY)
    assert encode_record(spelled)[1] == encode_record(RECORD)[1] | 1


def test_the_sealed_values_are_not_in_what_a_public_answer_takes():
    stored = encode_record(RECORD._replace(sealed=b"secret", spelling=b"88.118.7/sn-1"))
    assert b"secret" in stored
    assert b"secret" not in stored[public_offset(stored) :]


@given(records, st.data())
def test_any_flipped_byte_is_found(record, data):
    stored = bytearray(encode_record(record))
    at = data.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError):
        decode_record(record.key, bytes(stored))


def test_a_record_under_another_key_is_damage():
    with pytest.raises(Malformed):
        decode_record(b"88.118.7/SN-2", encode_record(RECORD))


def test_a_shortened_record_is_malformed_at_every_length():
    stored = encode_record(RECORD._replace(sealed=b"secret", spelling=b"88.118.7/sn-1"))
    for length in range(len(stored)):
        with pytest.raises(Malformed):
            decode_record(KEY, stored[:length])


def test_a_newer_format_is_unsupported_and_named():
    stored = encode_record(RECORD)
    with pytest.raises(Unsupported, match="format 2"):
        decode_record(KEY, b"\2" + stored[1:])


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_a_protocol_error(stored):
    with pytest.raises(ProtocolError):
        decode_record(KEY, bytes([FORMAT]) + stored)
