"""What is registered and resolved: splitting, folding, limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError, TooLarge
from protocols.identifier import (
    MAX_IDENTIFIER_BYTES,
    Identifier,
    fold_suffix,
    is_within,
    parent_prefix,
    parse_identifier,
    prefix_record_named,
    prefix_record_of,
    read_identifier,
    split,
)

spellings = st.builds(
    "{}/{}".format,
    st.from_regex(r"[0-9A-Za-z.]{1,12}", fullmatch=True),
    st.text(min_size=1, max_size=20),
)


def test_the_first_slash_divides_and_the_rest_is_the_suffix():
    identifier = parse_identifier("88.118.7/Line/1//x ?%41")
    assert (identifier.prefix, identifier.suffix) == (b"88.118.7", b"Line/1//x ?%41")
    assert identifier.folded() == b"88.118.7/LINE/1//X ?%41"
    assert identifier.text == "88.118.7/Line/1//x ?%41"
    assert not identifier.is_prefix_record


def test_a_name_without_slash_is_the_record_of_the_prefix():
    bare, full = parse_identifier("88.118.7a"), parse_identifier("0.na/88.118.7A")
    assert bare.is_prefix_record
    assert full.is_prefix_record
    assert bare.folded() == full.folded() == b"0.NA/88.118.7A"
    assert (bare.text, full.text) == ("88.118.7a", "0.na/88.118.7A")
    assert bare.responsible_prefix == full.responsible_prefix == b"88.118.7A"


def test_the_prefix_is_responsible_for_what_is_below_it():
    assert parse_identifier("abc.1/x").responsible_prefix == b"ABC.1"


def test_only_ascii_letters_are_folded():
    assert parse_identifier("a/éßıſſ").folded() == "A/éßıſſ".encode()
    assert parse_identifier("a/éxß").folded() == "A/éXß".encode()
    assert parse_identifier("ab.é/x").prefix == "AB.é".encode()


def test_a_case_sensitive_prefix_keeps_the_suffix_and_folds_itself():
    identifier = parse_identifier("abc/aBc")
    assert identifier.folded(case_sensitive=True) == b"ABC/aBc"
    assert identifier.folded() == b"ABC/ABC"


def test_below_0_dot_case_never_matters():
    assert parse_identifier("0.na/abc").folded(case_sensitive=True) == b"0.NA/ABC"
    assert fold_suffix(b"0.SITE", b"status", True) == b"STATUS"
    assert fold_suffix(b"0X", b"abc", True) == b"abc"


@given(spellings, st.booleans())
def test_folding_is_final_and_keeps_length(spelling, case_sensitive):
    identifier = parse_identifier(spelling)
    folded = identifier.folded(case_sensitive)
    assert read_identifier(folded).folded(case_sensitive) == folded
    assert len(folded) == len(identifier.spelling)


@given(spellings)
def test_every_ascii_case_of_a_spelling_is_one_record(spelling):
    raw = spelling.encode()
    folds = {
        read_identifier(case).folded() for case in (raw, raw.upper(), raw.lower(), raw.swapcase())
    }
    assert len(folds) == 1


@given(spellings)
def test_the_asked_spelling_is_kept_byte_for_byte(spelling):
    identifier = parse_identifier(spelling)
    assert identifier.spelling == spelling.encode()
    assert identifier.text == spelling
    assert split(identifier.spelling) == (identifier.prefix, identifier.suffix)


@pytest.mark.parametrize(
    "spelling", [b"", b"/", b"/x", b"a/", b"\xff/x", b"a/\xc3", b"a/\xed\xa0\x80"]
)
def test_what_cannot_be_an_identifier_is_malformed(spelling):
    with pytest.raises(Malformed):
        read_identifier(spelling)


def test_text_that_no_bytes_can_carry_is_malformed():
    with pytest.raises(Malformed):
        parse_identifier("a/\ud800")


def test_the_limit_counts_bytes():
    longest = "a/" + "é" * ((MAX_IDENTIFIER_BYTES - 2) // 2)
    assert len(parse_identifier(longest).spelling) == MAX_IDENTIFIER_BYTES
    with pytest.raises(TooLarge):
        parse_identifier(longest + "x")


@given(st.binary(max_size=30))
def test_any_bytes_make_an_identifier_or_a_protocol_error(spelling):
    try:
        identifier = read_identifier(spelling)
    except ProtocolError:
        return
    assert identifier.prefix
    assert identifier.suffix
    assert identifier.spelling == spelling


def test_the_record_of_a_prefix_has_a_name_of_its_own():
    assert prefix_record_of("88.118.7a") == Identifier(b"0.NA/88.118.7a", b"0.NA", b"88.118.7a")
    assert prefix_record_of(b"88.118.7a") == prefix_record_of("88.118.7a")
    for spelling in (b"88.118.7a", b"0.NA/88.118.7a", b"0.na/88.118.7a"):
        assert prefix_record_named(spelling) == prefix_record_of("88.118.7a")
    with pytest.raises(Malformed):
        prefix_record_of("")


def test_prefixes_go_up_label_by_label():
    assert parent_prefix(b"88.118.7") == b"88.118"
    assert parent_prefix(b"88.118") == b"88"
    assert parent_prefix(b"88") is None


@pytest.mark.parametrize(
    ("prefix", "above", "is_below"),
    [
        (b"88.200", b"88.200", True),
        (b"88.200.5", b"88.200", True),
        (b"88.2001", b"88.200", False),
        (b"88", b"88.200", False),
        (b"188.200", b"88.200", False),
    ],
)
def test_a_prefix_lies_within_itself_and_those_it_derives_from(prefix, above, is_below):
    assert is_within(prefix, above) is is_below
