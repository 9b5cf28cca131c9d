"""The cursor over JSON."""

import pytest

from protocols.errors import Malformed, ProtocolError, TooLarge
from protocols.rest.json_reader import MAX_DEPTH, MAX_JSON_BYTES, JsonReader, parse_json


def field_of(read) -> str:
    with pytest.raises(ProtocolError) as caught:
        read()
    assert caught.value.reason.startswith(f"{caught.value.field}: ")
    return caught.value.field


def test_a_refusal_names_the_whole_path():
    document = parse_json(b'{"values":[{},{"data":{"value":5}}]}')
    second = list(document.need("values").items(10))[1]
    assert (
        field_of(lambda: second.need("data").need("value").read_text(9)) == "values[1].data.value"
    )
    assert field_of(lambda: second.need("type")) == "values[1].type"


def test_the_path_of_an_array_document_begins_with_its_index():
    (item,) = parse_json(b'[{"index":0}]').items(1)
    assert field_of(lambda: item.need("index").read_int(1)) == "[0].index"


def test_the_document_itself_has_no_path():
    with pytest.raises(Malformed) as caught:
        parse_json(b"5").need("values")
    assert (caught.value.field, caught.value.reason) == ("", "an object expected")


def test_a_null_member_counts_as_missing():
    assert parse_json(b'{"ttl":null}').get("ttl") is None


@pytest.mark.parametrize(
    ("body", "offset"), [(b"", 0), (b'{"a":}', 5), (b'{"a":1', 6), (b"[1,]", 3), (b"NaN", 0)]
)
def test_broken_syntax_is_malformed_where_it_breaks(body, offset):
    with pytest.raises(Malformed) as caught:
        parse_json(body)
    assert caught.value.offset == pytest.approx(offset, abs=1)


@pytest.mark.parametrize("body", [b'"\xff"', b'"\\ud800"', b"\xff\xfe[\0]\0"])
def test_text_that_is_not_utf8_is_malformed(body):
    with pytest.raises(Malformed):
        parse_json(body)


def test_depth_is_bounded():
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    assert parse_json(nested(MAX_DEPTH)).is_list
    for levels in (MAX_DEPTH + 1, 1000, 100_000):
        with pytest.raises(ProtocolError):
            parse_json(nested(levels))
    with pytest.raises(TooLarge):
        parse_json(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1))


def test_size_is_bounded_before_parsing():
    with pytest.raises(TooLarge):
        parse_json(b"[" * (MAX_JSON_BYTES + 1))
    with pytest.raises(TooLarge):
        parse_json(b'"aaa"', limit_bytes=4)
    assert parse_json(b'"aa"', limit_bytes=4).value == "aa"


def test_the_number_of_items_is_bounded():
    reader = parse_json(b"[1,2,3]")
    assert [item.value for item in reader.items(3)] == [1, 2, 3]
    with pytest.raises(TooLarge):
        reader.items(2)


@pytest.mark.parametrize(
    ("value", "number"), [(7, 7), ("7", 7), ("007", 7), ("4294967295", 2**32 - 1)]
)
def test_numbers_may_come_as_digits(value, number):
    assert JsonReader(value).read_int() == number


@pytest.mark.parametrize(
    "value", [True, 1.0, "", "x", "1.0", "-1", " 1", "1e3", "٣", "9" * 11, [], {}, -1, 2**32, 2**64]
)
def test_other_things_are_not_numbers(value):
    with pytest.raises(Malformed):
        JsonReader(value).read_int()


def test_text_is_measured_in_bytes():
    assert JsonReader("éé").read_text(4) == "éé"
    with pytest.raises(TooLarge):
        JsonReader("ééé").read_text(5)
    with pytest.raises(Malformed):
        JsonReader(5).read_text(5)


def test_only_true_and_false_are_booleans():
    assert JsonReader(True).read_bool() is True
    for value in (1, 0, "true"):
        with pytest.raises(Malformed):
            JsonReader(value).read_bool()


def test_an_error_from_below_gets_the_path_in_front():
    reader = JsonReader(None, JsonReader(None, step=".data"), ".value")
    located = reader.locate(TooLarge("n: 9 characters, at most 4 allowed", field="n"))
    assert isinstance(located, TooLarge)
    assert located.field == "data.value.n"
    assert located.reason == "data.value.n: 9 characters, at most 4 allowed"
    assert reader.locate(Malformed("bytes left over", 7)).reason == "data.value: bytes left over"
