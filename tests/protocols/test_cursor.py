"""Every read is bounded, every surplus explicit."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cursor import MAX_COUNTED_BYTES, Reader, Writer
from protocols.errors import Malformed, ProtocolError, TooLarge

FIELDS = {
    "u8": (st.integers(0, 2**8 - 1), Writer.write_u8, Reader.read_u8),
    "u16": (st.integers(0, 2**16 - 1), Writer.write_u16, Reader.read_u16),
    "u32": (st.integers(0, 2**32 - 1), Writer.write_u32, Reader.read_u32),
    "u64": (st.integers(0, 2**64 - 1), Writer.write_u64, Reader.read_u64),
    "counted": (st.binary(max_size=20), Writer.write_counted, Reader.read_counted),
    "text": (st.text(max_size=20), Writer.write_text, Reader.read_text),
}
fields = st.lists(
    st.sampled_from(list(FIELDS)).flatmap(lambda kind: st.tuples(st.just(kind), FIELDS[kind][0])),
    max_size=8,
)


def written(message) -> bytes:
    writer = Writer()
    for kind, value in message:
        FIELDS[kind][1](writer, value)
    return writer.finish()


def read_all(reader, message) -> list:
    return [FIELDS[kind][2](reader, "x") for kind, _ in message]


@given(fields, st.binary(max_size=4), st.binary(max_size=4))
def test_what_was_written_is_read_in_order_and_the_surplus_is_left(message, before, after):
    reader = Reader(before + written(message) + after, start=len(before))
    assert read_all(reader, message) == [value for _, value in message]
    assert reader.remaining == len(after)
    assert reader.read_rest() == after
    assert reader.remaining == 0


@given(fields, st.data())
def test_a_shortened_message_is_malformed_within_its_bytes(message, data):
    whole = written(message)
    if not whole:
        return
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Malformed) as caught:
        read_all(Reader(whole[:cut]), message)
    assert 0 <= caught.value.offset <= cut


def test_integers_are_big_endian():
    assert (
        written([("u16", 0x0102), ("u32", 0x03040506), ("u64", 7)]).hex()
        == "0102030405060000000000000007"
    )
    assert Reader(b"\1\2\3\4").read_u32("x") == 0x01020304
    assert Reader(b"\0\0\0\0\0\0\1\0").read_u64("x") == 256


def test_a_reader_stays_inside_its_window():
    reader = Reader(b"\0\0\0\2abcdef", end=5)
    with pytest.raises(Malformed) as caught:
        reader.read_counted("name")
    assert (caught.value.offset, caught.value.reason) == (0, "name: length 2 runs past the end")
    with pytest.raises(Malformed):
        Reader(b"abcd", end=3).read_u32("x")
    assert Reader(b"abcd", start=1, end=3).read_rest() == b"bc"


@pytest.mark.parametrize(
    "read", [Reader.read_u8, Reader.read_u16, Reader.read_u32, Reader.read_u64]
)
def test_a_number_that_is_not_all_there_is_malformed_where_it_begins(read):
    reader = Reader(b"ab", start=2)
    with pytest.raises(Malformed) as caught:
        read(reader, "serial")
    assert caught.value.offset == 2
    assert caught.value.reason.startswith("serial: ")


def test_a_refused_read_leaves_the_cursor_where_the_trouble_begins():
    reader = Reader(b"\1\2")
    with pytest.raises(Malformed):
        reader.read_u32("x")
    assert reader.read_u16("x") == 0x0102


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\5"])
def test_a_length_beyond_the_bytes_is_malformed_before_it_is_used(length):
    for read in (Reader.read_counted, Reader.read_text):
        with pytest.raises(Malformed) as caught:
            read(Reader(b"x" + length + b"abcd", start=1), "data")
        assert caught.value.offset == 1


def test_a_counted_field_has_a_limit():
    data = b"\0\0\0\3abc"
    assert Reader(data).read_counted("x", limit=3) == b"abc"
    with pytest.raises(TooLarge) as caught:
        Reader(data).read_counted("x", limit=2)
    assert caught.value.offset == 0
    big = (MAX_COUNTED_BYTES + 1).to_bytes(4) + bytes(MAX_COUNTED_BYTES + 1)
    with pytest.raises(TooLarge):
        Reader(big).read_counted("x")


def test_text_that_is_not_utf8_is_malformed_at_its_byte():
    with pytest.raises(Malformed) as caught:
        Reader(b"\0\0\0\3ab\xff").read_text("name")
    assert (caught.value.offset, caught.value.reason) == (6, "name: not UTF-8")


def test_a_count_must_fit_the_bytes_that_are_there():
    assert Reader(b"\0\0\0\2" + bytes(8)).read_count("values", 4, 10) == 2
    for count in (b"\0\0\0\3", b"\xff\xff\xff\xff"):
        with pytest.raises(Malformed) as caught:
            Reader(count + bytes(8)).read_count("values", 4, 2**33)
        assert caught.value.offset == 0
    with pytest.raises(TooLarge):
        Reader(b"\0\0\0\3" + bytes(12)).read_count("values", 4, 2)


def test_a_reader_gives_bytes_whatever_it_reads_from():
    for source in (bytearray(b"\0\0\0\1x"), memoryview(b"\0\0\0\1x")):
        assert type(Reader(source).read_counted("x")) is bytes
        assert type(Reader(source).read_rest()) is bytes


@pytest.mark.parametrize(
    ("write", "value"),
    [(Writer.write_u8, 256), (Writer.write_u16, 65536), (Writer.write_u32, 2**32), (Writer.write_u64, 2**64),
     (Writer.write_u8, -1), (Writer.write_u32, -1)],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_never_written(write, value):
    writer = Writer()
    with pytest.raises(OverflowError):
        write(writer, value)
    assert writer.finish() == b""


@given(st.binary(max_size=40), st.lists(st.sampled_from(list(FIELDS)), max_size=8))
def test_any_bytes_read_as_anything_raise_only_protocol_errors(data, kinds):
    reader = Reader(data)
    for kind in kinds:
        with suppress(ProtocolError):
            FIELDS[kind][2](reader, "x")
        assert 0 <= reader.offset <= len(data)


def test_an_error_says_what_and_where():
    assert str(Malformed("name: not UTF-8", 6)) == "name: not UTF-8 (at byte 6)"
    assert str(Malformed("name: missing", field="name")) == "name: missing"
    assert isinstance(TooLarge("x"), ValueError)
