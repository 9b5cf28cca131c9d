"""Whole documents: answers, errors, listings, bodies of PUT."""

import orjson
import pytest
from hypothesis import given

from protocols.errors import ProtocolError
from protocols.identifier import parse_identifier
from protocols.message import Outcome
from protocols.rest.record_json import (
    parse_put_body,
    prettify,
    render_listing,
    render_no_values,
    render_outcome,
    render_record,
)
from protocols.rest.value_json import values_to_json
from protocols.values.value import Value
from tests.protocols import strategies
from tests.protocols.rest.test_value_json import without_spares

HERE = parse_identifier("88.118.7/SN-1")
VALUE = {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://example.org"}}
READ = Value(1, "URL", b"https://example.org")


def test_a_record_says_success_the_asked_spelling_and_the_values():
    assert render_record("88.118.7/sn-é".encode(), [READ]) == (
        '{"responseCode":1,"handle":"88.118.7/sn-é","values":[{"index":1,"type":"URL",'
        '"data":{"format":"string","value":"https://example.org"},"ttl":86400}]}'.encode()
    )


def test_no_value_of_those_asked_for_is_an_empty_list():
    assert orjson.loads(render_no_values(b"a/b")) == {
        "responseCode": 200,
        "handle": "a/b",
        "values": [],
    }


def test_a_handle_that_is_not_text_can_still_be_answered():
    assert (
        orjson.loads(render_outcome(Outcome.INVALID_IDENTIFIER, b"a/\xff"))["handle"] == "a/\ufffd"
    )


def test_the_total_of_a_listing_is_a_string():
    assert render_listing("88.118.7", 12, 0, 2, ["88.118.7/A", "88.118.7/B"]) == (
        b'{"responseCode":1,"prefix":"88.118.7","totalCount":"12","page":0,"pageSize":2,'
        b'"handles":["88.118.7/A","88.118.7/B"]}'
    )


def test_a_pretty_document_says_the_same():
    body = render_record(b"a/b", [READ])
    assert b"\n  " in prettify(body)
    assert orjson.loads(prettify(body)) == orjson.loads(body)


@pytest.mark.parametrize(
    "document",
    [
        [VALUE],
        {"values": [VALUE]},
        {"handle": "88.118.7/SN-1", "values": [VALUE]},
        {"handle": "88.118.7/sn-1", "values": [VALUE]},
        {"handle": None, "values": [VALUE], "responseCode": 1},
        VALUE,
    ],
)
def test_a_record_to_be_written_has_three_shapes(document):
    assert parse_put_body(orjson.dumps(document), HERE) == (READ,)


def test_a_bare_prefix_and_its_record_are_one_name():
    body = orjson.dumps({"handle": "0.na/88.118.7", "values": [VALUE]})
    assert parse_put_body(body, parse_identifier("88.118.7")) == (READ,)


def test_an_answer_can_be_put_back_as_it_is():
    body = render_record(b"88.118.7/sn-1", [READ])
    assert parse_put_body(body, HERE) == (READ,)


@given(strategies.value_lists)
def test_any_record_can_be_put_as_it_was_rendered(values):
    expected = tuple(map(without_spares, values))
    assert parse_put_body(render_record(HERE.spelling, values), HERE) == expected
    assert parse_put_body(orjson.dumps(values_to_json(values)), HERE) == expected


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (5, ""),
        ("x", ""),
        (None, ""),
        ({}, "index"),
        ({"values": 5}, "values"),
        ({"values": {}}, "values"),
        ({"handle": "88.118.7/SN-2", "values": []}, "handle"),
        ({"handle": "", "values": []}, "handle"),
        ({"handle": 5, "values": []}, "handle"),
        ({"handle": "x" * 3000, "values": []}, "handle"),
        ({"values": [VALUE, VALUE | {"index": 0}]}, "values[1].index"),
        ([VALUE, VALUE, VALUE | {"data": {"format": "hex", "value": "0"}}], "[2].data.value"),
        (VALUE | {"type": ""}, "type"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(document, field):
    with pytest.raises(ProtocolError) as caught:
        parse_put_body(orjson.dumps(document), HERE)
    assert caught.value.field == field
