"""The mapping as the operator writes it."""

import pytest

from registry.importing.mapping import parse_mapping
from registry.importing.template import MappingError


def mapped(*values, prefix="88.118", suffix="{barcode}", checks=()):
    return parse_mapping(prefix, suffix, values, checks)


def test_indexes_count_from_one_in_the_order_given():
    mapping = mapped("URL={u}", "NAME={n}")
    assert [(v.index, v.type, v.template.source) for v in mapping.values] == [
        (1, "URL", "{u}"),
        (2, "NAME", "{n}"),
    ]


def test_an_index_can_be_given_and_the_others_keep_clear_of_it():
    mapping = mapped("A={a}", "1:B={b}", "500:C={c}", "D=x=y")
    assert [(v.index, v.type) for v in mapping.values] == [(1, "B"), (2, "A"), (3, "D"), (500, "C")]
    assert mapping.indexes == (1, 2, 3, 500)


def test_the_first_equals_sign_ends_the_type():
    assert mapped("URL=https://x.cn/?q={q}").values[0].template.source == "https://x.cn/?q={q}"


def test_the_prefix_is_folded_and_may_come_as_its_records_name():
    assert mapped("A={a}", prefix="88.Abc").prefix == b"88.ABC"
    assert mapped("A={a}", prefix="0.NA/88.118").prefix == b"88.118"


def test_columns_are_all_that_are_named_each_once():
    mapping = mapped("A={a}{b}", "B={b}", checks=["gtin:c"])
    assert mapping.columns == ("barcode", "a", "b", "c")


@pytest.mark.parametrize(
    ("values", "changes", "words"),
    [
        ((), {}, "no value is mapped"),
        (("URL",), {}, "not TYPE=template"),
        (("={a}",), {}, "not TYPE=template"),
        (("0:URL={a}",), {}, "index 0"),
        (("2147483648:URL={a}",), {}, "index 2147483648"),
        (("3:A={a}", "3:B={b}"), {}, "index 3 is given to two"),
        (("HS_ADMIN={a}",), {}, "Handle system itself"),
        (("hs_seckey={a}",), {}, "Handle system itself"),
        (("A" * 300 + "={a}",), {}, "at most 256"),
        (("A={a}",), {"prefix": "88/118"}, "not a prefix"),
        (("A={a}",), {"prefix": ""}, "not a prefix"),
        (("A={a}",), {"suffix": "same"}, "names no column"),
        (("A={a}",), {"suffix": "{a"}, "brace"),
    ],
)
def test_what_cannot_work_is_said_in_words(values, changes, words):
    with pytest.raises(MappingError, match=words):
        mapped(*values, **changes)


def test_the_digest_tells_mappings_apart_and_nothing_else():
    same = mapped("URL={u}", "NAME={n}").digest()
    assert mapped("1:URL={u}", "2:NAME={n}").digest() == same
    assert len(same) == 16
    others = [
        mapped("URL={u}"),
        mapped("URL={u}", "NAME={m}"),
        mapped("URL={u}", "NAME={n}", checks=["gtin"]),
        mapped("URL={u}", "NAME={n}", prefix="88.119"),
        mapped("URL={u}", "NAME={n}", suffix="x{barcode}"),
    ]
    assert len({same, *(m.digest() for m in others)}) == 6
