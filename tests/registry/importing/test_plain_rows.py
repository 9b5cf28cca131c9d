"""TSV without quoting, and NDJSON."""

import pytest

from registry.importing.lines import Lines
from registry.importing.plain_rows import NOT_JSON, NOT_OBJECT, NOT_TEXT, NdjsonRows, TsvRows
from registry.importing.rows import NOT_ENCODED


def ndjson(*lines: bytes, columns=("a", "b")):
    block = NdjsonRows("utf-8", columns).parse(Lines(1, b"\n".join(lines)), is_last=True)
    return [block.bad[at].reason if at in block.bad else row for at, row in enumerate(block.rows)]


def test_a_tsv_column_is_exactly_the_bytes_between_two_tabs():
    block = TsvRows("utf-8").parse(
        Lines(7, "1\t \"Tea\" 'x' \u2028\x85 \t\n\n2\tb\r\n3".encode()), is_last=True
    )
    assert block.rows == [["1", " \"Tea\" 'x' \u2028\x85 ", ""], [], ["2", "b"], ["3"]]
    assert list(block.lines) == [7, 8, 9, 10]


def test_an_undecodable_tsv_row_is_refused_alone():
    block = TsvRows("utf-8").parse(Lines(1, b"1\ta\n2\t\xff\n3\tc\n"), is_last=True)
    assert block.rows == [["1", "a"], [], ["3", "c"]]
    assert block.bad[1].reason == NOT_ENCODED
    assert block.raw(1) == "2\t\\xff"


def test_numbers_keep_the_digits_they_were_written_with():
    assert ndjson(b'{"a": 12345678901234567890123, "b": 1.50}') == [
        ["12345678901234567890123", "1.50"]
    ]


def test_null_and_absent_are_empty_and_truth_values_are_their_words():
    assert ndjson(b'{"a": null}', b'{"a": true, "b": false}') == [["", ""], ["true", "false"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": ', NOT_JSON),
        (b'{"a": NaN}', NOT_JSON),
        (b"[" * 100_000, NOT_JSON),
        (b'["a"]', NOT_OBJECT),
        (b'"a"', NOT_OBJECT),
        (b'{"a": {"x": 1}}', NOT_TEXT),
        (b'{"a": [1]}', NOT_TEXT),
        (b'{"z": "\xff"}', NOT_ENCODED),
    ],
)
def test_a_bad_line_is_refused_for_its_own_reason(line, reason):
    assert ndjson(b'{"a": "1"}', line, b'{"b": "2"}') == [["1", ""], reason, ["", "2"]]


def test_blank_lines_are_no_rows():
    assert ndjson(b'{"a": "1"}', b"  ", b"") == [["1", ""], []]
