"""The fast path gives the bytes of the slow path."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.rest.public_json import render_public
from protocols.rest.record_json import render_record
from protocols.values.value import PUBLIC_READ, Reference, Value
from protocols.values.value_list import decode_values, encode_values
from tests.protocols import strategies
from tests.protocols.values.vectors import vector_bytes

HANDLE = b"88.118.7/SN-1"

any_values = st.lists(
    st.builds(
        Value,
        index=strategies.u32,
        type=strategies.type_names | strategies.texts,
        data=strategies.short_bytes
        | strategies.texts.map(str.encode)
        | st.sampled_from(["data_hs_site", "data_hs_pubkey_rsa", "data_hs_vlist"]).map(vector_bytes),
        ttl=strategies.u32,
        ttl_type=strategies.u8,
        permissions=strategies.u8,
        timestamp=st.just(0) | strategies.u32,
        references=st.just(()) | st.lists(strategies.references, max_size=2).map(tuple),
    ),
    max_size=5,
)  # fmt: skip


@given(st.text(min_size=1, max_size=20).map(str.encode), any_values)
@example(b"a/b", [])
@example('"\\/é\0'.encode(), [Value(1, 'a"b\\', b'\0"\\\x1f\x7f \xe2\x80\xa8</script>')])
@example(b"a/b", [Value(1, "URL", b"\xff"), Value(2, "HS_ADMIN", b"x"), Value(3, "URL", b"y")])
@example(b"a/b", [Value(1, "URL", b"x", references=(Reference("a/b", 1),)), Value(2, "URL", b"y")])
@example(
    b"a/b", [Value(1, "HS_VLIST", b"\0\0\0\0", permissions=PUBLIC_READ), Value(2, "URL", b"y")]
)
def test_both_paths_give_the_same_bytes(handle, values):
    assert render_public(handle, encode_values(values)) == render_record(handle, values)


@given(any_values, st.integers(0), st.binary(max_size=4))
def test_damaged_bytes_are_refused_by_both_paths_alike(values, at, replacement):
    public = encode_values(values)
    at %= len(public) + 1
    damaged = public[:at] + replacement + public[at + max(1, len(replacement)) :]
    try:
        expected = render_record(HANDLE, decode_values(damaged))
    except ProtocolError:
        with pytest.raises(ProtocolError):
            render_public(HANDLE, damaged)
    else:
        assert render_public(HANDLE, damaged) == expected


def test_a_list_cut_at_any_length_is_refused():
    public = encode_values([Value(1, "URL", b"x"), Value(100, "HS_VLIST", b"\0\0\0\0")])
    for length in range(len(public)):
        with pytest.raises(ProtocolError):
            render_public(HANDLE, public[:length])
