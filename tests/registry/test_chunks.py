"""A chunk is what its rows are as commands, one by one: receipts, records, feed, counters and marks, byte for byte."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifier import read_identifier
from protocols.message import OPERATOR, Command, Outcome, Principal
from protocols.values.admin import ADD_HANDLE, DELETE_HANDLE
from protocols.values.value import FIXED, Reference, Value
from protocols.values.value_list import decode_values
from registry.chunks import MAX_CHUNK_ROWS, Chunk
from registry.errors import StoreFull
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer
from registry.shapes import Shape
from registry.stores.lmdb import create_store, open_writer
from registry.stores.memory import MemoryStore
from tests.registry.damage import damaged_store
from tests.registry.desk import (
    ADD,
    ADMIN,
    DELETE,
    HOST,
    LOG_ID,
    NOBODY,
    PUT,
    REMOVE,
    STRANGER,
    Desk,
    admin,
    command,
    group,
    name,
    secret,
    url,
)
from tests.registry.stores.settings import SMALL

NOW_MS = 3_000_000_000_123


def head(value: Value) -> bytes:
    """What stands in front of a value's counted data."""
    fixed = FIXED.pack(value.index, value.timestamp, value.ttl_type, value.ttl, value.permissions)
    return fixed + len(value.type.encode()).to_bytes(4) + value.type.encode()


class Pile:
    """Rows for a chunk, and the commands they stand for."""

    def __init__(self) -> None:
        self.shapes: list[tuple[bytes, ...]] = []
        self.rows: list = []
        self.conditions: dict = {}
        self.request_ids: list[str] = []

    def plain(self, text, *values, overwrite=True, expect_version=None, request_id=""):
        heads = tuple(head(value) for value in values)
        if heads not in self.shapes:
            self.shapes.append(heads)
        if (overwrite, expect_version) != (True, None):
            self.conditions[len(self.rows)] = (overwrite, expect_version)
        row = (text.encode(), self.shapes.index(heads), *(value.data for value in values))
        self.rows.append(row)
        self.request_ids.append(request_id)
        return self

    def command(self, one):
        self.rows.append(one)
        self.request_ids.append(one.request_id)
        return self

    def chunk(self, principal=OPERATOR):
        ids = self.request_ids if any(self.request_ids) else []
        return Chunk(principal, "test", self.shapes, self.rows, self.conditions, ids)

    def commands(self):
        return [self._command(at) for at in range(len(self.rows))]

    def _command(self, at):
        row = self.rows[at]
        if isinstance(row, Command):
            return row
        spelling, shape, *data = row
        overwrite, expect_version = self.conditions.get(at, (True, None))
        return Command(
            PUT, read_identifier(spelling), decode_values(Shape.list_of(self.shapes[shape], data)),
            overwrite=overwrite, expect_version=expect_version, request_id=self.request_ids[at],
        )  # fmt: skip


def marks(desk, pile, principal):
    """What is remembered of each request id, asked by repeating it."""
    keyed = [Submission(principal, c, "again") for c in pile.commands() if c.request_id]
    return [desk.registrar.commit([one], NOW_MS)[0] for one in keyed]


def both_ways(pile, prepare=lambda _: None, principal=OPERATOR, desks=None):
    """The chunk's receipts, after holding them and all that is stored equal to those of commands one by one."""
    fast, slow = desks or (Desk(), Desk())
    for desk in (fast, slow):
        prepare(desk)
    receipt = fast.registrar.carry(pile.chunk(principal), NOW_MS)
    receipts = list(receipt.receipts(len(pile.rows)))
    expected = [
        slow.registrar.commit([Submission(principal, one, "test")], NOW_MS)[0]
        for one in pile.commands()
    ]
    assert receipts == expected
    assert fast.state() == slow.state()
    assert fast.store.head() == slow.store.head()
    assert marks(fast, pile, principal) == marks(slow, pile, principal)
    assert fast.state() == slow.state()
    return receipts


def existing(desk):
    """Records of every kind that a row can meet."""
    desk.submit(command(HOST, "88.7", case_sensitive=True))
    desk.commit(
        command(PUT, "88.118/same", url(), name()),
        command(PUT, "88.118/secret", url(), name(), secret()),
        command(PUT, "88.118/admin", url(), admin(index=90)),
        command(PUT, "88.118/group", group(("0.NA/88.118", 300), index=1)),
        command(PUT, "88.118/locked", url(permissions=10), name()),
        command(PUT, "88.118/refs", url(references=(Reference("a", 1),))),
        command(PUT, "88.118/gone", url()),
        command(PUT, "88.7/same", url(), name()),
        command(PUT, "88.118/" + "x" * 500, url()),
    )
    desk.commit(command(DELETE, "88.118/gone"), command(ADD, "88.118/same", name("Valve")))


