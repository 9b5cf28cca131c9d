"""A record's values in a row, and the choice from them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, TooLarge
from protocols.values.value import TTL_ABSOLUTE, Value
from protocols.values.value_list import (
    MAX_VALUES,
    decode_values,
    encode_values,
    least_ttl_s,
    read_values,
    select,
    write_values,
)
from tests.protocols.strategies import free_types, value_lists
from tests.protocols.values.hostile import assert_every_truncation_is_refused, survive_mutation

SITE = [
    Value(1, "HS_SITE", b""),
    Value(2, "HS_SITE.PREFIX", b""),
    Value(3, "HS_SITEX", b""),
    Value(4, "URL", b""),
]


@given(value_lists)
def test_bytes_and_values_are_one(values):
    assert decode_values(encode_values(values)) == values


@given(value_lists, st.binary(min_size=1, max_size=5))
def test_a_list_inside_a_message_leaves_the_rest(values, rest):
    writer = Writer()
    write_values(writer, values)
    reader = Reader(writer.finish() + rest)
    assert read_values(reader) == values
    assert reader.read_rest() == rest


def test_a_list_alone_must_end_where_its_bytes_end():
    data = encode_values(SITE)
    with pytest.raises(Malformed) as caught:
        decode_values(data + b"\0")
    assert caught.value.offset == len(data)
    assert_every_truncation_is_refused(decode_values, data)


def test_no_values_are_four_zero_bytes():
    assert encode_values([]) == bytes(4)
    assert decode_values(bytes(4)) == ()


def test_a_count_beyond_the_bytes_is_refused_before_anything_is_read():
    with pytest.raises(Malformed) as caught:
        decode_values(b"\xff\xff\xff\xff" + encode_values(SITE)[4:])
    assert caught.value.offset == 0


def test_the_number_of_values_is_bounded():
    assert len(decode_values(encode_values([SITE[0]] * MAX_VALUES))) == MAX_VALUES
    with pytest.raises(TooLarge):
        decode_values(encode_values([SITE[0]] * (MAX_VALUES + 1)))


@given(value_lists, st.integers(0), st.binary(min_size=1, max_size=6))
def test_a_damaged_list_raises_only_protocol_errors(values, at, replacement):
    survive_mutation(decode_values, encode_values(values), at, replacement)


@pytest.mark.parametrize(
    ("indexes", "types", "chosen"),
    [
        ([], [], [1, 2, 3, 4]),
        ([2, 9], [], [2]),
        ([], ["url"], [4]),
        ([1], ["URL"], [1, 4]),
        ([], ["HS_SITE."], [1, 2]),
        ([], ["hs_site."], [1, 2]),
        ([], ["HS_SITE"], [1]),
        ([9], [], []),
        ([], ["EMAIL"], []),
        ([], ["HS_SITE.PREFIX."], [2]),
    ],
)
def test_a_value_is_chosen_by_index_or_by_type(indexes, types, chosen):
    assert [value.index for value in select(SITE, indexes, types)] == chosen


@given(value_lists, st.lists(st.integers(1, 5)), st.lists(free_types))
def test_choosing_keeps_the_order_and_invents_nothing(values, indexes, types):
    chosen = select(values, indexes, types)
    rest = iter(values)
    assert all(value in rest for value in chosen)


dotted = st.text("aB.", max_size=4)


@given(st.lists(dotted), st.lists(dotted, min_size=1))
def test_types_match_whole_or_by_a_family_that_ends_in_a_dot(there, wanted):
    values = [Value(index, type_, b"") for index, type_ in enumerate(there, 1)]

    def matches(type_, want):
        type_, want = type_.upper(), want.upper()
        return type_ == want or (want.endswith(".") and (type_ + ".").startswith(want))

    expected = [v for v in values if any(matches(v.type, want) for want in wanted)]
    assert select(values, (), wanted) == expected


@pytest.mark.parametrize(
    "asked",
    [((), [f"{n:x}." for n in range(1600)]), (tuple(range(10_000, 12_000)), ())],
    ids=["types", "indexes"],
)
def test_asking_for_much_of_a_large_record_costs_little(asked):
    values = [Value(index, f"TYPE.{index}", b"") for index in range(1, MAX_VALUES + 1)]
    started_s = time.process_time()
    assert select(values, *asked) == []
    assert time.process_time() - started_s < 0.05


def test_the_least_ttl_counts_relative_ones_only():
    assert least_ttl_s([]) == 0xFFFFFFFF
    values = [Value(1, "A", b"", 60), Value(2, "A", b"", 30), Value(3, "A", b"", 5, TTL_ABSOLUTE)]
    assert least_ttl_s(values) == 30
