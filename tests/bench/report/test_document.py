"""Result documents: read back as they were written, and refused with the place where they are wrong."""

import dataclasses

import orjson
import pytest

from bench.report.document import decode_result, encode_result
from bench.report.fields import NotAResult
from bench.report.result import FORMAT
from tests.bench.report.results import full_result


def test_a_document_is_read_back_as_it_was_written():
    result = full_result()
    assert decode_result(encode_result(result)) == result
    assert orjson.loads(encode_result(result))["format"] == FORMAT


def test_fields_of_a_later_version_are_skipped():
    document = orjson.loads(encode_result(full_result()))
    document["series"][0]["colour"] = "red"
    assert decode_result(orjson.dumps(document)) == full_result()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("machine"), "machine: missing"),
        (lambda d: d["series"][0].pop("curve"), r"series\[0\].curve: missing"),
        (lambda d: d["series"][0].update(answers="many"), r"series\[0\].answers: not int"),
        (lambda d: d["series"][0].update(answers=True), r"series\[0\].answers: not int"),
        (lambda d: d["series"][0]["errors"].update(timeout=1.5), r"errors.timeout: not int"),
        (lambda d: d.update(series={}), "series: not"),
        (lambda d: d.update(format="other/1"), "not a result of"),
        (lambda d: d["tables"][0]["rows"].append([["x"]]), r"tables\[0\].rows\[2\]\[0\]: not"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change, said):
    document = orjson.loads(encode_result(full_result()))
    change(document)
    with pytest.raises(NotAResult, match=said):
        decode_result(orjson.dumps(document))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff"])
def test_what_is_no_document_is_refused(data):
    with pytest.raises(NotAResult):
        decode_result(data)


def test_every_field_is_told_in_the_documentation():
    from tests.house.tree import ROOT

    text = (ROOT / "docs/bench.md").read_text(encoding="utf-8")
    result = full_result()
    parts = (
        result, result.machine, result.series[0], result.series[0].curve[0], result.search[0],
        result.series[0].timeline[0], result.series[0].clients[0], result.compare[0],
        result.tables[0], result.plots[0], result.plots[0].lines[0],
    )  # fmt: skip
    for part in parts:
        missing = [each.name for each in dataclasses.fields(part) if f"`{each.name}`" not in text]
        assert missing == [], type(part).__name__
