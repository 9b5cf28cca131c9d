"""Formats and separators are told from name and text, and named."""

import pytest

from registry.importing.format import Format, choose_format
from registry.importing.template import MappingError


@pytest.mark.parametrize(
    ("name", "text", "columns", "found"),
    [
        ("p.csv", "a,b,c\n1,2,3\n", 0, Format("csv", ",")),
        ("p.CSV", "a;b;c\n1,5;2;3\n", 0, Format("csv", ";")),
        ("p.csv", "a\tb\n1\t2\n", 0, Format("csv", "\t")),
        ("p.csv", '"a;b;c;d",b,c\n', 0, Format("csv", ",")),
        ("p.csv", "only\n1\n", 0, Format("csv", ",")),
        ("p.tsv", "1,2,3\tx\n", 2, Format("tsv", "\t")),
        ("p.csv", "1;a,b,c\n2;d\n3;e,f\n", 2, Format("csv", ";")),
        ("p.jsonl", '{"a": 1}\n', 0, Format("ndjson")),
        ("p.ndjson", "\n", 0, None),
        ("export", '{"a": "x\\ty"}\n', 0, Format("ndjson")),
        ("export.txt", "a\tb\n1\t2\n", 0, Format("tsv", "\t")),
        ("export.txt", '"a"\t"b"\n', 0, Format("csv", "\t")),
        ("export", "a;b\n", 0, Format("csv", ";")),
    ],
)
def test_name_first_then_text(name, text, columns, found):
    if found is None:
        with pytest.raises(MappingError, match="empty"):
            choose_format("", name, text, columns)
    else:
        assert choose_format("", name, text, columns) == found


def test_the_declared_format_wins():
    assert choose_format("tsv", "p.csv", "a,b\n", 0).name == "tsv"


def test_line_ends_of_very_old_macs_are_refused_by_name():
    with pytest.raises(MappingError, match="CR alone"):
        choose_format("", "p.csv", "a,b\r1,2\r", 0)


def test_people_are_told_the_separator():
    assert Format("csv", ";").text == "CSV, separated by semicolon"
    assert Format("ndjson").text == "NDJSON"
