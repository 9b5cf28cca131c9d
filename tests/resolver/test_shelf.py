"""The shelf: never more bytes than allowed, never a byte lost count of, and every spelling found."""

from hypothesis import given
from hypothesis import strategies as st

from resolver.shelf import MOST_CHANCES, Entry, Shelf, name_of

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
    assert shelf.used_bytes == again.used_bytes
    assert shelf.count == again.count == len(left)
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


def test_the_oldest_goes_first_and_one_asked_for_goes_later():
    shelf = Shelf(100_000)
    shelf.put(Entry(b"88/FIRST", 10_000))
    shelf.put(Entry(b"88/SECOND", 10_000))
    shelf.get(b"88/FIRST").is_asked = True
    number = 0
    while shelf.get(b"88/SECOND") is not None:
        shelf.put(Entry(b"88/%d" % number, 10_000))
        number += 1
    assert shelf.get(b"88/FIRST") is not None
    while shelf.get(b"88/FIRST") is not None:
        shelf.put(Entry(b"88/%d" % number, 10_000))
        number += 1
    assert number < 20, "one second chance, not a place for ever"


def test_a_large_entry_takes_the_place_of_many_small_ones():
    shelf = Shelf(10_000)
    for number in range(100):
        shelf.put(Entry(b"88/%d" % number, 150))
    assert shelf.put(Entry(b"88/LARGE", 9000))
    assert shelf.used_bytes <= 10_000
    assert shelf.get(b"88/LARGE") is not None
    assert shelf.get(b"88/99") is not None, "the youngest goes last"


def test_when_all_were_asked_for_one_of_them_goes_after_a_bounded_search():
    shelf, number = Shelf(30 * MOST_CHANCES), 0
    while shelf.count == number:  # until the first one had to go
        entry = Entry(b"88/%05d" % number, 10)
        entry.is_asked = True
        shelf.put(entry)
        number += 1
    assert number > 2 * MOST_CHANCES
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


def test_asking_survives_a_replacement():
    shelf = Shelf(100_000)
    shelf.put(Entry(b"88/A", 3))
    shelf.get(b"88/A").is_asked = True
    shelf.put(Entry(b"88/A", 7))
    assert shelf.get(b"88/A").is_asked
    assert shelf.get(b"88/A").cost_bytes == 7
