"""Rows become suffixes and value lists in wire form, or a reject with line, column and reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.values.value import MAX_DATA_BYTES, Value
from protocols.values.value_list import decode_values, encode_values
from registry.importing.csv_rows import CsvRows
from registry.importing.lines import Lines
from registry.importing.mapping import parse_mapping
from registry.importing.plain_rows import NdjsonRows, TsvRows
from registry.importing.preparing import MAX_BATCH_BYTES, Preparer, Shape
from registry.importing.seen import Seen


class Memory:
    def take(self, size_bytes):
        return bytearray(size_bytes)

    def give_back(self, space):
        pass


def preparer(
    values=("URL={u}", "NAME={n}"), columns=("b", "n", "u"), *, checks=(), short=False, case=False
):
    mapping = parse_mapping("88.118", "{b}", values, checks)
    return Preparer(mapping, Shape(columns, short), Seen(Memory(), 50), is_case_sensitive=case)


def block(text: str):
    return CsvRows("utf-8", ",").parse(Lines(2, text.encode()), is_last=True)


def prepare(text: str, **options):
    rows = block(text)
    return preparer(**options).prepare(rows, 0, len(rows.rows))


def faults(batch):
    return [(r.line, r.field, r.reason) for r in batch.rejects]


def test_a_good_row_becomes_its_suffix_and_its_values_in_wire_form():
    batch = prepare("690,茶,http://x/\n")
    assert batch.read == 1
    assert batch.rows == [
        (b"690", encode_values([Value(1, "URL", b"http://x/"), Value(2, "NAME", "茶".encode())]))
    ]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\t"), max_size=20)


@given(
    st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=8, unique_by=lambda row: row[0].encode().upper())
)
def test_every_row_is_exactly_what_encode_values_makes(rows):
    source = TsvRows("utf-8").parse(
        Lines(1, "".join("\t".join(r) + "\n" for r in rows).encode()), is_last=True
    )
    batch = preparer(values=("9:NAME=<{n}>", "4:URL={u}", "CONST=c")).prepare(source, 0, len(rows))
    expected = []
    for suffix, name, url in rows:
        values = [Value(1, "CONST", b"c")]
        values += [Value(4, "URL", url.encode())] if url else []
        values += [Value(9, "NAME", f"<{name}>".encode())] if name else []
        if suffix:
            expected.append((suffix.encode(), encode_values(values)))
    assert batch.rows == expected
    assert batch.read == len(rows)


def test_an_empty_column_leaves_that_value_out():
    batch = prepare("1,,http://x/\n2,tea,\n")
    assert [[v.type for v in decode_values(values)] for _, values in batch.rows] == [
        ["URL"],
        ["NAME"],
    ]


def test_bad_rows_say_line_column_and_reason_and_the_others_go_on():
    batch = prepare("1,tea,u\n,tea,u\n2,,\n3,x\n4,x,y,z\n1,again,u\n5,ok,u\n")
    assert [suffix for suffix, _ in batch.rows] == [b"1", b"5"]
    assert faults(batch) == [
        (3, "b", "empty suffix"),
        (4, "", "no value"),
        (5, "", "column count"),
        (6, "", "column count"),
        (7, "b", "duplicate"),
    ]
    assert batch.rejects[2].detail == "2 columns, 3 expected"
    assert batch.rejects[2].row == "3,x"
    assert batch.read == 7
    assert batch.positions == [0, 6]


def test_checks_name_length_and_check_digit():
    batch = prepare("6291041500213,a,u\n6291041500214,a,u\n123,a,u\n,a,u\n", checks=["gtin"])
    assert faults(batch) == [(3, "b", "check digit"), (4, "b", "length"), (5, "b", "empty suffix")]


def test_the_first_good_occurrence_counts_not_an_earlier_bad_one():
    batch = prepare("1,,\n1,tea,u\n1,coffee,u\n")
    assert [suffix for suffix, _ in batch.rows] == [b"1"]
    assert faults(batch) == [(2, "", "no value"), (4, "b", "duplicate")]


def test_duplicates_are_found_by_the_prefixs_case_rule():
    assert faults(prepare("ab,x,u\nAB,x,u\né,x,u\nÉ,x,u\n")) == [(3, "b", "duplicate")]
    assert faults(prepare("ab,x,u\nAB,x,u\n", case=True)) == []


def test_without_a_header_trailing_columns_may_be_left_off_and_surplus_ones_may_not():
    batch = prepare("1,tea\n2,tea,u\n3\n4,a,b,c\n", short=True)
    assert [suffix for suffix, _ in batch.rows] == [b"1", b"2"]
    assert faults(batch) == [(4, "", "no value"), (5, "", "column count")]


def test_blank_lines_are_not_counted():
    batch = prepare("1,a,u\n\n\n2,b,u\n")
    assert (batch.read, len(batch.rows)) == (2, 2)


def test_what_no_record_can_hold_is_refused_here():
    big = "x" * (MAX_DATA_BYTES + 1)
    batch = prepare(f"1,{big},u\n2,{big[:-1]},u\n{'s' * 2042},a,u\n{'t' * 2041},a,u\n")
    assert faults(batch) == [(2, "n", "too large"), (4, "", "suffix too long")]
    assert [len(suffix) for suffix, _ in batch.rows] == [1, 2041]


def test_a_record_too_large_as_a_whole_is_refused():
    part = "x" * 65_000
    batch = prepare(f"1,{part},u\n", values=[f"{n}:N={{n}}" for n in (1, 2, 3, 4)])
    assert [r.reason for r in batch.rejects] == ["too large"]


def test_half_a_surrogate_pair_from_json_refuses_the_row():
    rows = NdjsonRows("utf-8", ("b", "n", "u")).parse(
        Lines(1, b'{"b": "1", "n": "\\ud800"}\n{"b": "1", "n": "x"}\n'), is_last=True
    )
    batch = preparer().prepare(rows, 0, 2)
    assert [r.reason for r in batch.rejects] == ["encoding"]
    assert len(batch.rows) == 1


def test_a_batch_ends_at_its_limit_of_rows_and_the_next_begins_there():
    rows, maker = block("1,a,u\n2,a,u\n3,a,u\n"), preparer()
    first = maker.prepare(rows, 0, 2)
    second = maker.prepare(rows, first.end, 2)
    assert ([s for s, _ in first.rows], first.end) == ([b"1", b"2"], 2)
    assert ([s for s, _ in second.rows], second.end) == ([b"3"], 3)


def test_a_batch_ends_when_a_template_has_made_enough_bytes():
    rows = block("".join(f"{n},a,u\n" for n in range(200)))
    batch = preparer(values=("A=" + "x" * 60_000 + "{n}",)).prepare(rows, 0, 200)
    assert batch.end < 200
    assert sum(len(values) for _, values in batch.rows) < MAX_BATCH_BYTES + 70_000
    with pytest.raises(IndexError):
        batch.rows[batch.end]
