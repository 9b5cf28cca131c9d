"""Via and trail survive the wire, are bounded, and whatever else stands there is read as nothing."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.handle.codec import decode, encode
from protocols.handle.via import (
    MAX_IDS,
    MAX_TRAIL_BYTES,
    NO_VIA,
    TRAIL_NAME,
    Via,
    read_trail,
    read_via,
    write_trail,
    write_via,
)
from protocols.trail import (
    MAX_LEGS,
    MAX_TRAIL_DEPTH,
    Leg,
    Trail,
    Verdict,
    read_trail_document,
    trail_document,
)
from tests.vectors.handle_vectors import MESSAGES, bytes_of

ids = st.text("0123456789abcdef", min_size=1, max_size=16)
words = st.text(st.characters(codec="utf-8"), max_size=40)
seconds = st.integers(0, 10_000_000).map(lambda number: number / 1_000_000)


def trails(depth: int) -> st.SearchStrategy[Trail]:
    below = st.none() if depth <= 1 else st.one_of(st.none(), trails(depth - 1))
    legs = st.lists(st.builds(Leg, words, words, seconds, words, below), max_size=2).map(tuple)
    return st.builds(Trail, words, st.sampled_from(Verdict), legs)


def nested(depth: int, name: str = "88.118") -> Trail:
    trail = Trail(name, Verdict.LOCAL)
    for _ in range(depth - 1):
        trail = Trail(
            name, Verdict.ASKED, (Leg("tcp://192.0.2.7:2641", "a/b", 0.5, "success", trail),)
        )
    return trail


def depth_of(trail: Trail | None) -> int:
    return 0 if trail is None else 1 + max((depth_of(leg.trail) for leg in trail.legs), default=0)


@given(st.lists(ids, max_size=MAX_IDS).map(tuple), st.booleans())
def test_via_comes_back(via: tuple[str, ...], wants_trail: bool) -> None:
    surplus = write_via(via, wants_trail)
    assert read_via(surplus) == Via(via, wants_trail)
    assert (surplus == b"") == (not via and not wants_trail)
    assert not surplus or surplus.startswith(bytes(4))  # the SDK's empty token


def test_of_too_many_ids_the_last_are_told() -> None:
    via = tuple(f"{number:x}" for number in range(MAX_IDS + 3))
    assert read_via(write_via(via, wants_trail=False)).via == via[3:]


@given(st.binary(max_size=80))
def test_other_surplus_is_no_via(surplus: bytes) -> None:
    assert read_via(surplus) == NO_VIA
    assert read_trail(surplus) is None


@pytest.mark.parametrize(
    "text",
    ["biaojie-via/1", "biaojie-via/1 X ab", "biaojie-via/2 - ab", "biaojie-via/1 - AB", "biaojie-via/1 - x",
     "biaojie-via/1 - " + "0" * 17, "biaojie-via/1 -  ab", "biaojie-via/1 - " + " ".join("abcdef012"), ""],
)  # fmt: skip
def test_what_is_not_quite_a_via_is_none(text: str) -> None:
    assert read_via(bytes(4) + len(text).to_bytes(4) + text.encode()) == NO_VIA


@pytest.mark.parametrize("name", ["sdk_resolution_request_trailing", "udp_resolution_request"])
def test_the_sdks_own_requests_have_no_via(name: str) -> None:
    assert name in MESSAGES
    assert read_via(decode(bytes_of(name)).body.surplus) == NO_VIA


def test_a_request_with_a_via_decodes_to_the_same_question() -> None:
    plain = decode(bytes_of("udp_resolution_request"))
    told = plain._replace(body=plain.body._replace(surplus=write_via(("ab",), wants_trail=True)))
    again = decode(encode(told))
    assert again.body._replace(surplus=b"") == plain.body
    assert read_via(again.body.surplus) == (("ab",), True)


@given(trails(3))
def test_a_trail_comes_back(trail: Trail) -> None:
    assert read_trail(write_trail(trail)) == trail
    assert read_trail_document(orjson.loads(orjson.dumps(trail_document(trail)))) == trail


def test_a_trail_is_as_deep_as_nodes_may_forward() -> None:
    assert read_trail(write_trail(nested(MAX_TRAIL_DEPTH))) == nested(MAX_TRAIL_DEPTH)
    assert depth_of(read_trail(write_trail(nested(MAX_TRAIL_DEPTH + 5)))) == MAX_TRAIL_DEPTH
    deeper = trail_document(nested(MAX_TRAIL_DEPTH + 1), MAX_TRAIL_DEPTH + 1)
    assert read_trail_document(deeper) is None


def test_a_long_trail_loses_its_deepest_parts_first() -> None:
    long = nested(6, "n" * 1500)
    surplus = write_trail(nested(MAX_TRAIL_DEPTH, "n" * 2000))
    assert len(surplus) <= MAX_TRAIL_BYTES + 8 + len(TRAIL_NAME)
    assert 4 <= depth_of(read_trail(surplus)) < MAX_TRAIL_DEPTH
    assert read_trail(write_trail(long)) == long
    wide = Trail("n", Verdict.ASKED, tuple(Leg("s" * 300, "a" * 100, 1.0, "w") for _ in range(60)))
    assert write_trail(wide) == b""


def test_more_legs_than_a_node_can_make_are_not_believed() -> None:
    legs = tuple(Leg("s", "a", 1.0, "w") for _ in range(MAX_LEGS + 1))
    document = trail_document(Trail("n", Verdict.ASKED, legs[:MAX_LEGS]))
    assert read_trail_document(document) is not None
    document["legs"] = [*document["legs"], document["legs"][0]]
    assert read_trail_document(document) is None


@pytest.mark.parametrize(
    "text",
    [b"[]", b"{}", b"null", b"{", b'{"node": 1, "verdict": "local", "legs": []}',
     b'{"node": "n", "verdict": "?", "legs": []}', b'{"node": "n", "verdict": ["local"], "legs": []}',
     b'{"node": "n", "verdict": "local", "legs": {}}', b'{"node": "n", "verdict": "local", "legs": [7]}',
     b'{"node": "n", "verdict": "local", "legs": [{"server": "s", "asked": "a", "seconds": "1", "said": "x"}]}',
     b'{"node": "n", "verdict": "local", "legs": [{"server": "s", "asked": "a", "seconds": true, "said": "x"}]}',
     b'{"node": "n", "verdict": "local", "legs": [{"server": "s", "asked": "a", "seconds": 1, "said":"x","trail":1}]}',
     b"[" * 16_000],
)  # fmt: skip
def test_what_is_not_quite_a_trail_is_none(text: bytes) -> None:
    surplus = len(TRAIL_NAME).to_bytes(4) + TRAIL_NAME + len(text).to_bytes(4) + text
    assert read_trail(surplus) is None


@given(st.binary(max_size=200))
def test_any_bytes_under_the_right_name_are_a_trail_or_none(text: bytes) -> None:
    surplus = len(TRAIL_NAME).to_bytes(4) + TRAIL_NAME + len(text).to_bytes(4) + text
    assert read_trail(surplus) is None or isinstance(read_trail(surplus), Trail)
