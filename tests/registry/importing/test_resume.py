"""The resume point survives its encoding, and only the same import finds it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.importing.order_resume import OrderPoint, decode_order_point, encode_order_point
from registry.importing.resume import (
    NAME,
    FileIdentity,
    ResumePoint,
    decode_resume_point,
    encode_resume_point,
    note_name,
)
from registry.importing.tally import MAX_REASONS, OTHER, Tally

COUNT = st.integers(0, 2**63 - 1)
TALLY = st.builds(
    Tally,
    COUNT,
    COUNT,
    COUNT,
    COUNT,
    st.dictionaries(st.text(max_size=5), COUNT).map(lambda d: tuple(sorted(d.items()))),
    st.just(0),  # rows of a mapping delete nothing
)


def test_a_resume_point_of_orders_comes_back_as_it_was():
    point = OrderPoint(
        "run", ResumePoint(1, 2, "r.csv", 3, Tally(9, 4, 1, 2, (("x", 1),), deleted=1))
    )
    assert decode_order_point(encode_order_point(point)) == point
    assert decode_order_point(encode_order_point(point)[:-1]) is None
    assert decode_order_point(encode_resume_point(point.point)) is None
    assert decode_resume_point(encode_order_point(point)) is None


@given(st.builds(ResumePoint, COUNT, COUNT, st.text(max_size=9), COUNT, TALLY))
def test_a_resume_point_comes_back_as_it_was(point):
    assert decode_resume_point(encode_resume_point(point)) == point


@pytest.mark.parametrize(
    "value",
    [b"", b"\xc1", b"\x90", b"\x01", encode_resume_point(ResumePoint(1, 2, "", 3, Tally()))[:-1]],
)
def test_a_damaged_or_foreign_note_is_no_resume_point(value):
    assert decode_resume_point(value) is None


def test_any_difference_in_file_mapping_or_reading_gives_another_name():
    base = (FileIdentity(10, 20, b"e" * 16), b"m" * 16, "csv")
    names = {
        note_name(*base),
        note_name(base[0]._replace(size_bytes=11), *base[1:]),
        note_name(base[0]._replace(modified_ns=21), *base[1:]),
        note_name(base[0]._replace(ends=b"f" * 16), *base[1:]),
        note_name(base[0], b"n" * 16, "csv"),
        note_name(base[0], base[1], "tsv"),
    }
    assert len(names) == 6
    assert all(name.startswith(NAME) for name in names)


def test_every_row_read_is_counted_exactly_once():
    tally = Tally().plus(5, b"rr=", ["length", "length"]).plus(3, b"u=", ["duplicate"])
    assert tally == Tally(8, 2, 2, 1, (("duplicate", 1), ("length", 2)))
    assert tally.rejected == 3
    assert tally.read == tally.registered + tally.unchanged + tally.updated + tally.rejected


def test_reasons_in_free_words_cannot_grow_without_bound():
    tally = Tally().plus(1000, b"", [f"reason {n}" for n in range(1000)])
    assert len(tally.reasons) == MAX_REASONS + 1
    assert dict(tally.reasons)[OTHER] == 1000 - MAX_REASONS
