"""The follower: who keeps something hears of every change, who keeps nothing costs nothing."""

from collections.abc import Sequence

from node.follower import CHANGES_AT_ONCE, Follower
from protocols.message import Operation
from protocols.values.value import Value
from registry.change import Change
from tests.node.parts import PREFIX, make_store, put

URL = (Value(1, "URL", b"https://example.org/"),)


async def test_who_keeps_something_hears_of_every_change_in_order() -> None:
    store = make_store()
    reader = store.reader()
    follower = Follower(reader)
    heard: list[bytes] = []
    follower.listen(lambda changes: heard.extend(change.key for change in changes))
    names = [f"{PREFIX}/f{n}" for n in range(CHANGES_AT_ONCE + 5)]
    for name in names:
        put(store, name, URL, Operation.PUT)
    reader.refresh()
    assert follower.is_behind
    await follower.catch_up()
    assert heard == [name.upper().encode() for name in names]
    assert not follower.is_behind


async def test_changes_are_not_read_while_nobody_keeps_anything() -> None:
    store = make_store()
    follower = Follower(store.reader())
    heard: list[Sequence[Change]] = []
    keeps = [False]
    follower.listen(heard.append, lambda: keeps[0])
    put(store, f"{PREFIX}/a", URL, Operation.PUT)
    await follower.catch_up()
    assert heard == []
    assert not follower.is_behind
    keeps[0] = True
    put(store, f"{PREFIX}/b", URL, Operation.PUT)
    await follower.catch_up()
    assert [[change.key for change in changes] for changes in heard] == [[b"88.118/B"]]


async def test_a_feed_with_a_gap_means_drop_everything() -> None:
    store = make_store()
    follower = Follower(store.reader())
    heard: list[Sequence[Change]] = []
    follower.listen(heard.append)
    for n in range(5):
        put(store, f"{PREFIX}/{n}", URL, Operation.PUT)
    store.truncate_changes(store.reader().head().seq)
    await follower.catch_up()
    assert heard == [[]]


async def test_a_look_passes_a_few_changes_at_once_and_leaves_many_to_others() -> None:
    store = make_store()
    reader = store.reader()
    follower = Follower(reader)
    heard: list[bytes] = []
    follower.listen(lambda changes: heard.extend(change.key for change in changes))
    put(store, f"{PREFIX}/a", URL, Operation.PUT)
    reader.refresh()
    follower.look()
    assert heard == [b"88.118/A"]
    assert not follower.is_behind
    for n in range(CHANGES_AT_ONCE + 1):
        put(store, f"{PREFIX}/{n}", URL, Operation.PUT)
    reader.refresh()
    follower.look()
    assert heard == [b"88.118/A"]
    assert follower.is_behind
