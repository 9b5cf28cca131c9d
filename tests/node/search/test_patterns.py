"""Patterns: what they mean, and that SQLite's GLOB and the trigrams mean the same."""

import re
import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.search.marks import STEP, mark_of, marks_of
from node.search.patterns import MAX_PATTERN_BYTES, Pattern, read_pattern
from protocols.errors import Malformed, TooLarge

LETTERS = st.text(st.sampled_from("ab*?[]%_^-\\'\"é标\U0001f600 "), max_size=12)


@settings(max_examples=300)
@given(LETTERS, LETTERS)
@example("*", "")
@example("a*a", "a")
@example("*ab*b", "ab")
@example("[ab]*", "[ab]x")
def test_a_pattern_means_what_the_regular_expression_with_the_same_stars_means(
    pattern: str, text: str
) -> None:
    meaning = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    expected = re.fullmatch(meaning, text, re.DOTALL) is not None
    read = read_pattern(pattern)
    assert read.matches(text) is expected
    with sqlite3.connect(":memory:") as connection:
        (globbed,) = connection.execute("SELECT ? GLOB ?", (text, read.as_glob())).fetchone()
    connection.close()
    assert bool(globbed) is expected
    if expected:
        assert all(trigram in text for trigram in read.trigrams())


@pytest.mark.parametrize(
    ("text", "trigrams"),
    [("*ab*", []), ("*abc*", ["abc"]), ("abcd", ["abc", "bcd"]), ("*abcdef*xyz", ["abc", "def", "xyz"]), ("***", [])],
)  # fmt: skip
def test_trigrams_cover_every_piece(text: str, trigrams: list[str]) -> None:
    assert list(read_pattern(text).trigrams()) == trigrams


def test_what_cannot_be_searched_is_refused_and_named() -> None:
    with pytest.raises(TooLarge, match=r"URL: a pattern of 2049 bytes") as caught:
        read_pattern("x" * (MAX_PATTERN_BYTES + 1), "URL")
    assert caught.value.field == "URL"
    with pytest.raises(Malformed, match="zero byte"):
        read_pattern("a\0b")


def test_only_an_open_end_is_met_by_the_beginning_of_a_long_value() -> None:
    assert [read_pattern(text).is_open for text in ("a*", "*", "*a", "a", "*a*")] == [
        True, True, False, False, True,
    ]  # fmt: skip


@settings(max_examples=200)
@given(st.text(st.sampled_from("abé标"), max_size=80), st.text(max_size=10), st.integers(1, 3))
def test_a_text_has_every_mark_that_its_patterns_are_looked_up_by(
    text: str, tail: str, type_: int
) -> None:
    marks = list(marks_of(type_, text, is_cut=False))
    assert mark_of(type_, read_pattern(text)) == marks[0]
    begun = mark_of(type_, Pattern((text, "")))
    longer = set(marks_of(type_, text + tail, is_cut=True))
    assert (begun is None) == (len(text) < STEP)
    assert begun is None or begun in longer
    assert not longer & set(marks_of(type_ + 1, text, is_cut=False))
