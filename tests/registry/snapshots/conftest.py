"""Stores with everything in them that an export, a backup or a verification can meet."""

import pytest

from protocols.message import Operation
from protocols.values.value import TTL_ABSOLUTE, Reference, Value
from registry.stores.lmdb import create_store, open_writer
from registry.stores.memory import MemoryStore
from registry.stores.store import Note, RequestMark
from tests.batteries.scribe import LOG_ID, Scribe
from tests.registry.stores.settings import SMALL


def fill_richly(store):
    """Prefixes in all states, all kinds of names and values, updates, tombstones, marks and notes; the oldest change is
    3."""
    scribe = Scribe(store)
    for prefix in ("88.b", "88.A", "88.empty"):
        scribe.host(prefix)
    scribe.host("88.cs", case_sensitive=True)
    scribe.put(
        "88.a/Sn-1", Value(1, "URL", b'https://a/\x7f"\\\n'), Value(2, "名", "值".encode(), 60)
    )
    scribe.put("88.a/binary", Value(1, "KEY", b"\xff\x00\xfe", timestamp=7))
    scribe.put("88.a/absolute", Value(1, "URL", b"x", 2_000_000_000, TTL_ABSOLUTE))
    scribe.put(
        "88.a/refs", Value(5, "URL", b"x", references=(Reference("88.b/x", 3), Reference("é", 0)))
    )
    scribe.put("88.a/secret", Value(1, "URL", b"x"), sealed=b"\x01\x02sealed")
    scribe.put("88.a/only-secret", sealed=b"sealed")
    for name in ("ä/ü", "..//", "~", "L" * 600, "L" * 600 + "2", "\U0001f600"):
        scribe.put("88.b/" + name)
    for name in ("ab", "Ab", "aB"):
        scribe.put("88.cs/" + name)
    scribe.commit([RequestMark(bytes([n]) * 16, b"c" * 16, n) for n in range(1, 6)])
    scribe.put("88.a/sn-1")
    scribe.delete("88.a/binary")
    scribe.delete("88.b/" + "l" * 600)
    scribe.delete("88.cs/Ab")
    scribe.put("88.cs/Ab")
    scribe.commit([], [Note(b"import", b"resume point")])
    for prefix in ("88.away", "88.gone"):
        scribe.host(prefix)
        scribe.put(f"{prefix}/kept")
    scribe.commit()
    for prefix in ("88.away", "88.gone", "88.never-here"):
        scribe.delegate(prefix)
    scribe.commit()
    scribe.host("88.gone")
    scribe.commit()
    for prefix, word in (("88.quit", "unhost"), ("88.own", "hide")):
        scribe.host(prefix)
        scribe.put(f"{prefix}/kept")
        scribe.move(prefix, Operation(word))
    scribe.commit()
    store.truncate_changes(3)
    return scribe


@pytest.fixture
def rich():
    """A memory store."""
    store = MemoryStore(LOG_ID)
    fill_richly(store)
    return store


@pytest.fixture
def rich_lmdb(tmp_path):
    """An open LMDB store in ``tmp_path / "data"``."""
    create_store(tmp_path / "data", LOG_ID, SMALL)
    store = open_writer(tmp_path / "data", SMALL)
    fill_richly(store)
    yield store
    store.close()
