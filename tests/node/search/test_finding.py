"""Finding: the index says what a look at every record says, whatever the values and patterns are."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import starmap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.search.cells import Scope, are_met, cells_of
from node.search.finding import Asked, Effort, find
from node.search.index import Index
from node.search.layout import FORMAT, SCHEMA, State
from protocols.message import Operation
from protocols.record import Record
from protocols.values.value import SECRET_PERMISSIONS, Value
from protocols.values.value_list import encode_values
from tests.node.search.parts import PREFIX, Bench, bench, term

TEXTS = st.one_of(
    st.text(st.sampled_from("abc"), max_size=6),
    st.text(st.sampled_from("abcdefgh%_?[]*\"'\\/:.é标识\U0001f600 "), max_size=40),
    st.builds(lambda head, tail: head * 40 + tail, st.sampled_from(["abc", "标"]), st.text("xyz", max_size=3)),
)  # fmt: skip
STATE = State(FORMAT, "", b"", 0, b"", True, b"", 0, 0, 0, 0, ended_well=False)
TYPES = ("URL", "url", "CHECKSUM", "HS_SECKEY", "备注")
VALUES = st.builds(
    lambda type_, data, permissions: Value(1, type_, data, permissions=permissions),
    st.sampled_from(TYPES),
    st.one_of(TEXTS.map(str.encode), TEXTS.map(str.encode), st.binary(max_size=8)),
    st.sampled_from([14, 14, 14, SECRET_PERMISSIONS]),
)
RECORDS = st.dictionaries(st.integers(0, 6), st.lists(VALUES, max_size=4), min_size=1)
EFFORTS = (Effort(), Effort(few=0), Effort(0, 0, 0.0), Effort(0, 0, 1e9))
"""By what is rare; by grams; by grams after a sample; by walking."""


@st.composite
def patterns(draw: st.DrawFn, texts: list[str]) -> str:
    """A piece of something registered with stars around it, or anything."""
    text = draw(st.sampled_from(texts) if texts else TEXTS)
    first = draw(st.integers(0, len(text)))
    piece = text[first : draw(st.integers(first, len(text)))]
    form = draw(st.sampled_from(["{}", "*{}", "{}*", "*{}*", "{}*{}", "*"]))
    return form.format(*([piece] if form.count("{}") == 1 else [text[:first], text[first:]]))


@settings(max_examples=60)
@given(data=st.data())
def test_the_index_finds_what_a_look_at_every_record_finds(data: st.DataObject) -> None:
    scope = Scope(text_bytes=100)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        index, kept = Index(connection, scope), {}
        for records in (data.draw(RECORDS), data.draw(RECORDS)):  # the second over what is there
            made = {record.key: record for record in starmap(_record, records.items())}
            index.commit({key: None if not one.public else one for key, one in made.items()}, STATE)
            kept |= made
        texts = [
            cell.text
            for one in kept.values()
            if one.public
            for cell in cells_of(one.public, scope)
            if cell.text
        ]
        asked = tuple(
            term(
                data.draw(st.sampled_from(["URL", "CHECKSUM", "备注"])),
                *data.draw(st.lists(patterns(texts), min_size=1, max_size=2)),
            )
            for _ in range(data.draw(st.integers(1, 2)))
        )
        chosen = [
            one
            for one in kept.values()
            if one.public and are_met(asked, cells_of(one.public, scope))
        ]
        expected = [one.spelling.decode() for one in sorted(chosen, key=lambda one: one.key)]
        for effort in EFFORTS:
            hits = find(connection, Asked(asked, 1000), effort)
            assert [hit.spelling for hit in hits] == expected, effort


def _record(number: int, values: list[Value]) -> Record:
    """Without values it is one that was deleted. Not all of them may be read by everybody."""
    spelling = f"{PREFIX}/Item-{number}".encode()
    public = encode_values(values) if values else b""
    return Record(spelling.upper(), spelling, 1, 1, 1, 1, public)


@pytest.fixture(scope="module")
def many() -> Iterator[Bench]:
    """Three hundred records, below two prefixes, in random order."""
    with bench() as node:
        node.do(Operation.HOST, "0.NA/88.119")
        numbers = list(range(300))
        random.Random(5).shuffle(numbers)
        for number in numbers:
            node.put(
                f"88.{118 + number % 2}/Sn-{number:03}",
                Value(1, "URL", f"https://a.cn/{number:03}".encode()),
                Value(2, "STATE", b"ok" if number % 3 else b"bad"),
            )
        node.index()
        yield node


@pytest.mark.parametrize("pattern", ["*a.cn*", "https://a.cn/*", "*", "*1*"])
def test_pages_follow_each_other_in_order_and_miss_and_repeat_nothing(
    many: Bench, pattern: str
) -> None:
    everything = many.find(term("URL", pattern))
    assert everything == sorted(everything, key=str.upper)
    assert everything == many.scan(term("URL", pattern))
    pages = [many.find(term("URL", pattern), limit=37, skip=37 * page) for page in range(10)]
    assert [name for page in pages for name in page] == everything
    followed: list[str] = []
    while page := many.find(
        term("URL", pattern), limit=41, after=followed[-1].upper() if followed else ""
    ):
        followed += page
    assert followed == everything


def test_terms_may_be_met_by_different_values_but_patterns_of_one_term_by_one(many: Bench) -> None:
    asked = term("URL", "*/12*"), term("STATE", "bad")
    assert many.find(*asked) == [f"88.{118 + n % 2}/Sn-{n}" for n in (120, 126, 123, 129)]
    assert many.find(term("URL", "*12*", "*/0*")) == ["88.118/Sn-012"]


def test_a_prefix_narrows_and_hidden_ones_are_left_out_of_every_page(many: Bench) -> None:
    asked = term("URL", "*a.cn*")
    below = many.find(asked, prefix="88.118")
    assert below == [name for name in many.find(asked) if name.startswith("88.118/")]
    assert len(below) == 150
    assert many.find(asked, hidden_prefixes=("88.119",)) == below
    assert many.find(asked, hidden_prefixes=("88.119",), limit=10, skip=10) == below[10:20]
    assert many.find(asked, prefix="88.11") == []


def test_a_type_that_nobody_has_finds_nothing(many: Bench) -> None:
    assert many.find(term("NEVER", "*")) == []
    assert many.find(term("URL", "*a.cn*"), term("NEVER", "*")) == []
