"""What every store engine must do: one suite, run over each of them (tests/registry/stores/test_battery.py).

A class per engine derives from ``StoreBattery`` and gives the fixtures ``store`` (empty, log id ``LOG_ID``) and
``reopened`` (closes the store and opens the same one again; an engine that keeps nothing gives the same store).
"""

import hashlib
from itertools import pairwise

import pytest

from protocols.identifier import parse_identifier
from protocols.message import Operation
from protocols.record import decode_record, public_offset
from protocols.values.value import Value
from registry.change import encode_change, entry_digest, genesis
from registry.errors import Conflict, Gone
from registry.stores.keys import LONGEST_PLAIN_SUFFIX_BYTES
from registry.stores.store import Authority, Head, Note, RequestMark
from tests.batteries.scribe import LOG_ID, Scribe, changed, fill


def texts(records):
    return [record.key.decode() for record in records]


def look(store, text):
    return store.lookup(parse_identifier(text))


class StoreBattery:
    """Derive, give the fixtures, and every promise is tested."""

    # -- look-ups

    def test_an_empty_store_knows_only_itself(self, store):
        assert store.head() == Head(LOG_ID, 0, genesis(LOG_ID), 1)
        assert store.authorities() == []
        assert store.authority(b"0.NA").id == 0
        assert store.count(b"0.NA") == 0
        assert store.count(b"88.118") == 0
        assert store.changes(0) == []
        assert store.stored(b"88.118/x") is None
        assert store.stored(b"") is None
        assert look(store, "88.118/x") is None
        assert store.list_records(b"88.118") == []

    @pytest.mark.parametrize("spelling", ["88.tst/Sn-äß-1", "88.TST/SN-äß-1", "88.Tst/sN-äß-1"])
    def test_a_record_is_found_in_every_ascii_spelling(self, store, spelling):
        fill(store, "88.tst/Sn-äß-1", prefix="88.tst")
        record = look(store, spelling)
        assert record.key == "88.TST/SN-äß-1".encode()
        assert record.spelling == "88.tst/Sn-äß-1".encode()
        assert decode_record(record.key, store.stored(spelling.encode())) == record

    def test_folding_leaves_all_but_ascii_alone(self, store):
        fill(
            store, "88.118/straße", "88.118/STRASSE", "88.118/ä", "88.118/Ä", "88.118/ı", "88.118/I"
        )
        assert store.count(b"88.118") == 6
        assert look(store, "88.118/ä").spelling == "88.118/ä".encode()

    def test_a_bare_prefix_and_its_prefix_record_are_the_same(self, store):
        fill(store, prefix="88.Abc")
        for spelling in (b"88.abc", b"0.NA/88.abc", b"0.na/88.ABC"):
            assert store.stored(spelling) is not None
        assert look(store, "88.abc").key == b"0.NA/88.ABC"
        assert look(store, "88.abc").spelling == b"0.NA/88.Abc"

    def test_suffixes_of_a_case_sensitive_prefix_keep_their_case(self, store):
        scribe = Scribe(store)
        scribe.host("88.cs", case_sensitive=True)
        scribe.put("88.cs/Ab")
        scribe.put("88.cs/aB")
        scribe.commit()
        assert texts(store.list_records(b"88.CS")) == ["88.CS/Ab", "88.CS/aB"]
        assert look(store, "88.CS/Ab").seq != look(store, "88.cs/aB").seq
        assert store.stored(b"88.cs/ab") is None
        assert store.stored(b"88.Cs/Ab") is not None
        assert store.authority(b"88.CS").is_case_sensitive
        assert store.stored(b"88.CS") is not None

    def test_the_prefix_is_split_at_the_first_slash(self, store):
        fill(store, "88.118/a/b", "88.118//", "88.118/a/")
        assert texts(store.list_records(b"88.118")) == ["88.118//", "88.118/A/", "88.118/A/B"]
        assert look(store, "88.118/A/b") is not None

    def test_neighbouring_prefixes_do_not_see_each_other(self, store):
        fill(store, "88.1/8", prefix="88.1")
        fill(store, "88.18/1", prefix="88.18")
        assert texts(store.list_records(b"88.1")) == ["88.1/8"]
        assert store.stored(b"88.1/81") is None
        assert store.count(b"88.1") == store.count(b"88.18") == 1

    @pytest.mark.parametrize("size", [439, 440, 441, 472, 473, 2000])
    def test_a_suffix_of_any_length_is_kept_whole(self, store, size):
        name = "88.118/" + "x" * size
        fill(store, name)
        assert look(store, name.upper().replace("X", "x", 1)).key == name.upper().encode()
        assert look(store, name).spelling == name.encode()
        assert store.list_records(b"88.118")[0] == look(store, name)
        assert look(store, name + "x") is None
        assert look(store, name[:-1]) is None

    def test_long_suffixes_that_share_their_beginning_stay_apart(self, store):
        stem = "88.118/" + "S" * LONGEST_PLAIN_SUFFIX_BYTES
        names = [stem, stem + "A", stem + "B", stem + "AA"]
        fill(store, *names)
        assert sorted(texts(store.list_records(b"88.118"))) == sorted(names)
        assert len({look(store, name).seq for name in names}) == len(names)

    def test_a_long_key_cannot_be_forged_by_a_suffix_that_spells_it(self, store):
        long = b"L" * 500
        fill(store, "88.118/" + long.decode())
        assert store.stored(b"88.118/" + long[:440] + hashlib.sha256(long).digest()) is None

    def test_a_case_sensitive_long_suffix_keeps_its_case(self, store):
        scribe = Scribe(store)
        scribe.host("88.cs", case_sensitive=True)
        scribe.put("88.cs/" + "a" * 500)
        scribe.put("88.cs/" + "a" * 499 + "A")
        scribe.commit()
        assert {r.key[-1:] for r in store.list_records(b"88.CS")} == {b"a", b"A"}

    def test_a_stored_form_ends_with_the_public_values_as_they_go_on_the_wire(self, store):
        scribe = fill(store)
        write = scribe.put("88.118/S", Value(1, "URL", b"https://a"), sealed=b"\x01secret")
        scribe.put("88.118/" + "L" * 600, Value(1, "URL", b"https://a"))
        scribe.commit()
        for name in (b"88.118/s", b"88.118/" + b"l" * 600):
            stored = bytes(store.stored(name))
            assert stored[public_offset(stored) :] == write.record.public
        assert look(store, "88.118/s") == write.record

    # -- versions, tombstones, counts

    def test_a_deleted_record_leaves_a_tombstone_and_its_version_goes_on(self, store):
        scribe = fill(store, "88.118/A")
        scribe.delete("88.118/A")
        scribe.commit()
        assert look(store, "88.118/A") is None
        tombstone = store.lookup_any(parse_identifier("88.118/a"))
        assert (tombstone.version, tombstone.is_deleted) == (2, True)
        assert store.stored(b"88.118/A") is not None
        assert store.list_records(b"88.118") == []
        assert store.list_records(b"88.118", with_deleted=True) == [tombstone]
        scribe.put("88.118/A")
        scribe.commit()
        assert look(store, "88.118/A").version == 3

    def test_counts_are_exact_through_creation_update_deletion_and_return(self, store):
        scribe = fill(store, "88.118/A", "88.118/B", "88.118/C")
        assert (store.count(b"88.118"), store.count(b"0.NA")) == (3, 1)
        scribe.put("88.118/A")
        scribe.delete("88.118/B")
        scribe.commit()
        assert store.count(b"88.118") == 2
        scribe.put("88.118/B")
        scribe.put("88.118/D")
        scribe.delete("88.118/D")
        scribe.commit()
        assert store.count(b"88.118") == 3

    def test_one_commit_may_change_a_record_several_times(self, store):
        scribe = fill(store)
        for _ in range(3):
            scribe.put("88.118/A")
        scribe.delete("88.118/A")
        scribe.put("88.118/A")
        scribe.commit()
        record = look(store, "88.118/A")
        assert (record.version, record.seq) == (5, 6)
        assert [change.version for change in store.changes(1)] == [1, 2, 3, 4, 5]
        assert store.count(b"88.118") == 1

    # -- listing

    def test_pages_follow_the_byte_order_of_the_folded_suffix(self, store):
        names = [f"88.118/{name}" for name in ("b", "a", "B2", "a/1", "ä", "a-1", "Z", "~")]
        fill(store, *names)
        listed = texts(store.list_records(b"88.118"))
        assert listed == sorted((n.upper() if n.isascii() else n for n in names), key=str.encode)

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
    def test_pages_of_any_size_give_the_whole_list_once(self, store, size):
        fill(store, *(f"88.118/{n:03}" for n in range(20)))
        assert texts(self.walk(store, size)) == [f"88.118/{n:03}" for n in range(20)]

    def test_writes_between_pages_neither_repeat_nor_skip_other_records(self, store):
        scribe = fill(store, *(f"88.118/{n:03}" for n in range(0, 100, 2)))
        seen, after, step = [], b"", 0
        while page := store.list_records(b"88.118", after, 7):
            seen += texts(page)
            after = page[-1].key.partition(b"/")[2]
            scribe.put(f"88.118/{step * 2 + 1:03}")
            scribe.put(f"88.118/{99 - step * 2:03}")
            scribe.delete(page[0].key.decode())
            scribe.delete(page[-1].key.decode())
            scribe.commit()
            step += 1
        assert len(seen) == len(set(seen))
        assert {f"88.118/{n:03}" for n in range(0, 100, 2)} <= set(seen)

    def test_a_page_begins_behind_a_name_that_is_not_there(self, store):
        fill(store, "88.118/A", "88.118/C")
        assert texts(store.list_records(b"88.118", b"B")) == ["88.118/C"]
        assert texts(store.list_records(b"88.118", b"C")) == []
        assert store.list_records(b"88.118", limit=0) == []

    def test_authorities_come_in_order_of_prefix_in_pages(self, store):
        for prefix in ("88.9", "88.10", "86.x", "88.118"):
            fill(store, prefix=prefix)
        assert [a.prefix for a in store.authorities()] == [b"86.X", b"88.10", b"88.118", b"88.9"]
        assert [a.prefix for a in store.authorities(b"88.10", 2)] == [b"88.118", b"88.9"]
        assert len({a.id for a in store.authorities()} | {0}) == 5
        assert store.authority(b"86.X").spelling == b"86.x"

    # -- conflicts

    def spoil(self, writes, kind):
        """The writes of a good commit with one thing wrong in the last of them."""
        last = writes[-1]
        change, record = last.change, last.record
        other = {
            "version": last._replace(expect_version=7, change=change._replace(version=8),
                                     record=record._replace(version=8)),
            "version behind": last._replace(expect_version=change.version),
            "presence": last._replace(was_present=not last.was_present),
            "number": changed(last._replace(change=change._replace(seq=change.seq + 1)), seq=change.seq + 1),
            "link": last._replace(change=change._replace(previous=bytes(32))),
            "record's number": changed(last, seq=record.seq - 1),
            "record's version": changed(last, version=record.version + 1),
            "record's key": changed(last, key=b"88.118/OTHER"),
            "unfolded key": changed(last._replace(change=change._replace(key=b"88.118/new")), key=b"88.118/new"),
            "foreign prefix": changed(last._replace(change=change._replace(key=b"99/X")), key=b"99/X"),
        }  # fmt: skip
        return [*writes[:-1], other[kind]]

    @pytest.mark.parametrize(
        "kind",
        ["version", "version behind", "presence", "number", "link", "record's number",
         "record's version", "record's key", "unfolded key", "foreign prefix"],
    )  # fmt: skip
    def test_a_conflict_leaves_nothing_behind(self, store, kind):
        scribe = fill(store, "88.118/A")
        head, listed = store.head(), store.list_records(b"88.118")
        scribe.put("88.118/A")
        scribe.put("88.118/NEW")
        good, scribe.writes = scribe.writes, []
        mark = RequestMark(b"k" * 16, b"c" * 16, head.seq + 1)
        with pytest.raises(Conflict):
            store.commit(self.spoil(good, kind), [mark], [Note(b"resume", b"1")])
        assert store.head() == head
        assert store.list_records(b"88.118") == listed
        assert store.count(b"88.118") == 1
        assert store.changes(head.seq) == []
        assert store.request(b"k" * 16) is None
        assert store.note(b"resume") is None
        store.commit(good)
        assert look(store, "88.118/new").version == 1

    def test_the_second_of_two_decisions_on_the_same_version_is_refused(self, store):
        fill(store, "88.118/A")
        first, second = Scribe(store), Scribe(store)
        first.put("88.118/A")
        second.put("88.118/A")
        first.commit()
        with pytest.raises(Conflict):
            second.commit()

    def test_a_prefix_is_hosted_once(self, store):
        fill(store, prefix="88.118")
        scribe = Scribe(store)
        scribe.host("88.118")
        with pytest.raises(Conflict, match="host was done already"):
            scribe.commit()

    @pytest.mark.parametrize(
        ("prefix", "spelling"),
        [(b"88.118", b"88.119"), (b"88.x", b"88.x"), (b"", b""), (b"8" * 256, b"8" * 256)],
    )
    def test_an_authority_that_does_not_fit_its_change_is_refused(self, store, prefix, spelling):
        scribe = Scribe(store)
        write = scribe.host("88.118")
        with pytest.raises(Conflict):
            store.commit([write._replace(authority=Authority(1, prefix, spelling, False, 0))])
        assert store.authorities() == []

    def test_a_prefix_may_be_hosted_and_filled_in_one_commit(self, store):
        fill(store, "88.118/A", "88.118/B")
        assert store.count(b"88.118") == 2
        assert look(store, "88.118").seq == 1

    # -- delegation

    def test_what_lies_below_a_delegated_prefix_is_kept_and_out_of_sight(self, store):
        scribe = fill(store, "88.118/A", "88.118/" + "B" * 500)
        before = store.list_records(b"88.118"), bytes(store.stored(b"88.118/A"))
        scribe.delegate("88.118")
        scribe.commit()
        assert store.stored(b"88.118/A") is None
        assert store.stored(b"88.118/" + b"b" * 500) is None
        assert store.stored(b"88.118") is not None
        assert bytes(store.kept(b"88.118/a")) == before[1]
        assert store.kept(b"88.118/" + b"b" * 500) is not None
        assert store.kept(b"88.118/none") is None
        assert store.kept(b"88.119/A") is None
        assert store.authority(b"88.118").is_delegated
        assert [a.is_delegated for a in store.authorities()] == [True]
        assert store.list_records(b"88.118") == before[0]
        assert look(store, "88.118/A") is not None
        assert store.count(b"88.118") == 2
        assert store.changes(3)[0].operation is Operation.DELEGATE

    def test_responsibility_taken_back_brings_everything_back_into_sight(self, store):
        scribe = fill(store, "88.118/A")
        before = store.authority(b"88.118"), bytes(store.stored(b"88.118/A"))
        scribe.delegate("88.118")
        scribe.commit()
        scribe.put("88.118/B")  # beforehand
        scribe.commit()
        assert store.stored(b"88.118/B") is None
        scribe.host("88.118")
        scribe.commit()
        assert store.authority(b"88.118") == before[0]
        assert bytes(store.stored(b"88.118/A")) == before[1] == bytes(store.kept(b"88.118/A"))
        assert store.stored(b"88.118/b") is not None

    def test_a_prefix_may_begin_its_life_delegated(self, store):
        scribe = Scribe(store)
        scribe.delegate("88.cs", case_sensitive=True)
        scribe.put("88.cs/Ab")
        scribe.commit()
        assert store.stored(b"88.cs/Ab") is None
        assert (store.kept(b"88.cs/Ab") is not None, store.kept(b"88.cs/ab")) == (True, None)
        scribe.host("88.cs")
        scribe.commit()
        assert store.stored(b"88.CS/Ab") is not None
        assert store.stored(b"88.CS/AB") is None
        assert store.authority(b"88.CS").is_case_sensitive

    def test_the_last_of_several_moves_in_one_commit_counts(self, store):
        scribe = Scribe(store)
        for moves in ("hd", "hdh", "dhd", "dh"):
            prefix = f"88.{moves}"
            for move in moves:
                scribe.host(prefix) if move == "h" else scribe.delegate(prefix)
                scribe.put(f"{prefix}/x")
        scribe.commit()
        seen = {a.spelling: a.is_delegated for a in store.authorities()}
        assert seen == {b"88.hd": True, b"88.hdh": False, b"88.dhd": True, b"88.dh": False}
        for spelling, is_delegated in seen.items():
            assert (store.stored(spelling + b"/x") is None) == is_delegated

    def test_a_reader_notices_a_move_at_its_next_refresh_and_not_before(self, store):
        scribe = fill(store, "88.118/A")
        reader = store.reader()
        for is_delegated in (True, False, True):
            reader.refresh()
            was = reader.authority(b"88.118").is_delegated, reader.stored(b"88.118/A") is None
            (scribe.delegate if is_delegated else scribe.host)("88.118")
            scribe.commit()
            now = reader.authority(b"88.118").is_delegated, reader.stored(b"88.118/A") is None
            assert now == was == (not is_delegated, not is_delegated)
            reader.refresh()
            assert reader.authority(b"88.118").is_delegated == is_delegated
            assert (reader.stored(b"88.118/A") is None) == is_delegated
            reader.release()
        reader.close()

    def test_each_state_of_a_prefix_is_kept_and_only_a_plain_one_is_in_sight(self, store):
        scribe = fill(store, "88.118/A")
        reader, state = store.reader(), store.authority(b"88.118")
        for word in (
            "hide",
            "unhost",
            "show",
            "delegate",
            "hide",
            "host",
            "unhost",
            "host",
            "show",
        ):
            operation = Operation(word)
            reader.refresh()
            scribe.move("88.118", operation)
            scribe.commit()
            assert reader.authority(b"88.118") == state
            state = state.after(operation)
            reader.refresh()
            for one in (reader, store):
                assert one.authority(b"88.118") == state
                assert (one.stored(b"88.118/A") is not None) == state.is_plain
                assert (b"88.118" in one.at_hand().hosted) == state.is_plain
                assert one.kept(b"88.118/A") is not None
                assert look(one, "88.118/A") is not None
            assert store.changes(store.head().seq - 1)[0].operation is operation
            reader.release()
        assert state.is_plain
        reader.close()

    @pytest.mark.parametrize("word", ["unhost", "hide", "show"])
    def test_only_hosting_and_delegating_make_a_prefix(self, store, word):
        scribe = Scribe(store)
        scribe.move("88.118", Operation(word))
        with pytest.raises(Conflict, match="says something else"):
            scribe.commit()
        assert store.authorities() == []

    @pytest.mark.parametrize(
        ("before", "again"),
        [("host", "show"), ("host", "host"), ("hide", "hide"), ("unhost", "unhost")],
    )
    def test_a_state_is_not_entered_twice(self, store, before, again):
        scribe = fill(store, "88.118/A")
        if before != "host":
            scribe.move("88.118", Operation(before))
            scribe.commit()
        scribe.move("88.118", Operation(again))
        with pytest.raises(Conflict, match="was done already"):
            scribe.commit()

    @pytest.mark.parametrize("moves", [1, 255, 256, 257, 600])
    def test_a_reader_that_looked_away_for_many_moves_knows_how_they_ended(self, store, moves):
        prefixes = [f"88.{n}" for n in range(7)]
        for prefix in prefixes:
            fill(store, f"{prefix}/x", prefix=prefix)
        early = store.reader()
        early.refresh()
        early.release()
        scribe, delegated = Scribe(store), set()
        for n in range(moves):
            prefix = prefixes[n * n % 7]
            (scribe.host if prefix in delegated else scribe.delegate)(prefix)
            delegated ^= {prefix}
            if n % 50 == 49:
                scribe.commit()
        fill(store, "88.new/x", prefix="88.new") if not scribe.writes else scribe.commit()
        late = store.reader()
        for reader in (early, late, store):
            reader.refresh()
            for prefix in prefixes:
                is_delegated = prefix in delegated
                assert reader.authority(prefix.encode()).is_delegated == is_delegated
                assert (reader.stored(f"{prefix}/x".encode()) is None) == is_delegated
            reader.release()
        early.close()
        late.close()

    @pytest.mark.parametrize(
        "fault", ["again", "back again", "as hosting", "other case", "elsewhere", "0.NA"]
    )
    def test_a_move_that_does_not_fit_changes_nothing(self, store, fault):
        scribe = fill(store, "88.118/A")
        if fault == "again":
            scribe.delegate("88.118")
            scribe.commit()
        prefix = "0.NA" if fault == "0.NA" else "88.118"
        write = scribe.host(prefix) if fault == "back again" else scribe.delegate(prefix)
        moved = write.authority
        if fault == "as hosting":
            write = write._replace(authority=moved._replace(is_delegated=False))
        elif fault == "other case":
            write = write._replace(authority=moved._replace(is_case_sensitive=True))
        elif fault == "elsewhere":
            scribe.writes.clear()
            scribe = Scribe(store)
            write = scribe.put("88.118/A")._replace(authority=moved)
        before = store.head(), store.authorities(), store.list_records(b"0.NA")
        with pytest.raises(Conflict):
            store.commit([write])
        assert (store.head(), store.authorities(), store.list_records(b"0.NA")) == before
        assert (store.stored(b"88.118/A") is None) == (fault == "again")

    def test_whether_a_prefix_has_a_record_of_its_own_is_told_without_reading_it(self, store):
        scribe = fill(store, prefix="88.Abc")
        scribe.put("0.NA/88.hand")
        scribe.delegate("88.far")
        scribe.put("0.NA/" + "8" * 255)
        scribe.put("0.NA/88.gone")
        scribe.delete("0.NA/88.gone")
        scribe.commit()
        known = (b"88.ABC", b"88.HAND", b"88.FAR", b"8" * 255)
        unknown = (b"88.GONE", b"88", b"", b"88.ABCD", b"8" * 254, b"8" * 256, b"8" * 2000)
        assert all(map(store.has_prefix_record, known))
        assert not any(map(store.has_prefix_record, unknown))

    # -- request marks and notes

    def test_a_request_mark_is_found_until_its_entry_is_dropped(self, store):
        scribe = fill(store)
        marks = [RequestMark(bytes([n]) * 16, b"c" * 16, n) for n in range(2, 6)]
        for n in range(4):
            scribe.put(f"88.118/{n}")
        scribe.commit(marks)
        assert [store.request(mark.key) for mark in marks] == marks
        assert store.request(bytes(16)) is None
        assert store.truncate_changes(4) == 3
        assert [store.request(mark.key) for mark in marks] == [None, None, *marks[2:]]

    def test_a_mark_set_again_is_dropped_with_its_newer_entry(self, store):
        scribe = fill(store)
        key = b"k" * 16
        for n in (2, 3, 4):
            scribe.put("88.118/A")
            scribe.commit([RequestMark(key, bytes([n]) * 16, n)] if n < 4 else ())
        store.truncate_changes(3)
        assert store.request(key) == RequestMark(key, b"\x03" * 16, 3)
        store.truncate_changes(4)
        assert store.request(key) is None

    def test_notes_are_kept_replaced_and_removed_even_without_writes(self, store):
        store.commit([], notes=[Note(b"import a", b"1"), Note(b"import b", b"\0\xff")])
        assert (store.note(b"import a"), store.note(b"import b")) == (b"1", b"\0\xff")
        store.commit([], notes=[Note(b"import a", b"2"), Note(b"import b", b"")])
        assert (store.note(b"import a"), store.note(b"import b")) == (b"2", None)
        store.commit([], notes=[Note(b"never was", b"")])
        assert store.head().seq == 0

    @pytest.mark.parametrize(
        "extra",
        [
            {"marks": [RequestMark(b"short", b"c" * 16, 0)]},
            {"marks": [RequestMark(b"k" * 16, b"", 0)]},
            {"notes": [Note(b"", b"x")]},
            {"notes": [Note(b"n" * 256, b"x")]},
        ],
    )
    def test_marks_and_notes_that_cannot_be_kept_are_refused(self, store, extra):
        with pytest.raises(Conflict):
            store.commit([], **extra)

    # -- the feed

    def test_changes_are_numbered_and_chained_from_the_first(self, store):
        scribe = fill(store, "88.118/A", "88.118/B")
        scribe.delete("88.118/A")
        scribe.commit()
        changes = store.changes(0)
        assert [change.seq for change in changes] == [1, 2, 3, 4]
        assert changes[0].previous == genesis(LOG_ID)
        for before, after in pairwise(changes):
            assert after.previous == entry_digest(encode_change(before))
        assert store.head() == Head(LOG_ID, 4, entry_digest(encode_change(changes[-1])), 1)

    def test_changes_come_in_pages_behind_a_number(self, store):
        fill(store, *(f"88.118/{n}" for n in range(9)))
        assert [c.seq for c in store.changes(3, 4)] == [4, 5, 6, 7]
        assert [c.seq for c in store.changes(8, 100)] == [9, 10]
        assert store.changes(10) == store.changes(11) == store.changes(2, 0) == []

    def test_dropped_changes_are_gone_and_say_what_is_left(self, store):
        fill(store, *(f"88.118/{n}" for n in range(9)))
        assert store.truncate_changes(5) == 4
        assert store.head().oldest_available == 5
        with pytest.raises(Gone) as caught:
            store.changes(3)
        assert (caught.value.wanted, caught.value.oldest_available) == (4, 5)
        assert [c.seq for c in store.changes(4)] == [5, 6, 7, 8, 9, 10]

    def test_truncation_is_bounded_and_keeps_the_newest_entry(self, store):
        scribe = fill(store, *(f"88.118/{n}" for n in range(9)))
        assert store.truncate_changes(100, limit=3) == 3
        assert store.truncate_changes(100) == 6
        assert store.truncate_changes(100) == 0
        assert store.head().oldest_available == store.head().seq == 10
        assert store.count(b"88.118") == 9
        scribe.put("88.118/X")
        scribe.commit()
        assert [c.seq for c in store.changes(9)] == [10, 11]

    def test_a_superseded_change_joins_the_feed_and_leaves_the_record(self, store):
        scribe = fill(store, "88.118/A")
        old = scribe.put("88.118/A")
        new = scribe.put("88.118/A")
        store.commit([old._replace(is_superseded=True, record=new.record),
                      new._replace(expect_version=1)])  # fmt: skip
        assert look(store, "88.118/A") == new.record
        assert [c.version for c in store.changes(2)] == [2, 3]
        assert store.count(b"88.118") == 1

    def test_an_entry_encoded_by_its_maker_is_kept_as_it_is(self, store):
        scribe = fill(store)
        write = scribe.put("88.118/A")
        store.commit([write._replace(entry=encode_change(write.change))])
        assert store.changes(1) == [write.change]
        assert store.head().digest == scribe.digest

    # -- snapshots

    def test_a_reader_sees_one_snapshot_until_it_refreshes(self, store):
        scribe = fill(store, "88.118/A")
        reader = store.reader()
        reader.refresh()
        scribe.put("88.118/A")
        scribe.put("88.118/B")
        scribe.host("88.new")
        scribe.commit([RequestMark(b"k" * 16, b"c" * 16, 3)], [Note(b"n", b"v")])
        assert look(reader, "88.118/A").version == 1
        assert reader.stored(b"88.118/B") is None
        assert reader.head().seq == 2
        assert reader.count(b"88.118") == len(reader.list_records(b"88.118")) == 1
        assert reader.changes(2) == []
        assert reader.authority(b"88.NEW") is None
        assert (reader.request(b"k" * 16), reader.note(b"n")) == (None, None)
        reader.refresh()
        assert look(reader, "88.118/A").version == 2
        assert reader.stored(b"88.118/b") is not None
        assert reader.stored(b"88.new") is not None
        assert reader.head() == store.head()
        assert reader.authority(b"88.NEW").spelling == b"88.new"
        reader.close()

    def test_a_released_reader_takes_a_new_snapshot_by_itself(self, store):
        scribe = fill(store)
        reader = store.reader()
        assert reader.stored(b"88.118/A") is None
        reader.release()
        reader.release()
        scribe.host("88.119")
        scribe.put("88.119/A")
        scribe.commit()
        assert reader.stored(b"88.119/A") is not None
        reader.close()

    def test_the_writer_sees_its_own_commit_at_once(self, store):
        scribe = fill(store)
        store.refresh()
        assert store.stored(b"88.118/A") is None
        scribe.put("88.118/A")
        scribe.commit()
        assert store.stored(b"88.118/A") is not None

    # -- seeding and reopening

    def test_a_seeded_store_goes_on_where_the_snapshot_ended(self, store):
        head = Head(b"another log id!!", 41, b"d" * 32, 42)
        source = Scribe(store)
        source.host("88.118")
        source.put("88.118/A")
        source.put("88.118/" + "B" * 500)
        source.delegate("88.119")
        source.put("88.119/A")
        authority = Authority(9, b"88.118", b"88.118", False, 5)
        far = Authority(9, b"88.119", b"88.119", False, 5, is_delegated=True)
        first, a, b, second, hidden = (write.record for write in source.writes)
        records = [first, second, a, b, hidden]
        store.seed(head, [authority, far], records)
        assert store.head() == head
        assert store.authorities() == [authority._replace(id=1), far._replace(id=2)]
        assert store.list_records(b"88.118") == [a, b]
        assert (store.count(b"0.NA"), store.count(b"88.118"), store.count(b"88.119")) == (2, 2, 1)
        assert store.stored(b"88.118/A") is not None
        assert store.stored(b"88.119/A") is None
        with pytest.raises(Gone):
            store.changes(40)
        assert store.changes(41) == []
        scribe = Scribe(store)
        scribe.delete("88.118/A")
        scribe.commit()
        assert (store.head().seq, store.head().oldest_available) == (42, 42)
        with pytest.raises(Conflict, match="empty"):
            store.seed(head, [authority], records)

    @pytest.mark.parametrize("fault", ["twice", "out of order", "foreign", "future", "spelling"])
    def test_a_seed_that_does_not_fit_leaves_the_store_empty(self, store, fault):
        source = Scribe(store)
        source.host("88.118")
        for name in "ABC":
            source.put(f"88.118/{name}")
        root, a, b, c = (write.record for write in source.writes)
        records = {
            "twice": [root, a, b, b],
            "out of order": [root, a, c, b],
            "foreign": [root, a, b, c._replace(key=b"99/C", spelling=b"99/C")],
            "future": [root, a, b, c._replace(seq=99)],
            "spelling": [root, a, b, c._replace(spelling=b"88.118/D")],
        }[fault]
        with pytest.raises(Conflict):
            store.seed(
                Head(LOG_ID, 9, bytes(32), 10),
                [Authority(1, b"88.118", b"88.118", False, 0)],
                records,
            )
        assert store.head() == Head(LOG_ID, 0, genesis(LOG_ID), 1)
        assert store.authorities() == []
        assert store.stored(b"88.118/A") is None
        fill(store, "88.118/A")

    def test_everything_is_there_after_reopening(self, store, reopened):
        scribe = fill(store, "88.118/A", "88.118/" + "L" * 999)
        scribe.delete("88.118/A")
        scribe.delegate("88.119")
        scribe.host("88.120")
        scribe.commit([RequestMark(b"k" * 16, b"c" * 16, 3)], [Note(b"n", b"v")])
        scribe.host("88.119")
        scribe.put("88.119/A")
        for word in ("host", "hide", "unhost"):
            scribe.move("88.121", Operation(word))
        scribe.delegate("88.120")
        scribe.put("88.120/A")
        scribe.commit()
        store.truncate_changes(2)
        before = (
            store.head(),
            store.authorities(),
            store.list_records(b"88.118", with_deleted=True),
        )
        again = reopened()
        assert (again.head(), again.authorities()) == before[:2]
        assert again.list_records(b"88.118", with_deleted=True) == before[2]
        assert again.count(b"88.118") == 1
        assert again.stored(b"88.119/A") is not None
        assert again.stored(b"88.120/A") is None
        assert again.authority(b"88.121").is_private
        assert again.authority(b"88.121").is_unhosted
        assert again.request(b"k" * 16).seq == 3
        assert again.note(b"n") == b"v"
        scribe = Scribe(again)
        scribe.put("88.118/A")
        scribe.commit()
        assert look(again, "88.118/a").version == 3

    def walk(self, store, size):
        listed, after = [], b""
        while page := store.list_records(b"88.118", after, size):
            assert len(page) <= size
            listed += page
            after = page[-1].key.partition(b"/")[2]
        return listed