def P(text, *values, **more):  # noqa: N802  # reads as a row
    return lambda pile: pile.plain(text, *values, **more)


def C(operation, text, *values, **more):  # noqa: N802
    return lambda pile: pile.command(command(operation, text, *values, **more))


def pile_of(*adders):
    pile = Pile()
    for add in adders:
        add(pile)
    return pile


CASES = {
    "new": [P("88.118/a", url(), name()), P("88.118/b", url("b"), name("c"))],
    "two shapes": [P("88.118/a", url()), P("88.118/b", name()), P("88.118/c", url())],
    "twice": [P("88.118/a", url()), P("88.118/A", url()), P("88.118/a", url("b"))],
    "unchanged": [P("88.118/same", url(), name("Valve")), P("88.118/SAME", url(), name("Valve"))],
    "changed": [P("88.118/same", url("b"), name()), P("88.118/z", url())],
    "a value less": [P("88.118/same", url())],
    "over a secret": [P("88.118/secret", url(), name())],
    "over an administrator": [P("88.118/admin", url())],
    "over a group": [P("88.118/group", url())],
    "over a locked value": [P("88.118/locked", url("b"), name())],
    "over references": [P("88.118/refs", url())],
    "behind a tombstone": [P("88.118/gone", url()), P("88.118/gone", url("b"))],
    "not to be overwritten": [
        P("88.118/a", url(), overwrite=False),
        P("88.118/same", url(), name("Valve"), overwrite=False),
        P("88.118/gone", url(), overwrite=False),
    ],
    "versions": [
        P("88.118/a", url(), expect_version=0),
        P("88.118/b", url(), expect_version=1),
        P("88.118/gone", url(), expect_version=0),
        P("88.118/same", url(), name("Valve"), expect_version=2),
        P("88.118/same", url(), name("Valve"), expect_version=1),
        P("88.118/group", url(), expect_version=2),
        P("88.118/a", url(), expect_version=0),
    ],
    "below another prefix": [P("88.7/x", url()), P("88.7/X", url()), P("88.7/same", url(), name())],
    "prefixes in turn": [P("88.118/a", url()), P("88.7/a", url()), P("88.118/b", url())],
    "below a prefix of others": [P("88.119/a", url()), P("88.118/a", url())],
    "prefix records": [P("0.NA/88.118.1", url()), P("88.118.2", url()), P("0.na/88.118", name())],
    "without a suffix": [C(PUT, "88.118", url()), P("88.118/a", url())],
    "control character": [P("88.118/a\tb", url()), P("88.118/a\x85b", url()), P("88.118/c", url())],
    "beyond ASCII": [P("88.118/产品-é", url()), P("88.118/产品-É", url())],
    "long": [P("88.118/" + "X" * 500, url()), P("88.118/" + "z" * 441, url()), P("88.118/a", url())],
    "longest": [P("88.118/" + "y" * 2041, url())],
    "unsorted": [P("88.118/a", name(), url()), P("88.118/b", url(), name())],
    "an index twice": [P("88.118/a", url(), url()), P("88.118/b", url())],
    "no value": [P("88.118/a"), P("88.118/b", url())],
    "not public": [P("88.118/a", url(permissions=12)), P("88.118/b", url())],
    "a timestamp": [P("88.118/a", url(timestamp=5)), P("88.118/a", url(timestamp=5))],
    "absolute TTL": [P("88.118/a", url(ttl=5, ttl_type=1), name(ttl=9)), P("88.118/b", url())],
    "predefined": [P("88.118/a", admin(index=1)), P("88.118/b", Value(1, "HS_VLIST", b"?"))],
    "no type": [P("88.118/a", Value(1, "", b"s")), P("88.118/b", url())],
    "much data": [P("88.118/a", Value(1, "B", bytes(65_536))), P("88.118/b", url("x" * 65_000))],
    "too much": [P("88.118/a", *(Value(n, "B", bytes(65_000)) for n in range(1, 6)))],
    "commands between": [
        P("88.118/a", url()),
        C(ADD, "88.118/a", name()),
        P("88.118/b", url()),
        C(DELETE, "88.118/b"),
        P("88.118/b", url()),
        C(REMOVE, "88.118/a", indexes=(2,)),
        C(DELETE, "88.118/none"),
        P("88.118/c", url()),
    ],
    "the prefix goes away": [
        P("88.7/a", url()),
        C(DELETE, "88.7"),
        C(DELETE, "88.7/a"),
        C(DELETE, "88.7/same"),
        C(DELETE, "88.7"),
        P("88.7/b", url()),
    ],
    "rights are taken": [
        P("88.118/a", url()),
        C(PUT, "88.118", admin(permissions=ADD_HANDLE | 2)),
        P("88.118/b", url()),
        C(PUT, "88.118", url()),
        P("88.118/c", url()),
    ],
    "requests": [
        P("88.118/a", url(), request_id="1"),
        P("88.118/b", url(), request_id="2"),
        P("88.118/a", url(), request_id="1"),
        P("88.118/a", url("b"), request_id="1"),
        P("88.118/same", url(), name("Valve"), request_id="3"),
        P("88.118/gone", url(), request_id="4"),
        P("88.118/c", url(), request_id="x" * 300),
        P("88.118/d", url(), request_id="\x07"),
        C(DELETE, "88.118/b", request_id="5"),
        P("88.118/b", url(), request_id="6"),
        P("88.118/e", url()),
    ],
}  # fmt: skip


