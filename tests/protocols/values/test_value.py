"""One value and its place on the wire."""

import contextlib

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, ProtocolError, TooLarge
from protocols.values.value import (
    DEFAULT_PERMISSIONS,
    DEFAULT_TTL_S,
    MAX_DATA_BYTES,
    MAX_INDEX,
    MAX_REFERENCES,
    MAX_TYPE_BYTES,
    TTL_ABSOLUTE,
    NoReference,
    Reference,
    Value,
    parse_reference,
    read_value,
    write_value,
)
from tests.protocols.strategies import handles, u32, values
from tests.protocols.values.hostile import assert_every_truncation_is_refused, survive_mutation
from tests.protocols.values.vectors import vector_bytes


def encoded(value: Value) -> bytes:
    writer = Writer()
    write_value(writer, value)
    return writer.finish()


def decoded(data: bytes) -> Value:
    return read_value(Reader(data))


KNOWN = {
    "value_url": ("URL", 1, 0),
    "value_hs_admin": ("HS_ADMIN", 100, 0),
    "value_hs_seckey": ("HS_SECKEY", 300, 0),
    "value_abs_ttl_ref": (None, None, TTL_ABSOLUTE),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_vectors_decode_and_encode_to_their_bytes(name):
    type_, index, ttl_type = KNOWN[name]
    value = decoded(vector_bytes(name))
    assert value.ttl_type == ttl_type
    assert type_ is None or (value.type, value.index) == (type_, index)
    assert encoded(value) == vector_bytes(name)


def test_the_url_vector_in_full():
    value = decoded(vector_bytes("value_url"))
    assert value == Value(
        1, "URL", value.data, DEFAULT_TTL_S, 0, DEFAULT_PERMISSIONS, 0x68A00000, ()
    )
    assert value.data.startswith(b"https://example.org/")
    assert value.is_public


def test_the_vector_with_a_reference_has_one():
    (reference,) = decoded(vector_bytes("value_abs_ttl_ref")).references
    assert reference.handle
    assert reference.index > 0


@given(values(indexes=u32))
def test_bytes_and_value_are_one(value):
    assert decoded(encoded(value)) == value


@pytest.mark.parametrize("name", KNOWN)
def test_a_shortened_value_is_refused(name):
    assert_every_truncation_is_refused(decoded, vector_bytes(name))


@given(values(), st.integers(0), st.binary(min_size=1, max_size=6))
def test_a_damaged_value_raises_only_protocol_errors(value, at, replacement):
    survive_mutation(decoded, encoded(value), at, replacement)


def test_reading_stops_behind_the_value():
    reader = Reader(vector_bytes("value_url") + b"next")
    read_value(reader)
    assert reader.read_rest() == b"next"


@pytest.mark.parametrize(
    "value",
    [
        Value(1, "x" * (MAX_TYPE_BYTES + 1), b""),
        Value(1, "URL", bytes(MAX_DATA_BYTES + 1)),
        Value(1, "URL", b"", references=(Reference("", 0),) * (MAX_REFERENCES + 1)),
        Value(1, "URL", b"", references=(Reference("x" * 2049, 0),)),
    ],
    ids=["type", "data", "references", "reference"],
)
def test_each_limit_of_a_value_is_kept(value):
    with pytest.raises(TooLarge):
        decoded(encoded(value))


def test_a_value_at_its_limits_is_read():
    value = Value(
        2**32 - 1,
        "x" * MAX_TYPE_BYTES,
        bytes(MAX_DATA_BYTES),
        references=(Reference("", 0),) * MAX_REFERENCES,
    )
    assert decoded(encoded(value)) == value


def test_a_type_that_is_not_text_is_malformed_at_its_byte():
    data = vector_bytes("value_url").replace(b"URL", b"UR\xff")
    with pytest.raises(Malformed) as caught:
        decoded(data)
    assert caught.value.offset == 14 + 4 + 2


@pytest.mark.parametrize(
    ("permissions", "is_public"), [(0b1110, True), (0b1100, False), (0b0010, True), (0b1101, False)]
)
def test_only_the_public_read_bit_makes_a_value_public(permissions, is_public):
    assert Value(1, "URL", b"", permissions=permissions).is_public is is_public


@given(values(), u32)
def test_the_time_of_change_is_not_content(value, timestamp):
    assert value.same_content(value._replace(timestamp=timestamp))
    assert not value.same_content(value._replace(data=value.data + b"x"))
    assert not value.same_content(value._replace(permissions=value.permissions ^ 1))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, MAX_INDEX), handles)
def test_a_reference_as_text_is_read_as_itself(index, handle):
    assume(not handle.endswith("/") or handle.count("/") > 1)  # a handle has a suffix
    reference = Reference(handle, index)
    assert parse_reference(str(reference)) == reference


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"\d{1,12}:[a-z/:]{0,4}", fullmatch=True))
def test_text_that_is_read_as_a_reference_says_the_same_when_written(text):
    with contextlib.suppress(ProtocolError):
        reference = parse_reference(text)
        index, _, handle = str(reference).partition(":")
        assert 0 <= int(index) <= MAX_INDEX
        assert parse_reference(str(reference)) == reference
        assert text.endswith(f":{handle}")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("301:88.111.1/0.0", Reference("88.111.1/0.0", 301)),
        ("0:0.NA/88.118", Reference("0.NA/88.118", 0)),
        ("1:a/b:c", Reference("a/b:c", 1)),
        ("007:88.118", Reference("88.118", 7)),
        (f"{MAX_INDEX}:a/b", Reference("a/b", MAX_INDEX)),
    ],
)
def test_a_reference_is_cut_at_its_first_colon(text, reference):
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    ["", "300", "88.118/1", ":a/b", "x:a/b", " 300:a/b", "300 :a/b", "-1:a/b", "+1:a/b", "1_0:a/b", "1.5:a/b",
     "٣:a/b", "３:a/b", "²:a/b", f"{MAX_INDEX + 1}:a/b", "00000000001:a/b", "9" * 5000 + ":a/b"],
)  # fmt: skip
def test_text_without_an_index_is_no_reference(text):
    with pytest.raises(NoReference) as caught:
        parse_reference(text)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("handle", ["", "/", "/x", "x/", "a/\ud800", "a/" + "x" * 2048])
def test_a_reference_to_what_is_no_handle_is_refused_as_the_handle_is(handle):
    with pytest.raises((Malformed, TooLarge), match="identifier") as caught:
        parse_reference(f"300:{handle}")
    assert not isinstance(caught.value, NoReference)
