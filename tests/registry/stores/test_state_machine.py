"""Each engine against a model of a few dicts, through any sequence of commits, truncations and reopenings."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from protocols.identifier import parse_identifier
from registry.errors import Conflict, Gone
from registry.stores.lmdb import create_store, open_writer
from registry.stores.memory import MemoryStore
from registry.stores.store import ABOUT_PREFIXES, Note, RequestMark
from tests.batteries.scribe import LOG_ID, Scribe
from tests.registry.stores.settings import SMALL

PREFIXES = ("88.a", "88.b", "88.CS")
LONG = "L" * 439
SUFFIXES = st.sampled_from(
    ["a", "A", "b", "b/c", "é", LONG, LONG + "x", LONG + "xY", LONG + "xy", "~"]
)
NAMES = st.builds(lambda prefix, suffix: f"{prefix}/{suffix}", st.sampled_from(PREFIXES), SUFFIXES)
ACTS = st.lists(st.tuples(st.sampled_from(["put", "put", "delete"]), NAMES), max_size=6)


class Engines(RuleBasedStateMachine):
    """``open`` and ``close`` are the engine's; the model knows records by folded name."""

    def __init__(self):
        super().__init__()
        self.store = self.open()
        self.records = {}  # folded name -> (version, seq, is_deleted)
        self.marks, self.notes = {}, {}
        self.changed = []  # folded names by change
        self.oldest = 1
        self.pinned = None
        self.commits = 0
        self.moved = {}  # prefix -> its authority, once it was moved

    @initialize()
    def host(self):
        scribe = Scribe(self.store)
        for prefix in PREFIXES:
            scribe.host(prefix, case_sensitive=prefix == "88.CS")
        scribe.commit()
        for number, prefix in enumerate(PREFIXES, 1):
            self.remember(f"0.NA/{prefix.upper()}", number, False)

    def remember(self, folded, seq, is_deleted):
        version = self.records.get(folded, (0,))[0] + 1
        self.records[folded] = (version, seq, is_deleted)
        self.changed.append(folded)

    def fold(self, name):
        prefix, _, suffix = name.partition("/")
        ascii_upper = suffix if prefix == "88.CS" else suffix.encode().upper().decode()
        return f"{prefix.upper()}/{ascii_upper}"

    @rule(acts=ACTS, with_mark=st.booleans(), with_note=st.booleans())
    def commit(self, acts, with_mark, with_note):
        scribe = Scribe(self.store)
        for act, name in acts:
            folded = self.fold(name)
            is_deleted = act == "delete"
            if is_deleted:
                scribe.delete(name)
            else:
                scribe.put(name)
            self.remember(folded, scribe.seq, is_deleted)
        number = self.commits = self.commits + 1
        marks = (
            [RequestMark(number.to_bytes(16), b"c" * 16, scribe.seq)] if with_mark and acts else []
        )
        notes = (
            [Note(b"n%d" % (number % 3), b"" if number % 4 == 0 else b"v%d" % number)]
            if with_note
            else []
        )
        scribe.commit(marks, notes)
        self.marks |= {mark.key: mark for mark in marks}
        self.notes |= {note.name: note.value for note in notes}

    @rule(
        prefix=st.sampled_from(PREFIXES), operation=st.sampled_from(sorted(ABOUT_PREFIXES, key=str))
    )
    def move(self, prefix, operation):
        scribe = Scribe(self.store)
        before = self.store.authority(prefix.upper().encode())
        after = before.after(operation)
        scribe.move(prefix, operation)
        if after == before:
            with pytest.raises(Conflict):
                scribe.commit()
            return
        scribe.commit()
        self.moved = self.moved | {prefix: after}
        self.remember(f"0.NA/{prefix.upper()}", scribe.seq, False)

    @rule(name=NAMES, off_by=st.sampled_from([-1, 1, 7]))
    def stale_decision(self, name, off_by):
        scribe = Scribe(self.store)
        write = scribe.put(name)
        version = write.expect_version + off_by
        stale = write._replace(
            expect_version=version,
            change=write.change._replace(version=version + 1),
            record=write.record._replace(version=version + 1),
        )
        with pytest.raises(Conflict):
            self.store.commit([stale], [RequestMark(b"x" * 16, b"x" * 16, 1)], [Note(b"x", b"x")])

    @rule(before=st.integers(0, 60), limit=st.integers(1, 9))
    def truncate(self, before, limit):
        oldest = max(self.oldest, min(before, len(self.changed), self.oldest + limit))
        assert self.store.truncate_changes(before, limit) == oldest - self.oldest
        if oldest > self.oldest:
            self.marks = {key: mark for key, mark in self.marks.items() if mark.seq >= oldest}
        self.oldest = oldest

    @rule()
    def reopen(self):
        self.unpin()
        self.store = self.reopened()

    @rule()
    def pin(self):
        self.unpin()
        reader = self.store.reader()
        reader.refresh()
        self.pinned = reader, dict(self.records), len(self.changed), self.moved

    def unpin(self):
        if self.pinned:
            self.pinned[0].close()
            self.pinned = None

    @invariant()
    def a_pinned_reader_sees_what_it_saw(self):
        if self.pinned:
            reader, records, seq, moved = self.pinned
            assert reader.head().seq == seq
            self.compare_records(reader, records, moved)

    @invariant()
    def everything_is_as_the_model_says(self):
        head = self.store.head()
        assert (head.seq, head.oldest_available) == (len(self.changed), self.oldest)
        self.compare_records(self.store, self.records, self.moved)
        changes = self.store.changes(self.oldest - 1, 1000)
        assert [change.seq for change in changes] == list(range(self.oldest, head.seq + 1))
        assert [change.key.decode() for change in changes] == self.changed[self.oldest - 1 :]
        if self.oldest > 1:
            with pytest.raises(Gone):
                self.store.changes(self.oldest - 2)
        for number in range(1, self.commits + 1):
            key = number.to_bytes(16)
            assert self.store.request(key) == self.marks.get(key)
        for name in (b"n0", b"n1", b"n2", b"x"):
            assert self.store.note(name) == (self.notes.get(name) or None)

    def compare_records(self, store, records, moved):
        for prefix in [*PREFIXES, "0.NA"]:
            authority = store.authority(prefix.upper().encode())
            assert authority == moved.get(prefix, authority)
            is_seen = prefix not in moved or moved[prefix].is_plain
            folded_prefix = prefix.upper()
            mine = {n: r for n, r in records.items() if n.startswith(folded_prefix + "/")}
            pages, after = [], b""
            while page := store.list_records(folded_prefix.encode(), after, 3, with_deleted=True):
                pages += page
                after = page[-1].key.partition(b"/")[2]
            assert {r.key.decode(): (r.version, r.seq, r.is_deleted) for r in pages} == mine
            assert len(pages) == len(mine)
            assert store.count(folded_prefix.encode()) == sum(not r[2] for r in mine.values())
            for name, (version, _, is_deleted) in mine.items():
                found = store.lookup(parse_identifier(name))
                assert (found is None) == is_deleted
                assert found is None or found.version == version
                assert (store.stored(name.encode()) is not None) == is_seen
                assert store.kept(name.encode()) is not None

    def teardown(self):
        self.unpin()
        self.store.close()


class MemoryMachine(Engines):
    def open(self):
        return MemoryStore(LOG_ID)

    def reopened(self):
        return self.store


class LmdbMachine(Engines):
    def open(self):
        self.place = tempfile.TemporaryDirectory()
        create_store(Path(self.place.name), LOG_ID, SMALL)
        return open_writer(Path(self.place.name), SMALL)

    def reopened(self):
        self.store.close()
        return open_writer(Path(self.place.name), SMALL)

    def teardown(self):
        super().teardown()
        self.place.cleanup()


BRIEF = settings(max_examples=25, stateful_step_count=25)
TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = BRIEF
TestLmdbMachine = LmdbMachine.TestCase
TestLmdbMachine.settings = BRIEF
