"""Choosing among locations, by tables: link, address, country, score, weight, and the Accept header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.proxy.choosing import Asker, choose, read_pairs
from node.http.proxy.negotiating import read_accept
from protocols.values.locations import DEFAULT_STEPS, Location, decode_locations


def locations(*texts):
    body = "".join(f"<location {text}/>" for text in texts)
    return decode_locations(f"<locations>{body}</locations>".encode()).locations


def chosen(places, steps=DEFAULT_STEPS, draw=0.0, **asker):
    found = choose(places, steps, Asker(**asker), lambda: draw)
    return None if found is None else found.attributes.get("id")


SHOPS = locations(
    'id="cn" href="https://a.cn/" country="cn" weight="1"',
    'id="de" href="https://a.de/" country="DE" weight="2"',
    'id="any" href="https://a.org/" weight="1"',
)


@pytest.mark.parametrize(
    ("asker", "draw", "expected"),
    [
        ({}, 0.0, "cn"), ({}, 0.24, "cn"), ({}, 0.26, "de"), ({}, 0.74, "de"), ({}, 0.76, "any"), ({}, 0.999, "any"),
        ({"country": "de"}, 0.0, "de"), ({"country": "CN"}, 0.9, "cn"), ({"country": "fr"}, 0.3, "de"),
        ({"pairs": (("id", "any"),)}, 0.0, "any"), ({"pairs": (("id", "none"),)}, 0.0, "cn"),
        ({"pairs": (("country", None),)}, 0.9, "de"), ({"pairs": (("country", None), ("id", "cn"))}, 0.9, "cn"),
        ({"pairs": (("id", "any"),), "country": "cn"}, 0.9, "any"),
    ],
)  # fmt: skip
def test_a_step_narrows_the_choice_or_leaves_it(asker, draw, expected):
    assert chosen(SHOPS, draw=draw, **asker) == expected


def test_the_document_says_in_which_order():
    assert chosen(SHOPS, ("country", "locatt"), country="cn", pairs=(("id", "de"),)) == "cn"
    assert chosen(SHOPS, ("weighted", "country"), draw=0.9, country="cn") == "any"
    assert chosen(SHOPS, ("unknown", "country"), country="de") == "de"
    assert chosen(SHOPS, (), draw=0.5) == "de"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", "in"),
        ("192.0.2.9", "in"),
        ("2001:db8::5", "six"),
        ("198.51.100.1", "out"),
        ("", "out"),
    ],
)
def test_an_address_in_a_named_network_decides(address, expected):
    places = locations(
        'id="out" href="https://a.org/"',
        'id="in" href="https://in.cn/" addresses="nonsense, 10.0.0.0/8, 192.0.2.9" weight="0"',
        'id="six" href="https://six.cn/" address="2001:db8::/32" weight="0"',
    )
    assert chosen(places, address=address) == expected


def test_the_highest_score_wins_and_nought_is_the_default():
    places = locations(
        'id="a" href="x"', 'id="b" href="x" score="2"', 'id="c" href="x" score="2.5"'
    )
    assert chosen(places) == "c"
    assert chosen(places[:1]) == "a"
    assert chosen(()) is None


def test_places_of_no_weight_are_drawn_only_when_there_are_no_others():
    nothing = locations('id="a" href="x" weight="0"', 'id="b" href="x" weight="0"')
    assert [chosen(nothing, draw=draw) for draw in (0.0, 0.49, 0.51, 0.99)] == ["a", "a", "b", "b"]
    one = (*nothing, *locations('id="c" href="x" weight="1e308"'), *nothing)
    assert {chosen(one, draw=n / 100) for n in range(100)} == {"c"}


@given(st.lists(st.floats(0, 1e308), min_size=1, max_size=8), st.floats(0, 1, exclude_max=True))
def test_somebody_is_always_drawn_and_nobody_without_weight_beside_one_with(weights, draw):
    places = [Location("x", {"id": str(n), "weight": repr(w)}) for n, w in enumerate(weights)]
    found = choose(places, (), Asker(), lambda: draw)
    assert found is not None
    assert found.weight > 0 or not any(weights)


def test_shares_come_out_as_the_weights_say():
    drawn = [chosen(SHOPS, draw=n / 10_000) for n in range(10_000)]
    assert [drawn.count(name) for name in ("cn", "de", "any")] == [2500, 5000, 2500]


NEGOTIATED = locations(
    'id="all" href="x"',
    'id="rdf" href="x" http_role="conneg" media-type="application/rdf+xml"',
    'id="json" href="x" http_role="conneg" ctype="application/json; charset=utf-8"',
    'id="web" href="x" http_role="browser"',
    'id="plain" href="x" http_role="no_conneg"',
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "plain"), ("*/*", "plain"), ("*/*;q=0.1", "plain"), ("nonsense", "plain"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "web"), ("text/html;q=0.9, text/csv;q=0.9", "web"),
        ("application/rdf+xml", "rdf"), ("APPLICATION/JSON", "json"), ("application/*", "rdf"),
        ("application/json;q=0.5, application/rdf+xml;q=0.9", "rdf"), ("application/json, */*;q=0.1", "json"),
        ("text/csv", "all"), ("text/csv, application/json;q=0.2", "json"), ("application/json;q=0, text/csv", "all"),
        ("application/json;q=x, text/csv", "all"), ("application/json;level=1;q=0.7, text/html;q=0.6", "json"),
    ],
)  # fmt: skip
def test_the_accept_header_decides_among_roles(accept, expected):
    assert chosen(NEGOTIATED, wish=read_accept(accept)) == expected


def test_a_link_that_names_the_role_is_not_negotiated():
    pairs = read_pairs(["http_role:browser"])
    assert chosen(NEGOTIATED, pairs=pairs, wish=read_accept("application/json")) == "web"
    assert read_pairs(["id:a:b", " Country ", "x:"]) == (
        ("id", "a:b"),
        ("country", None),
        ("x", ""),
    )


def test_without_a_place_for_the_role_everybody_gets_what_is_for_everybody():
    assert chosen(NEGOTIATED[:3], wish=read_accept("text/html")) == "all"
    assert chosen(NEGOTIATED[1:3], wish=read_accept("text/html")) in {"rdf", "json"}


@given(st.text(max_size=120))
def test_no_accept_header_is_too_odd(header):
    assert read_accept(header).role in {"conneg", "no_conneg", "browser"}