@pytest.mark.parametrize("principal", [OPERATOR, ADMIN, STRANGER, NOBODY], ids=str)
@pytest.mark.parametrize("adders", CASES.values(), ids=CASES)
def test_a_chunk_is_what_its_commands_are(adders, principal):
    both_ways(pile_of(*adders), existing, principal)


@pytest.mark.parametrize("granted", [ADD_HANDLE, DELETE_HANDLE, ADD_HANDLE | DELETE_HANDLE, 0])
@pytest.mark.parametrize("adders", CASES.values(), ids=CASES)
def test_a_chunk_of_somebody_who_may_do_some_things(adders, granted):
    def prepare(desk):
        existing(desk)
        desk.put("0.NA/88.118", admin("88.118/team", 1, permissions=granted))
        desk.put("88.118/team", group((ADMIN.handle, ADMIN.index), index=1))

    both_ways(pile_of(*adders), prepare, ADMIN)


def test_a_chunk_of_a_member_whose_group_is_dissolved_in_the_middle():
    def prepare(desk):
        desk.put("88.118/team", group((STRANGER.handle, STRANGER.index), index=1))
        desk.put("0.NA/88.118", admin("88.118/team", 1))

    rows = [P("88.118/a", url()), P("88.118/team", url()), P("88.118/b", url())]
    receipts = both_ways(pile_of(*rows), prepare, STRANGER)
    assert [one.outcome is Outcome.SUCCESS for one in receipts] == [True, True, False]


def test_most_rows_need_no_word_of_their_own():
    pile = pile_of(*(P(f"88.118/{n}", url(str(n))) for n in range(1000)))
    desk = Desk()
    receipt = desk.registrar.carry(pile.chunk(ADMIN), NOW_MS)
    assert receipt == (1, 1001, {})
    assert desk.store.count(b"88.118") == 1000


@pytest.mark.parametrize("adders", CASES.values(), ids=CASES)
def test_every_engine_takes_a_chunk_alike(tmp_path, adders):
    create_store(tmp_path, LOG_ID, SMALL)
    lmdb, memory = Desk(open_writer(tmp_path, SMALL)), Desk()
    for desk in (lmdb, memory):
        existing(desk)
    pile = pile_of(*adders)
    assert lmdb.registrar.carry(pile.chunk(), NOW_MS) == memory.registrar.carry(
        pile.chunk(), NOW_MS
    )
    assert lmdb.state() == memory.state()
    lmdb.store.close()


def test_a_chunk_is_bounded():
    pile = pile_of(*[P("88.118/a", url())] * (MAX_CHUNK_ROWS + 1))
    with pytest.raises(ValueError, match=f"{MAX_CHUNK_ROWS + 1} rows"):
        Desk().registrar.carry(pile.chunk(), NOW_MS)


