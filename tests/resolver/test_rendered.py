"""Rendered answers: patched where the time stands, dropped in every spelling, kept only when asked for again."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from resolver.rendered import Count, Rendered, RenderedAnswers

DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
LATER = b"Date: Mon, 07 Nov 1994 08:49:38 GMT\r\n"
MOMENT = b"Mon, 07 Nov 1994 09:49:38 GMT"


def spelling_of(key: bytes) -> bytes:
    return key.partition(b" ")[0].removeprefix(b"/api/handles/").removeprefix(b"/")


def made(key: bytes, body: bytes = b"{}") -> Rendered:
    head = (
        b"HTTP/1.1 200 OK\r\nServer: x\r\n"
        + DATE
        + b"Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\n\r\n"
    )
    entry = Rendered(key, spelling_of(key), head + body, Count())
    entry.date, entry.date_at = DATE, head.index(DATE)
    entry.expires_at = head.index(b"Expires: ") + 9
    entry.head_bytes = len(head)
    return entry


def shelf(*keys: bytes, most_bytes: int = 100_000) -> RenderedAnswers:
    answers = RenderedAnswers(most_bytes, spelling_of)
    for key in keys:
        answers.put(made(key))
    return answers


def found(answers: RenderedAnswers) -> set[bytes]:
    return {key for key, entry in answers.entries.items() if not entry.branch.is_cut}


def test_another_second_changes_the_date_and_the_expiry_and_nothing_else():
    entry = made(b"/88.1/a", b"body " + DATE + b" Expires: x")
    before, size = entry.response, len(entry.response)
    after = entry.patch(LATER, MOMENT)
    assert after == entry.response
    assert len(after) == size
    assert after == before.replace(DATE, LATER, 1).replace(
        b"Sun, 06 Nov 1994 09:49:37 GMT", MOMENT, 1
    )
    assert entry.patch(DATE, b"Sun, 06 Nov 1994 09:49:37 GMT") == before


def test_without_an_expiry_only_the_date_changes():
    entry = made(b"/88.1/a")
    entry.expires_at = 0
    before = entry.response
    assert entry.patch(LATER, b"") == before.replace(DATE, LATER, 1)


def test_a_change_drops_an_identifier_in_every_spelling_and_by_every_route():
    mine = {
        b"/88.1/a",
        b"/88.1/A",
        b"/api/handles/88.1/a",
        b"/88.1/a zh",
        b"/api/handles/88.1/A 304",
    }
    others = {b"/88.1/ab", b"/88.10/a", b"/api/handles/88.1/b"}
    answers = shelf(*mine, *others)
    answers.drop(b"88.1/A")
    assert found(answers) == others
    assert answers.count == len(others)


def test_a_changed_prefix_record_drops_what_lies_below_the_prefix():
    answers = shelf(b"/88.1/a", b"/api/handles/88.1.2/b", b"/0.NA/88.1", b"/88.1", b"/88.10/c")
    answers.drop(b"0.NA/88.1")
    assert found(answers) == {b"/88.10/c"}


def test_a_key_is_wanted_when_it_comes_again_and_not_when_others_did():
    answers = shelf()
    assert not answers.is_wanted(b"/88.1/a")
    assert answers.is_wanted(b"/88.1/a")
    assert not answers.is_wanted(b"/88.1/b")


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3000)), max_size=120))
def test_the_budget_is_kept_whatever_is_put(puts):
    answers = shelf(most_bytes=20_000)
    for number, size in puts:
        answers.put(made(b"/88.1/%d" % number, bytes(size)))
        assert answers.used_bytes <= 20_000
    answers.clear()
    assert answers.count == 0


def test_what_it_is_said_to_take_is_what_it_takes():
    bodies = [bytes(400 + n % 200) for n in range(20_000)]
    tags = [f'"{n}"' for n in range(20_000)]
    answers = shelf(most_bytes=100_000_000)
    tracemalloc.start()
    for number, body in enumerate(bodies):
        entry = made(b"/api/handles/88.%d/a%d" % (number % 50, number), body)
        entry.tag, entry.ttl_s = tags[number][:-1] + '"', 1000 + number
        answers.put(entry)
        del entry
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.95 < answers.used_bytes / taken < 1.25, (answers.used_bytes / 20_000, taken / 20_000)
