"""Templates: columns in braces, braces doubled, empty columns."""

import pytest

from registry.importing.template import MappingError, bind, nearest, parse_template

COLUMNS = ["barcode", "name", "lang"]


def render(source, *row):
    return bind(parse_template(source), COLUMNS)(row)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{barcode}", "690"),
        ("x{barcode}", "x690"),
        ("https://x.cn/{barcode}?l={lang}", "https://x.cn/690?l=zh"),
        ("{barcode}{barcode}", "690690"),
        ("{{{name}}}", "{Tea}"),
        ("{{}}", "{}"),
        ("plain", "plain"),
    ],
)
def test_columns_stand_for_the_rows_text_and_doubled_braces_for_themselves(source, text):
    assert render(source, "690", "Tea", "zh") == text


@pytest.mark.parametrize("source", ["{name}", "x{name}y", "{barcode}-{name}", "{name}{barcode}"])
def test_one_empty_column_empties_the_whole_template(source):
    assert render(source, "690", "", "zh") == ""


def test_column_text_is_never_read_as_a_template():
    assert render("x{name}", "690", "{barcode}", "zh") == "x{barcode}"


@pytest.mark.parametrize(
    ("source", "at"), [("{", 1), ("a}b", 2), ("{}", 1), ("{a{b}}", 1), ("a{b", 2)]
)
def test_a_brace_that_names_no_column_is_pointed_at(source, at):
    with pytest.raises(MappingError, match=f"at character {at} "):
        parse_template(source)


def test_an_unknown_column_names_the_nearest_known_one_and_all_of_them():
    with pytest.raises(MappingError) as caught:
        bind(parse_template("{Bar_code}"), COLUMNS)
    assert "'barcode', 'name', 'lang'" in caught.value.reason
    assert caught.value.next_step == "did you mean {barcode}?"


def test_a_part_of_a_name_counts_as_near():
    assert nearest("NAM", ["code", "product_name"]) == "product_name"


def test_nothing_is_suggested_when_nothing_is_near():
    assert nearest("zzzz", COLUMNS) == ""
