"""The memo: what it gives is what the store would give in the same snapshot, whatever is kept, asked and written."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.lane.extension import load
from protocols.message import Operation
from protocols.record import public_offset
from protocols.values.value import Value
from registry.stores.memory import MemoryStore
from tests.lane.test_udp_lane import Desk
from tests.node.parts import PREFIX, ask, put

pytestmark = pytest.mark.skipif(load() is None, reason="the compiled part is not built")

LEAST_BYTES = 65_536
NAMES = [f"N-{number}" for number in range(12)]


def make_memo(most_bytes: int = LEAST_BYTES):
    return load().Memo(most_bytes, 0x1234_5678_9ABC_DEF0)


def fresh_store() -> MemoryStore:
    store = MemoryStore(bytes(16))
    put(store, f"0.NA/{PREFIX}", [Value(1, "DESC", b"prefix")], Operation.HOST)
    return store


def with_store(store: MemoryStore, memo) -> Desk:
    desk = Desk(memo=memo, most_bytes=4096)
    desk.reader = store.reader()
    return desk


def answer(desk: Desk, name: str) -> bytes | None:
    """What the lane answers; None = it is handed back."""
    desk.client().send(ask(f"{PREFIX}/{name}"))
    desk.reader.refresh()
    left = desk.serve()
    got = desk.answers()
    assert len(got) == (left is None)
    return got[0] if got else None


def stored(desk: Desk, name: str) -> bytes | None:
    found = desk.reader.stored(f"{PREFIX}/{name}".encode())
    return None if found is None or found[1] & 4 else found[public_offset(found) :]


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "ask", "put", "delete"]), st.sampled_from(NAMES), st.integers(1, 900)),
    max_size=80,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_whatever_is_written_between_questions_is_seen_by_the_next_one(steps):
    store = fresh_store()
    desk = with_store(store, make_memo())
    present = set()
    try:
        for step, name, size in steps:
            if step == "put":
                put(store, f"{PREFIX}/{name}", [Value(1, "TEXT", b"x" * size)], Operation.PUT)
                present.add(name)
            elif step == "delete" and name in present:
                put(store, f"{PREFIX}/{name}", (), Operation.DELETE)
                present.discard(name)
            else:
                got, public = answer(desk, name), stored(desk, name)
                assert (got is None) == (public is None)
                assert got is None or public in got
    finally:
        desk.close()


def test_the_third_question_in_a_snapshot_spares_the_store():
    store, memo = fresh_store(), make_memo()
    put(store, f"{PREFIX}/N-1", [Value(1, "TEXT", b"x")], Operation.PUT)
    desk = with_store(store, memo)
    seen = []
    for _ in range(4):
        answer(desk, "N-1")
        seen.append(memo.hits)
    assert seen == [0, 0, 1, 2]
    put(store, f"{PREFIX}/N-2", [Value(1, "TEXT", b"y")], Operation.PUT)
    answer(desk, "N-1")
    assert memo.hits == 2, "another snapshot: looked up again"
    answer(desk, "N-1")
    assert memo.hits == 3
    desk.close()


def test_each_spelling_is_answered_as_it_was_asked():
    store, memo = fresh_store(), make_memo()
    put(store, f"{PREFIX}/N-1", [Value(1, "TEXT", b"x")], Operation.PUT)
    desk = with_store(store, memo)
    for _ in range(3):
        for spelling in ("N-1", "n-1"):
            assert f"{PREFIX}/{spelling}".encode() in answer(desk, spelling)
    desk.close()


def test_more_than_fits_is_answered_all_the_same_and_who_comes_back_is_kept():
    store, memo = fresh_store(), make_memo()
    count = 600
    for number in range(count):
        put(store, f"{PREFIX}/M-{number}", [Value(1, "TEXT", b"%d" % number * 60)], Operation.PUT)
    desk = with_store(store, memo)
    chance = random.Random(7)
    for _ in range(3000):
        number = chance.randrange(20) if chance.random() < 0.7 else chance.randrange(count)
        assert b"%d" % number * 60 in answer(desk, f"M-{number}")
    assert memo.hits > 1000
    desk.close()


def test_what_is_too_large_for_it_is_looked_up_each_time():
    store, memo = fresh_store(), make_memo()
    put(store, f"{PREFIX}/N-1", [Value(1, "TEXT", b"x" * 3000)], Operation.PUT)
    desk = with_store(store, memo)
    for _ in range(4):
        assert b"x" * 3000 in answer(desk, "N-1")
    assert memo.hits == 0
    desk.close()


@pytest.mark.parametrize("most_bytes", [0, 65_535, 1 << 41])
def test_impossible_sizes_are_refused(most_bytes):
    with pytest.raises(ValueError, match="out of range"):
        make_memo(most_bytes)


def test_only_a_memo_is_taken_for_one():
    with pytest.raises(TypeError, match="a Memo or None"):
        load().Streams({}, {}, {}, 100, "none")
