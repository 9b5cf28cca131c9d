"""The GTIN check against numbers from the GS1 specification and a plain reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.importing.checks import check_gtin, parse_check
from registry.importing.template import MappingError, parse_template


def reference(text: str) -> str:
    """GS1 General Specifications §7.9, digit by digit."""
    if len(text) not in (8, 12, 13, 14):
        return "length"
    total = sum(int(c) * (3 if place % 2 else 1) for place, c in enumerate(reversed(text)))
    return "check digit" if total % 10 else ""


@pytest.mark.parametrize(
    "good", [b"6291041500213", b"96385074", b"036000291452", b"10614141000415"]
)
def test_real_numbers_of_every_length_pass(good):
    assert check_gtin(good) == ""


@pytest.mark.parametrize(
    "bad", [b"", b"123", b"62910415002133x", b"629104150021x", b"+629104150021", "٦٢٩١".encode()]
)
def test_other_lengths_and_other_characters_are_a_matter_of_length(bad):
    assert check_gtin(bad) == "length"


def test_every_single_wrong_digit_is_found():
    good = b"6291041500213"
    for place in range(13):
        for digit in b"0123456789":
            changed = good[:place] + bytes([digit]) + good[place + 1 :]
            assert check_gtin(changed) == ("" if changed == good else "check digit")


@given(st.text("0123456789", max_size=16))
def test_it_agrees_with_the_rule_written_out(text):
    assert check_gtin(text.encode()) == reference(text)


def test_without_a_column_it_checks_the_suffixs_only_column():
    assert parse_check("gtin", parse_template("01/{barcode}")).column == "barcode"
    assert parse_check("gtin:ean", parse_template("{a}-{b}")).column == "ean"


def test_two_columns_in_the_suffix_ask_for_a_name():
    with pytest.raises(MappingError) as caught:
        parse_check("gtin", parse_template("{a}-{b}"))
    assert caught.value.next_step == "name it: --check gtin:COLUMN"


def test_an_unknown_check_names_the_nearest():
    with pytest.raises(MappingError) as caught:
        parse_check("gtn", parse_template("{a}"))
    assert caught.value.next_step == "did you mean --check gtin?"
