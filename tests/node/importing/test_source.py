"""Source files: recognised, refused in words before anything is written, read to the last row."""

import codecs

import pytest

from node.importing.source import Declared, identify, open_source
from registry.importing.mapping import parse_mapping
from registry.importing.template import MappingError

TEXT = "条码,品名\r\n" + "".join(f"{n:05},茶叶“{n}”号\r\n" for n in range(3000))
MAPPING = parse_mapping("88.118", "{条码}", ["NAME={品名}"])


def rows_of(source, wanted=100):
    found = []
    for stretch in source.stretches(lambda: wanted):
        assert not stretch.block.bad
        found += [row for row in stretch.block.rows[stretch.start :] if row]
    return found


@pytest.mark.parametrize(
    ("mark", "codec", "name"),
    [
        (b"", "utf-8", "utf-8"),
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (b"", "gb18030", "gb18030"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
        (b"", "utf-16-le", "utf-16-le"),
        (b"", "utf-16-be", "utf-16-be"),
    ],
)
def test_the_same_rows_come_out_of_every_encoding(tmp_path, mark, codec, name):
    path = tmp_path / "p.csv"
    path.write_bytes(mark + TEXT.encode(codec))
    source = open_source(path, Declared(), MAPPING)
    assert source.encoding.name == name
    assert source.shape.columns == ["条码", "品名"]
    assert rows_of(source) == [[f"{n:05}", f"茶叶“{n}”号"] for n in range(3000)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_separator_is_recognised_and_named(tmp_path, delimiter):
    path = tmp_path / "p.csv"
    path.write_text(TEXT.replace(",", delimiter))
    source = open_source(path, Declared(), MAPPING)
    assert source.format.delimiter == delimiter
    assert len(rows_of(source)) == 3000


def test_blocks_follow_the_number_of_rows_wanted(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text("条码\t品名\n" + "".join(f"{n}\tx\n" for n in range(200_000)))
    sizes = [
        len(s.block.rows) for s in open_source(path, Declared(), MAPPING).stretches(lambda: 4000)
    ]
    assert all(3000 < size < 5000 for size in sizes[1:-1])


def test_text_that_is_ascii_for_long_is_still_recognised_by_what_comes_later(tmp_path):
    path = tmp_path / "p.csv"
    lines = "".join(f"{n},plain\n" for n in range(200_000))
    path.write_bytes(
        b"a,b\n" + lines.encode() + "".join(f"{n},铁观音\n" for n in range(99)).encode("gb18030")
    )
    mapping = parse_mapping("88.118", "{a}", ["NAME={b}"])
    assert open_source(path, Declared(), mapping).encoding.name == "gb18030"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.csv", "", "the file is empty"),
        ("p.csv", "barcode,品名\n1,x\n", "no column '条码'; it has: 'barcode', '品名'"),
        ("p.csv", "条码,品名,品名\n1,x,y\n", "'品名' stands 2 times"),
        ("p.csv", '"条码,品名\n1,x\n', "the header, line 1, cannot be read: open quote"),
        ("p.ndjson", "[1]\n", "no line at the beginning of the file is a JSON object"),
        ("p.ndjson", '{"条码": 1, "品 名": 2}\n', "no column '品名'"),
    ],
)
def test_what_cannot_be_read_is_said_before_anything_is_written(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(MappingError, match=words):
        open_source(path, Declared(), MAPPING)


def test_ndjson_columns_may_first_appear_behind_the_first_line(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"条码": 1}\n{"条码": 2, "品名": "茶"}\n')
    assert rows_of(open_source(path, Declared(), MAPPING)) == [["1", ""], ["2", "茶"]]


def test_a_file_is_known_again_by_size_time_and_both_ends(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(b"a" * 300_000)
    before = identify(path)
    assert identify(path) == before
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"b")
    import os

    os.utime(path, ns=(0, before.modified_ns))
    after = identify(path)
    assert after.modified_ns == before.modified_ns
    assert after != before
