"""CSV rows: the same however the file is cut, with their line numbers; and no bad row takes a good one with it."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.importing.csv_rows import OPEN_QUOTE, CsvRows
from registry.importing.lines import MAX_ROW_BYTES, LineCutter, Lines
from registry.importing.rows import NOT_ENCODED, TOO_LONG, ZERO_BYTE


def parse(data: bytes, *, codec="utf-8", delimiter=",", chunk=1 << 30):
    """(line, row or reason) for everything that is not blank."""
    cutter, parser, found = LineCutter(), CsvRows(codec, delimiter), []
    pieces = [cutter.feed(data[at : at + chunk]) for at in range(0, len(data), chunk)]
    last = cutter.finish() or Lines(cutter.next_line, b"")
    for lines, is_last in [*((p, False) for p in pieces if p), (last, True)]:
        block = parser.parse(lines, is_last=is_last)
        assert len(block.lines) == len(block.rows)
        for place, row in enumerate(block.rows):
            if place in block.bad:
                found.append((block.lines[place], block.bad[place].reason))
            elif row:
                found.append((block.lines[place], row))
    return found


def test_quoted_columns_hold_separators_quotes_and_line_ends():
    data = b'a,b\n"x,1","say ""hi"""\n"two\nlines",z\nlast,row\n'
    assert parse(data) == [
        (1, ["a", "b"]),
        (2, ["x,1", 'say "hi"']),
        (3, ["two\nlines", "z"]),
        (5, ["last", "row"]),
    ]


def test_crlf_ends_rows_and_stays_inside_quotes():
    assert parse(b'a,"b\r\nc"\r\nd,e\r\n') == [(1, ["a", "b\r\nc"]), (3, ["d", "e"])]


def test_the_last_row_needs_no_line_end():
    assert parse(b"a,b\nc,d") == [(1, ["a", "b"]), (2, ["c", "d"])]


def test_blank_lines_are_no_rows_but_count_as_lines():
    assert parse(b"a\n\n\nb\n") == [(1, ["a"]), (4, ["b"])]


CELLS = st.text(st.sampled_from('ab,;"\n 茶é\x1d'), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=12), st.integers(1, 40))
def test_what_was_written_is_read_however_the_file_is_cut(rows, chunk):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    found = parse(text.getvalue().encode(), chunk=chunk)
    assert [row for _, row in found] == rows
    line = 1
    for (at, _), row in zip(found, rows, strict=True):
        assert at == line
        line += 1 + sum(cell.count("\n") for cell in row)


@pytest.mark.parametrize("chunk", [7, 1 << 30])
def test_a_quote_that_never_closes_costs_its_own_line_only(chunk):
    data = b'a,b\n1,"open\n2,x\n3,y\n'
    assert parse(data, chunk=chunk) == [
        (1, ["a", "b"]),
        (2, OPEN_QUOTE),
        (3, ["2", "x"]),
        (4, ["3", "y"]),
    ]


def test_a_quote_that_stays_open_for_a_whole_row_limit_is_given_up_before_the_end():
    row = b"1,ordinary row of some length\n"
    count = 2 * MAX_ROW_BYTES // len(row)
    found = parse(b'0,"open\n' + row * count, chunk=MAX_ROW_BYTES // 2)
    assert found[0] == (1, OPEN_QUOTE)
    assert len(found) == count + 1
    assert found[-1] == (count + 1, ["1", "ordinary row of some length"])


def test_an_undecodable_row_is_refused_and_its_neighbours_are_not():
    data = "a,茶\n".encode() + b"b,\xff\xfe\n" + "c,é\n".encode()
    assert parse(data) == [(1, ["a", "茶"]), (2, NOT_ENCODED), (3, ["c", "é"])]


def test_an_undecodable_gb18030_row_does_not_eat_the_separator_behind_it():
    data = "a,茶叶\n".encode("gb18030") + b"b\x81,x\n" + b"c,\x81\n" + "d,铁\n".encode("gb18030")
    assert parse(data, codec="gb18030") == [
        (1, ["a", "茶叶"]),
        (2, NOT_ENCODED),
        (3, NOT_ENCODED),
        (4, ["d", "铁"]),
    ]


def test_a_zero_byte_refuses_its_row():
    assert parse(b"a,b\n1,\x00\n2,x\n") == [(1, ["a", "b"]), (2, ZERO_BYTE), (3, ["2", "x"])]


def test_an_overlong_line_is_refused_and_the_next_is_read():
    data = b"a,b\n1," + b'"' + b"x" * 2 * MAX_ROW_BYTES + b"\n2,y\n"
    assert parse(data, chunk=MAX_ROW_BYTES // 2) == [
        (1, ["a", "b"]),
        (2, TOO_LONG),
        (3, ["2", "y"]),
    ]


def test_a_carriage_return_inside_a_bare_column_refuses_that_row_only():
    assert [row for _, row in parse(b"a,b\nc\rd,e\nf,g\n")] == [["a", "b"], "not CSV", ["f", "g"]]


def test_our_end_mark_as_a_real_row_ends_nothing():
    assert [row for _, row in parse(b'a,"b\n"\n\x1d\nc,d\n')] == [
        ["a", "b\n"],
        ["\x1d"],
        ["c", "d"],
    ]


def test_the_raw_row_is_what_stands_in_the_file():
    block = CsvRows("utf-8", ",").parse(Lines(1, b'a,"x\ny"\r\nb\xff,z\n'), is_last=True)
    assert block.raw(0) == 'a,"x\ny"'
    assert block.raw(1) == "b\\xff,z"
