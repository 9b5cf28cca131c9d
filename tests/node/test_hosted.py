"""Which prefixes are told to whom: for lists of prefixes, and for searches."""

import pytest

from node.hosted import STEP, hidden, list_right, listable
from protocols.message import OPERATOR
from registry.registrar import MAX_BATCH
from tests.registry.desk import (
    ADMIN,
    DELEGATE,
    DELETE,
    HIDE,
    HOST,
    NOBODY,
    PREFIX,
    STRANGER,
    UNHOST,
    Desk,
    admin,
    command,
    site_value,
)

THEIRS = admin(STRANGER.handle, STRANGER.index)


def told(desk, principal, tell):
    """The prefixes of all pages, each once."""
    may_list = list_right(desk.holdings.may, principal)
    spellings = [
        one.spelling.decode() for page in tell(desk.store.reader(), may_list) for one in page
    ]
    assert len(spellings) == len(set(spellings))
    return set(spellings)


def host_many(desk, count):
    """77.0, 77.1 and so on, of ADMIN."""
    names = [f"77.{number}" for number in range(count)]
    for start in range(0, count, MAX_BATCH):
        some = names[start : start + MAX_BATCH]
        desk.commit(*(command(HOST, f"0.NA/{name}", admin()) for name in some))
    return names


@pytest.fixture(scope="module")
def desk():
    """88.118 and 88.118.9 of ADMIN and 77.1, 77.2 of STRANGER, the second of each private; the rest is not here."""
    desk = Desk()
    desk.commit(
        command(HOST, "0.NA/88.118.9", admin()),
        command(HIDE, "0.NA/88.118.9"),
        command(HOST, "0.NA/77.1", THEIRS),
        command(HOST, "0.NA/77.2", THEIRS),
        command(HIDE, "0.NA/77.2"),
        command(HOST, "0.NA/55.1", admin()),
        command(DELEGATE, "0.NA/55.1", admin(), site_value("192.0.2.8")),
        command(HOST, "0.NA/55.2", admin()),
        command(UNHOST, "0.NA/55.2"),
        command(HOST, "0.NA/55.3", admin()),
        command(DELETE, "0.NA/55.3"),
    )
    return desk


NOT_HERE = {"55.1", "55.2", "55.3"}


@pytest.mark.parametrize(
    ("principal", "listed", "unseen"),
    [
        (ADMIN, {PREFIX, "88.118.9"}, {"77.2"}),
        (STRANGER, {"77.1", "77.2"}, {"88.118.9"}),
        (NOBODY, set(), {"88.118.9", "77.2"}),
        (OPERATOR, {PREFIX, "88.118.9", "77.1", "77.2"}, set()),
    ],
)
def test_listed_are_prefixes_of_whom_one_may_list_and_hidden_the_private_ones_of_others(
    desk, principal, listed, unseen
):
    assert told(desk, principal, listable) == listed
    assert told(desk, principal, hidden) == unseen | NOT_HERE


def test_more_prefixes_than_one_page_are_all_told():
    desk = Desk()
    everything = {*host_many(desk, STEP + 2), PREFIX}
    assert told(desk, ADMIN, listable) == everything
    assert told(desk, NOBODY, hidden) == set()


def test_the_next_page_is_read_from_the_newest_commit():
    desk = Desk()
    host_many(desk, STEP)
    pages = listable(desk.store.reader(), list_right(desk.holdings.may, ADMIN))
    first = next(pages)
    desk.commit(command(UNHOST, f"0.NA/{PREFIX}"), command(HOST, "0.NA/99.1", admin()))
    assert len(first) == STEP
    assert [one.spelling.decode() for page in pages for one in page] == ["99.1"]
