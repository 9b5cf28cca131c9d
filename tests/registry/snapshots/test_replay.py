"""Snapshot + feed = the same export, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.message import Operation
from registry.errors import Conflict, Gone
from registry.snapshots.export import export_lines
from registry.snapshots.read_export import Export, seed_from
from registry.snapshots.replay import replay
from registry.stores.lmdb import create_store, open_writer
from registry.stores.memory import MemoryStore
from registry.stores.store import ABOUT_PREFIXES
from tests.batteries.scribe import LOG_ID, SOMEWHERE, Scribe, fill
from tests.registry.stores.settings import SMALL

MOVES = {operation.value: operation for operation in sorted(ABOUT_PREFIXES, key=str)}
STEPS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "delete", "record", "release", *MOVES]),
            st.sampled_from(["88.a", "88.B", "88.cs"]),
            st.sampled_from(["x", "X", "y", "L" * 500, "L" * 500 + "z", "é"]),
        ),
        min_size=1,
        max_size=5,
    ),
    max_size=12,
)


def write(store, acts):
    scribe = Scribe(store)
    known = {authority.prefix: authority for authority in store.authorities()}
    for act, prefix, suffix in acts:
        folded = prefix.encode().upper()
        before = known.get(folded)
        if before is None or act in MOVES:
            operation = MOVES.get(act, Operation.HOST)
            if before is None:
                operation = operation if act == "delegate" else Operation.HOST
            elif before.after(operation) == before:
                continue
            made = scribe.move(prefix, operation, case_sensitive=prefix == "88.cs")
            known[folded] = made.authority
        elif (
            act == "release"
        ):  # what a prefix leaves that is deleted and then hosted once more: no new authority
            operation = Operation.DELEGATE if before.is_delegated else Operation.HOST
            if before.after(operation) == before:
                scribe.delete(prefix)
                scribe.write(f"0.NA/{prefix}", operation, (SOMEWHERE,))
        elif act == "record":
            scribe.put(prefix)
        elif act == "delete":
            scribe.delete(f"{prefix}/{suffix}")
        else:
            scribe.put(f"{prefix}/{suffix}")
    scribe.commit()


@given(before=STEPS, after=STEPS, page=st.integers(1, 4))
def test_a_mirror_that_begins_anywhere_ends_with_the_same_export(before, after, page):
    source, mirror = MemoryStore(LOG_ID), MemoryStore(bytes(16))
    for acts in before:
        write(source, acts)
    seed_from(Export(export_lines(source)), mirror)
    for acts in after:
        write(source, acts)
    while replay(source, mirror, page):
        pass
    assert list(export_lines(mirror)) == list(export_lines(source))
    for authority in source.authorities():
        name = authority.spelling + b"/x"
        assert (mirror.stored(name) is None) == (source.stored(name) is None)
        there = mirror.authority(authority.prefix)
        assert there._replace(id=0) == authority._replace(id=0)
    assert mirror.changes(mirror.head().oldest_available - 1) == source.changes(
        mirror.head().oldest_available - 1
    )


def test_an_lmdb_store_is_rebuilt_from_the_feed_alone(tmp_path, rich):
    source = MemoryStore(LOG_ID)
    fill(source, *(f"88.118/{n}" for n in range(50)))
    create_store(tmp_path / "mirror", LOG_ID, SMALL)
    mirror = open_writer(tmp_path / "mirror", SMALL)
    while replay(source, mirror, 7):
        pass
    assert list(export_lines(mirror)) == list(export_lines(source))
    assert mirror.changes(0) == source.changes(0)
    mirror.close()


def test_a_mirror_that_came_too_late_is_told_that_the_changes_are_gone(rich):
    with pytest.raises(Gone):
        replay(rich, MemoryStore(LOG_ID))


def test_another_feed_is_refused(rich):
    with pytest.raises(Conflict, match="another feed"):
        replay(rich, MemoryStore(b"another log id!!"))
    ahead = MemoryStore(LOG_ID)
    fill(ahead)
    with pytest.raises(Conflict, match="another feed"):
        replay(MemoryStore(LOG_ID), ahead)
