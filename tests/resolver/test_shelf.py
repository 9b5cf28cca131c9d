"""The shelf: never more bytes than allowed, never a byte lost count of, and every spelling found."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolver.shelf import (
    ENTRY_BYTES,
    LEAST_BYTES,
    MOST_CHANCES,
    Entry,
    Shelf,
    bytes_size,
    name_of,
)

PREFIXES = (b"88", b"88.2", b"88.20", b"88.2.1", b"88.2.1.4", b"89", b"88-2", b"88.2-1")
SPELLINGS = [
    spelling
    for prefix in PREFIXES
    for spelling in (
        prefix + b"/ab", prefix + b"/AB", prefix + b"/aB",
        prefix, b"0.NA/" + prefix, b"0.na/" + prefix, b"0.NA/" + prefix + b"/ab",
    )
]  # fmt: skip
spellings = st.sampled_from(SPELLINGS)
operations = st.lists(
    st.tuples(st.just("put"), spellings, st.integers(0, 900))
    | st.tuples(st.just("ask"), spellings, st.just(0))
    | st.tuples(st.just("remove"), spellings, st.just(0))
    | st.tuples(st.just("drop"), spellings, st.just(0))
    | st.tuples(st.just("drop below"), st.sampled_from(PREFIXES), st.just(0)),
    max_size=60,
)


def carry_out(shelf, operations):
    for what, name, size in operations:
        if what == "put":
            shelf.put(Entry(name, size))
        elif what == "ask":
            entry = shelf.get(name)
            if entry is not None:
                entry.is_asked = True
        elif what == "remove":
            shelf.remove(name)
        elif what == "drop":
            shelf.drop(name)
        else:
            shelf.drop_below(name)
        assert 0 <= shelf.used_bytes <= shelf.most_bytes
        assert shelf.count >= 0


def queue(shelf):
    """From the oldest to the youngest, checked backwards, too."""
    there, entry = [], shelf._oldest
    while entry is not None:
        there.append(entry)
        entry = entry.newer
    back, entry = [], shelf._newest
    while entry is not None:
        back.append(entry)
        entry = entry.older
    assert back == there[::-1]
    return there


def is_below(spelling, prefix):
    at, _, suffix = name_of(spelling).partition(b"/")
    responsible = suffix if at == b"0.NA" else at
    return responsible == prefix or responsible.startswith(prefix + b".")


def test_one_spelling_has_one_name_whatever_its_case_and_a_bare_prefix_is_its_record():
    assert name_of(b"88.ab/x/Yz") == b"88.AB/X/YZ"
    assert name_of(b"88.ab") == name_of(b"0.na/88.AB") == b"0.NA/88.AB"
    assert name_of("88/é".encode()) == "88/é".encode()


@given(operations, st.integers(1500, 6000))
def test_the_bytes_are_within_the_budget_and_are_those_of_what_is_left(operations, most_bytes):
    shelf = Shelf(most_bytes)
    carry_out(shelf, operations)
    left = [entry for spelling in SPELLINGS if (entry := shelf.get(spelling)) is not None]
    again = Shelf(10**9)
    for entry in left:
        again.put(Entry(entry.key, entry.cost_bytes))
    assert shelf._kept_bytes == again._kept_bytes
    assert shelf.count == again.count == len(left)
    assert [e.key for e in queue(shelf)] == list(dict.fromkeys(e.key for e in queue(shelf)))
    assert {e.key for e in queue(shelf)} == set(shelf.entries)
    for entry in left:
        shelf.drop(entry.key)
    assert (shelf.used_bytes, shelf.count) == (0, 0)


@given(operations, spellings)
def test_a_drop_reaches_every_spelling_and_nothing_else(operations, dropped):
    shelf = Shelf(10**6)
    carry_out(shelf, operations)
    there = {spelling for spelling in SPELLINGS if shelf.get(spelling) is not None}
    shelf.drop(dropped)
    left = {spelling for spelling in SPELLINGS if shelf.get(spelling) is not None}
    assert there - left == {s for s in there if name_of(s) == name_of(dropped)}
    assert shelf.count == len(left)


@given(operations, st.sampled_from(PREFIXES))
def test_a_drop_below_a_prefix_takes_it_what_derives_from_it_and_their_records_only(
    operations, prefix
):
    shelf = Shelf(10**6)
    carry_out(shelf, operations)
    there = {spelling for spelling in SPELLINGS if shelf.get(spelling) is not None}
    shelf.drop_below(prefix.lower())
    assert shelf.count == len({s for s in there if not is_below(s, prefix)})
    left = {spelling for spelling in SPELLINGS if shelf.get(spelling) is not None}
    assert there - left == {s for s in there if is_below(s, prefix)}


def test_above_the_records_of_all_prefixes_is_above_everything():
    for prefix in (b"0", b"0.na"):
        shelf = Shelf(10**6)
        shelf.put(Entry(b"88/A", 1))
        shelf.put(Entry(b"0.NA/88", 1))
        shelf.drop_below(prefix)
        assert (shelf.get(b"88/A"), shelf.count, shelf.used_bytes) == (None, 0, 0)


def test_what_comes_after_a_drop_below_stays():
    shelf = Shelf(10**6)
    shelf.put(Entry(b"88.2/A", 1))
    shelf.drop_below(b"88")
    shelf.put(Entry(b"88.2/A", 2))
    shelf.put(Entry(b"88.2/B", 2))
    assert shelf.get(b"88.2/A").cost_bytes == 2
    assert shelf.get(b"88.2/B") is not None
    assert shelf.count == 2


def test_what_was_cut_off_makes_way_like_anything_old_and_without_a_second_chance():
    shelf = Shelf(20_000)
    shelf.put(Entry(b"88.2/OLD", 100))
    shelf.get(b"88.2/OLD").is_asked = True
    shelf.drop_below(b"88.2")
    number = 0
    while b"88.2/OLD" in shelf.entries:
        shelf.put(Entry(b"89/%d" % number, 100))
        number += 1
    assert shelf.count == number


def test_the_oldest_goes_first_and_one_asked_for_stays_where_it_is():
    shelf = Shelf(100_000)
    for number in range(8):
        shelf.put(Entry(b"88/%d" % number, 10_000))
    for number in (0, 3):
        shelf.get(b"88/%d" % number).is_asked = True
    for number in range(8, 40):
        shelf.put(Entry(b"88/%d" % number, 10_000))
    kept = [entry.key for entry in queue(shelf)]
    assert kept[:2] == [b"88/0", b"88/3"]
    assert kept[2:] == [b"88/%d" % number for number in range(40 - len(kept) + 2, 40)]
    assert not shelf.get(b"88/0").is_asked, "its mark is spent"


def test_when_everything_new_is_asked_for_the_hand_comes_back_to_what_is_not_any_more():
    shelf = Shelf(100_000)
    shelf.put(Entry(b"88/FORMERLY", 10_000))
    shelf.get(b"88/FORMERLY").is_asked = True
    number = 0
    while shelf.get(b"88/FORMERLY") is not None:
        entry = Entry(b"88/%d" % number, 10_000)
        entry.is_asked = True
        shelf.put(entry)
        number += 1
        assert number < 30, "one second chance, not a place for ever"


def test_a_hot_set_survives_a_scan_of_ten_times_the_shelf_even_if_nobody_asks_for_it_meanwhile():
    shelf = Shelf(400_000)
    hot = [b"88.1/hot-%d" % number for number in range(100)]
    for key in hot:
        shelf.put(Entry(key, 1000))
    for key in hot:
        shelf.get(key).is_asked = True
    for number in range(4000):
        shelf.put(Entry(b"88.2/serial-%d" % number, 1000))
    assert shelf.evictions > 3600
    assert all(shelf.get(key) is not None for key in hot)


def test_a_scan_does_not_hold_a_place_against_what_becomes_popular():
    shelf = Shelf(400_000)
    for number in range(4000):
        shelf.put(Entry(b"88.2/serial-%d" % number, 1000))
    hot = [b"88.1/hot-%d" % number for number in range(100)]
    for key in hot:
        shelf.put(Entry(key, 1000))
        shelf.get(key).is_asked = True
    for number in range(4000, 8000):
        shelf.put(Entry(b"88.2/serial-%d" % number, 1000))
    assert all(shelf.get(key) is not None for key in hot)


def test_a_large_entry_takes_the_place_of_many_small_ones():
    shelf = Shelf(20_000)
    for number in range(100):
        shelf.put(Entry(b"88/%d" % number, 150))
    assert shelf.put(Entry(b"88/LARGE", 15_000))
    assert shelf.used_bytes <= 20_000
    assert shelf.get(b"88/LARGE") is not None
    assert shelf.get(b"88/99") is not None, "the youngest goes last"


def test_when_all_were_asked_for_one_of_them_goes_after_a_bounded_search():
    shelf, number = Shelf(400 * MOST_CHANCES), 0
    while not shelf.evictions:  # until one had to go
        entry = Entry(b"88/%05d" % number, 10)
        entry.is_asked = True
        shelf.put(entry)
        number += 1
    assert number > MOST_CHANCES + 1
    assert shelf.get(entry.key) is entry
    asked = sum(entry.is_asked for entry in shelf.entries.values())
    assert asked == number - 1 - MOST_CHANCES


def test_an_entry_larger_than_the_shelf_is_refused_and_what_it_replaces_is_gone():
    shelf = Shelf(5000)
    assert shelf.put(Entry(b"88/A", 10))
    assert shelf.put(Entry(b"88/B", 10))
    assert not shelf.put(Entry(b"88/A", 5000))
    assert shelf.get(b"88/A") is None
    assert shelf.get(b"88/B") is not None


@given(spellings, st.integers(0, 400))
def test_one_entry_fits_whenever_it_is_not_refused(spelling, spare):
    cost = 1000
    shelf = Shelf(LEAST_BYTES + cost + spare)
    shelf.put(Entry(b"77/BEFORE", 500))
    if shelf.put(Entry(spelling, cost)):
        assert shelf.get(spelling) is not None
        assert shelf._claimed_bytes() <= shelf.most_bytes
    else:
        assert spare < 4 * len(name_of(spelling))


def test_a_replacement_lies_where_the_former_lay():
    shelf = Shelf(100_000)
    for name in (b"88/A", b"88/b", b"88/C"):
        shelf.put(Entry(name, 10))
    for name in (b"88/b", b"88/A", b"88/C"):
        shelf.put(Entry(name, 20))
        assert [entry.key for entry in queue(shelf)] == [b"88/A", b"88/b", b"88/C"]
    assert [entry.cost_bytes for entry in queue(shelf)] == [20, 20, 20]


def test_asking_survives_a_replacement():
    shelf = Shelf(100_000)
    shelf.put(Entry(b"88/A", 3))
    shelf.get(b"88/A").is_asked = True
    shelf.put(Entry(b"88/A", 7))
    assert shelf.get(b"88/A").is_asked
    assert shelf.get(b"88/A").cost_bytes == 7


# ------------------------------------------------------------------------------------------------ walking


@given(
    st.lists(st.tuples(st.sampled_from(["put", "remove", "walk"]), st.integers(0, 20)), max_size=60)
)
def test_a_walk_meets_everything_that_stays_whatever_comes_and_goes(steps):
    shelf = Shelf(10**6)
    lasting = [b"77/%d" % number for number in range(10)]
    for number, key in enumerate(lasting):
        shelf.put(Entry(b"88/%d" % number, 1))
        shelf.put(Entry(key, 1))
    met, is_over = [], False
    for what, number in steps:
        if what == "put":
            shelf.put(Entry(b"88/%d" % number, 1))
        elif what == "remove":
            shelf.remove(b"88/%d" % number)
        elif not is_over:
            page = shelf.walk(3)
            met += [entry.key for entry in page]
            is_over = not page
    for _ in range(60):
        if not is_over:
            page = shelf.walk(3)
            met += [entry.key for entry in page]
            is_over = not page
    assert is_over
    assert [key for key in met if key.startswith(b"77/")] == lasting
    assert shelf.walk(1) == [shelf._oldest], "it begins anew"


# ------------------------------------------------------------------------------------------------ memory


class Sized(Entry):
    """Really takes what it says: two numbers and ``body``, as those of the caches do."""

    __slots__ = ("a", "b", "body", "c")

    def __init__(self, key, number, size):
        body = bytes(size)
        super().__init__(key, ENTRY_BYTES + len(key) + bytes_size(size))
        self.a, self.b, self.body, self.c = number / 7, number / 3, body, None


@pytest.mark.parametrize(
    "name",
    [b"88.200/SN-%06d", b"88.200/sn-%06d", b"88.%d/SN"],
    ids=["upper case", "lower case", "a prefix each"],
)
@pytest.mark.parametrize("size", [15, 400])
def test_the_memory_really_taken_stays_within_the_budget_while_tables_are_enlarged(name, size):
    most_bytes = 2_000_000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        shelf = Shelf(most_bytes)
        for number in range(12_000):
            shelf.put(Sized(name % number, number, size))
        taken, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert shelf.evictions > 4000
    assert peak - before <= most_bytes
    assert 1.0 <= shelf.used_bytes / (taken - before) < 1.13
    assert shelf.used_bytes > 0.62 * most_bytes, "what is kept free is less than what is used"


@settings(max_examples=25, deadline=None)
@given(
    st.integers(20_000, 90_000),
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put many", "drop", "below", "ask"]),
            st.integers(0, 63), st.integers(0, 8000),
        ),
        max_size=25,
    ),
)  # fmt: skip
def test_the_bytes_counted_are_never_less_than_those_taken_nor_above_the_budget(most_bytes, steps):
    keys = [b"88.%d/%s-%d" % (n % 5, (b"SN", b"sn", b"Sn")[n % 3], n % 8) for n in range(64)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        shelf, number = Shelf(most_bytes), 0
        for what, at, size in steps:
            if what == "put":
                shelf.put(Sized(b"" + keys[at], number, size))
            elif what == "put many":
                for _ in range(100):
                    number += 1
                    shelf.put(Sized(b"89.1/%d" % number, number, 40))
            elif what == "drop":
                shelf.drop(keys[at])
            elif what == "below":
                shelf.drop_below(b"88.%d" % (at % 5))
            elif (entry := shelf.get(keys[at])) is not None:
                entry.is_asked = True
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert shelf.used_bytes <= most_bytes
    assert taken <= shelf.used_bytes + 3000, "the shelf itself, and what this test holds"
