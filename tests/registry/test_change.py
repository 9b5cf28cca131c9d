"""A feed entry comes back as it was written, and a damaged one is an error of its own, never something half read."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed
from protocols.message import Operation
from registry.change import Change, decode_change, encode_change

CHANGE = Change(
    7, 1_780_000_000_000, Operation.DELEGATE, b"0.NA/88.118.7", 2, bytes(32),
    "operator", "command line", "r1", b"\x01" * 32,
)  # fmt: skip
FIELDS = msgpack.unpackb(encode_change(CHANGE))


@pytest.mark.parametrize("operation", Operation)
def test_an_entry_of_every_operation_comes_back_as_it_was(operation):
    change = CHANGE._replace(operation=operation)
    assert decode_change(encode_change(change)) == change


@pytest.mark.parametrize("place", range(len(FIELDS)))
@pytest.mark.parametrize("other", [None, [], True, 1.5, {}])
def test_a_field_of_another_type_is_damage(place, other):
    fields = [*FIELDS[:place], other, *FIELDS[place + 1 :]]
    with pytest.raises(Malformed):
        decode_change(msgpack.packb(fields))


@pytest.mark.parametrize("fields", [FIELDS[:-1], [*FIELDS, 1], [], 7, "text", None, {}])
def test_another_number_of_fields_is_damage(fields):
    with pytest.raises(Malformed):
        decode_change(msgpack.packb(fields))


@given(st.data())
def test_a_flipped_bit_gives_an_entry_or_damage_and_nothing_else(data):
    entry = bytearray(encode_change(CHANGE))
    bit = data.draw(st.integers(0, len(entry) * 8 - 1))
    entry[bit // 8] ^= 1 << bit % 8
    try:
        change = decode_change(bytes(entry))
    except Malformed:
        return
    assert change != CHANGE
    assert encode_change(change)
