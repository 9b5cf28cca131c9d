"""Targets: decoded once, never tidied up."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.target import (
    MAX_QUERY_FIELDS,
    decode_path,
    encode_path,
    read_parameters,
    split_target,
)
from protocols.errors import Malformed, TooLarge


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        (b"/a?b", b"/a", b"b"),
        (b"/a?b?c", b"/a", b"b?c"),
        (b"/a%3Fb", b"/a%3Fb", b""),
        (b"//a/../b", b"//a/../b", b""),
        (b"http://host/a?b", b"/a", b"b"),
        (b"http://host:80", b"/", b""),
        (b"http://host?b", b"/", b"b"),
        (b"http://user@host//a", b"//a", b""),
        (b"*", b"*", b""),
    ],
)
def test_a_target_splits_at_its_first_question_mark(raw, path, query):
    assert split_target(raw) == (path, query)


@given(st.binary(max_size=60))
def test_a_link_decodes_to_the_identifier_it_was_made_of(spelling):
    assert decode_path(encode_path(spelling).encode()) == spelling


@given(st.binary(max_size=60).filter(lambda spelling: spelling not in {b".", b".."}))
def test_a_link_is_nothing_that_a_browser_would_tidy_up_or_leave_the_site_for(spelling):
    path = "/" + encode_path(spelling)
    assert not path.startswith("//")
    assert path.isascii()
    assert path.isprintable()
    assert not {".", ".."} & set(path.split("/"))


def test_decoding_happens_once():
    assert decode_path(b"%2525") == b"%25"
    assert decode_path(b"a+b%2B") == b"a+b+"


@pytest.mark.parametrize("raw", [b"%", b"%1", b"%zz", b"a%", b"%%41"])
def test_a_percent_sign_without_digits_is_refused(raw):
    with pytest.raises(Malformed, match="%25"):
        decode_path(raw)


def test_parameters_keep_their_order_and_repetition():
    parameters = read_parameters(b"index=1&type=A%26B&index=2&flag&x=a+b&&=")
    assert parameters.all("index") == ["1", "2"]
    assert parameters.first("type") == "A&B"
    assert parameters.first("x") == "a b"
    assert parameters.first("none") is None


@pytest.mark.parametrize(
    ("query", "flag"),
    [
        (b"", None),
        (b"f", True),
        (b"f=", True),
        (b"f=YES", True),
        (b"f=true", True),
        (b"f=1", False),
        (b"f=false", False),
    ],
)
def test_a_flag_is_true_when_empty_yes_or_true(query, flag):
    assert read_parameters(query).flag("f") is flag


def test_too_many_parameters_are_refused_before_they_are_decoded():
    with pytest.raises(TooLarge):
        read_parameters(b"a&" * MAX_QUERY_FIELDS + b"%")


@given(st.binary(max_size=80))
def test_any_query_is_read_or_refused(query):
    with contextlib.suppress(Malformed, TooLarge):
        assert len(read_parameters(query).fields) <= query.count(b"&") + 1