def test_a_row_without_data_for_each_value_breaks_the_chunk_and_not_the_store():
    desk = Desk()
    chunk = pile_of(P("88.118/a", url(), name())).chunk()._replace(rows=[(b"88.118/a", 0, b"x")])
    with pytest.raises(ValueError, match="extended slice"):
        desk.registrar.carry(chunk, NOW_MS)
    assert desk.store.count(b"88.118") == 0


def test_a_full_disk_refuses_every_row():
    class FullStore(MemoryStore):
        is_full = False

        def commit(self, writes, marks=(), notes=()):
            if self.is_full:
                raise StoreFull("no room left")
            super().commit(writes, marks, notes)

    desk = Desk(FullStore(LOG_ID))
    desk.store.is_full = True
    receipts = desk.registrar.carry(pile_of(*CASES["new"]).chunk(), NOW_MS).receipts(2)
    assert {one.outcome for one in receipts} == {Outcome.READ_ONLY}


def test_a_damaged_record_stops_its_row_and_no_other():
    desk = Desk()
    desk.put("88.118/a", url(), secret())
    other = Registrar(desk.store, Sealer(bytes(64)))
    pile = pile_of(P("88.118/a", url("b")), P("88.118/b", url()))
    bad, good = other.carry(pile.chunk(), NOW_MS).receipts(2)
    assert (bad.outcome, good.outcome) == (Outcome.ERROR, Outcome.SUCCESS)
    assert "do not open" in bad.reason


def test_damage_in_the_prefix_record_is_told_row_by_row(tmp_path):
    with damaged_store(tmp_path, "0.NA/88.118", "88.118/a") as desk:
        pile = pile_of(P("88.118/b", url()), P("88.118/c", url()))
        receipts = list(desk.registrar.carry(pile.chunk(), NOW_MS).receipts(2))
        assert {one.outcome for one in receipts} == {Outcome.ERROR}
        assert "damaged record 0.NA/88.118" in receipts[0].reason


# -- any chunk over any store

names = st.sampled_from(["88.118/a", "88.118/A", "88.118/b", "88.118/é", "88.7/a", "88.9/a"])
names |= st.sampled_from(["88.118", "0.NA/88.118", "88.118/" + "x" * 450, "88.118/c\x01"])
values = st.builds(
    lambda index, type_, data, ttl, ttl_type, permissions, timestamp: Value(
        index, type_, data, ttl=ttl, ttl_type=ttl_type, permissions=permissions, timestamp=timestamp
    ),
    st.integers(1, 3),
    st.sampled_from(["URL", "N", "HS_VLIST", "HS_ADMIN"]),
    st.sampled_from([b"", b"1", b"22", admin().data, bytes(4)]),
    st.sampled_from([60, 86_400]),
    st.sampled_from([0, 0, 0, 1, 7]),
    st.sampled_from([14, 14, 14, 10, 2, 12]),
    st.sampled_from([0, 0, 0, 77]),
)
good_values = st.builds(
    lambda data, more: (url(data), name()) if more else (url(data),),
    st.sampled_from(["1", "2"]),
    st.booleans(),
)
value_lists = good_values | st.lists(values, max_size=3).map(tuple)
conditions = st.sampled_from([{}, {}, {}, {"overwrite": False}, {"expect_version": 0}])
conditions |= st.sampled_from([{"expect_version": 1}, {"expect_version": 2, "overwrite": False}])
ids = st.sampled_from(["", "", "k1", "k2", "k3"])
rows = st.one_of(
    st.builds(lambda n, v, c, i: P(n, *v, **c, request_id=i), names, value_lists, conditions, ids),
    st.builds(lambda n, v, i: C(PUT, n, *v, request_id=i), names, value_lists, ids),
    st.builds(lambda n, i: C(DELETE, n, request_id=i), names, ids),
    st.builds(lambda n, v: C(ADD, n, *v), names, value_lists),
)
principals = st.sampled_from([OPERATOR, ADMIN, STRANGER, Principal("88.118/a", 1)])


@settings(max_examples=300)
@given(st.lists(rows, max_size=6), st.lists(rows, max_size=12), principals, st.booleans())
def test_any_chunk_over_any_store_is_what_its_commands_are(before, after, principal, keeps_case):
    def prepare(desk):
        desk.submit(command(HOST, "88.7", admin(), case_sensitive=True))
        desk.commit(*pile_of(*before).commands())

    desks = Desk(case_sensitive=keeps_case), Desk(case_sensitive=keeps_case)
    both_ways(pile_of(*after), prepare, principal, desks)
