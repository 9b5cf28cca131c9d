"""The fast way and the way of commands give the same store, byte for byte, and the same verdicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.identifier import read_identifier
from protocols.message import OPERATOR, Command, Outcome
from protocols.values.admin import ADD_HANDLE
from protocols.values.value import Reference, Value
from protocols.values.value_list import decode_values, encode_values
from registry.errors import StoreFull
from registry.loading import MAX_LOAD_ROWS, Load
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer, by_index, merge
from registry.stores.lmdb import create_store, open_writer
from registry.stores.memory import MemoryStore
from registry.stores.store import Note
from tests.registry.damage import damaged_store
from tests.registry.desk import (
    ADD,
    ADMIN,
    DELETE,
    HOST,
    LOG_ID,
    NOBODY,
    PUT,
    STRANGER,
    Desk,
    admin,
    command,
    name,
    secret,
    url,
)
from tests.registry.stores.settings import SMALL

NOW_MS = 3_000_000_000


def row(suffix, *values):
    return suffix.encode(), encode_values(values)


def load(desk, *rows, indexes=(1, 2), principal=OPERATOR, prefix=b"88.118", notes=()):
    return desk.registrar.load(
        Load(principal, "import test", prefix, list(rows), indexes, notes), NOW_MS
    )


def by_commands(desk, *rows, indexes=(1, 2), principal=OPERATOR, prefix=b"88.118"):
    """What the load stands for: one command per row. Gives the statuses."""
    statuses = b""
    for suffix, blob in rows:
        try:
            identifier, values = read_identifier(prefix + b"/" + suffix), decode_values(blob)
        except ProtocolError:
            statuses += b"x"
            continue
        if not values:
            statuses += b"x"
            continue
        record = desk.store.lookup(identifier)
        old = () if record is None else merge(record, desk.sealer)
        kept = [value for value in old if value.index not in indexes]
        one = Command(PUT, identifier, by_index((*kept, *values)))
        (receipt,) = desk.registrar.commit([Submission(principal, one, "import test")], NOW_MS)
        if receipt.outcome is not Outcome.SUCCESS:
            statuses += b"x"
        else:
            statuses += b"r" if receipt.was_created else b"=" if receipt.is_unchanged else b"u"
    return statuses


def both_ways(prepare, rows, **how):
    """Statuses of the load, after holding them and the store equal to those of commands."""
    fast, slow = Desk(), Desk()
    for desk in (fast, slow):
        prepare(desk)
    receipt = load(fast, *rows, **how)
    assert receipt.statuses == by_commands(slow, *rows, **how)
    assert fast.state() == slow.state()
    assert set(receipt.reasons) == {n for n, status in enumerate(receipt.statuses) if status == 120}
    assert all(receipt.reasons.values())
    assert receipt.last_seq == fast.store.head().seq
    return receipt.statuses.decode()


def nothing(desk):
    return None


def existing(desk):
    """Records of every kind that a row can meet."""
    desk.submit(command(HOST, "88.7", case_sensitive=True))
    desk.commit(
        command(PUT, "88.118/same", url(), name()),
        command(PUT, "88.118/secret", url(), name(), secret()),
        command(PUT, "88.118/mapped-secret", url(permissions=12), name()),
        command(PUT, "88.118/kept", url(), Value(3, "X", b"x", references=(Reference("a", 1),))),
        command(PUT, "88.118/admin", url(), admin(index=90)),
        command(PUT, "88.118/locked", url(permissions=10), name()),
        command(PUT, "88.118/refs", url(references=(Reference("a", 1),))),
        command(PUT, "88.118/gone", url()),
        command(PUT, "88.118/date", url(ttl=5, ttl_type=1)),
        command(PUT, "88.7/same", url(), name()),
        command(PUT, "88.118/Spelled", url()),
        command(PUT, "88.118/" + "x" * 500, url()),
    )
    desk.commit(
        command(DELETE, "88.118/gone"),
        command(ADD, "88.118/same", name("Valve", timestamp=9)),
        command(ADD, "88.118/kept", name()),
    )


CASES = {
    "new": ([row("a", url(), name()), row("b", url("b"))], "rr"),
    "unchanged": ([row("same", url(), name()), row("SAME", url(), name())], "=="),
    "changed": ([row("same", url("b"), name())], "u"),
    "a value less": ([row("same", url())], "u"),
    "a value more": ([row("spelled", url(), name())], "u"),
    "kept beside": ([row("kept", url(), name()), row("kept", url("b"), name())], "=u"),
    "beside a secret": ([row("secret", url(), name()), row("secret", url("b"))], "=u"),
    "over a secret": ([row("mapped-secret", url(), name())], "u"),
    "beside an administrator": ([row("admin", url("b"))], "u"),
    "over a locked value": ([row("locked", url("b"), name())], "u"),
    "over references": ([row("refs", url("b"))], "u"),
    "behind a tombstone": ([row("Gone", url())], "r"),
    "twice in one load": ([row("a", url()), row("A", url()), row("a", url("b"))], "r=u"),
    "beyond ASCII": ([row("产品-é", url()), row("产品-É", url())], "rr"),
    "control character": ([row("a\tb", url()), row("a\x85b", url())], "xx"),
    "empty suffix": ([row("", url())], "x"),
    "slash and colon": ([row("a/b:c//d..", url())], "r"),
    "not UTF-8": ([(b"\xff", encode_values([url()]))], "x"),
    "longest": ([row("y" * 2041, url()), row("y" * 2042, url())], "rx"),
    "long key": ([row("X" * 500, url()), row("x" * 500, url("b")), row("z" * 441, url())], "=ur"),
    "no value": ([row("a"), row("same")], "xx"),
    "absolute TTL": ([row("a", url(ttl=5, ttl_type=1)), row("same", url(ttl=5, ttl_type=1))], "ru"),
    "another kind of TTL": ([row("date", url(ttl=5)), row("date", url(ttl=5))], "u="),
    "another TTL": ([row("same", url(ttl=5), name())], "u"),
    "another permission": ([row("same", url(permissions=2), name())], "u"),
    "references": ([row("a", url(references=(Reference("a", 1),))), row("refs", url())], "ru"),
    "predefined types": (
        [row("a", Value(1, "HS_VLIST", bytes(4))), row("b", Value(1, "HS_VLIST", b"?"))],
        "rx",
    ),
    "public secret": ([row("a", Value(1, "HS_SECKEY", b"s"))], "x"),
    "no type": ([row("a", Value(1, "", b"s"))], "x"),
    "too much data": ([row("a", Value(1, "B", bytes(65_537)))], "x"),
    "index 0": ([row("a", Value(0, "B", b""))], "x"),
    "bad permissions": ([row("a", url(permissions=255))], "x"),
    "bad TTL type": ([row("a", url(ttl_type=7))], "x"),
}


@pytest.mark.parametrize(("rows", "statuses"), CASES.values(), ids=CASES)
def test_a_load_is_what_its_commands_are(rows, statuses):
    assert both_ways(existing, rows, indexes=(0, 1, 2)) == statuses


def test_a_load_below_a_case_sensitive_prefix():
    rows = [row("same", url(), name()), row("Same", url()), row("SAME", url())]
    assert both_ways(existing, rows, prefix=b"88.7") == "=rr"


def test_a_load_of_prefix_records():
    rows = [row("88.118.1", url()), row("88..1", url()), row("88.118", name())]
    assert both_ways(nothing, rows, prefix=b"0.NA") == "rxu"


def test_a_load_below_a_foreign_prefix_is_refused_row_by_row():
    rows = [row("a", url()), row("b", url(permissions=99))]
    desk = Desk()
    receipt = load(desk, *rows, prefix=b"88.119")
    assert receipt.statuses == b"xx"
    assert "not hosted by this node (rule: hosted)" in receipt.reasons[0]
    assert both_ways(nothing, rows, prefix=b"88.119") == "xx"


def test_a_load_below_a_deleted_prefix_is_refused():
    assert both_ways(lambda desk: desk.submit(command(DELETE, "88.118")), [row("a", url())]) == "x"


@pytest.mark.parametrize("principal", [ADMIN, STRANGER, NOBODY])
def test_a_load_by_somebody_else_is_what_his_commands_are(principal):
    for rows, _ in CASES.values():
        both_ways(existing, rows, indexes=(0, 1, 2), principal=principal)


def test_a_load_by_an_administrator_who_may_only_add():
    def prepare(desk):
        existing(desk)
        desk.put("0.NA/88.118", admin(permissions=ADD_HANDLE))

    rows = [row("a", url()), row("same", url(), name()), row("same", url("b"), name())]
    assert both_ways(prepare, rows, principal=ADMIN) == "r=x"


def test_a_load_below_a_prefix_that_is_folded_in_any_case():
    def host(desk):
        desk.submit(command(HOST, "0.x", case_sensitive=True))

    rows = [row("a", url()), row("A", url()), row("b", url())]
    assert both_ways(host, rows, prefix=b"0.X") == "r=r"


def test_every_engine_takes_the_load_alike(tmp_path):
    create_store(tmp_path, LOG_ID, SMALL)
    lmdb, memory = Desk(open_writer(tmp_path, SMALL)), Desk()
    rows = [one for some, _ in CASES.values() for one in some]
    for desk in (lmdb, memory):
        existing(desk)
    assert load(lmdb, *rows) == load(memory, *rows)
    assert load(lmdb, *rows) == load(memory, *rows)
    assert lmdb.state() == memory.state()
    lmdb.store.close()


# -- what a file may not bring, although a command might

FORBIDDEN = {
    "unsorted": (row("a", name(), url()), "values[1].index: 1 after 2"),
    "an index twice": (row("a", url(), url()), "values[1].index: 1 after 1"),
    "an index not mapped": (row("a", url(index=9)), "values[0].index: 9 is not among the indexes"),
    "not public": (row("a", url(), name(permissions=12)), "values[1]: a file brings publicly"),
    "a timestamp": (row("a", url(timestamp=5)), "without timestamps"),
    "an administrator": (row("a", admin(index=1)), "no HS_ADMIN"),
    "truncated": ((b"a", encode_values([url()])[:-3]), "value references"),
    "surplus": ((b"a", encode_values([url()]) + b"\0"), "bytes left over"),
    "a count too low": ((b"a", bytes(4) + encode_values([url()])[4:]), "bytes left over"),
    "a count too high": ((b"a", b"\0\0\0\2" + encode_values([url()])[4:]), "value"),
    "a reference too few": ((b"a", encode_values([url()])[:-1] + b"\1"), "value references"),
    "no bytes": ((b"a", b""), "value list"),
}


@pytest.mark.parametrize(("bad", "words"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_row_a_file_may_not_bring_is_rejected_with_the_reason(bad, words):
    desk = Desk()
    receipt = load(desk, row("before", url()), bad, row("after", url()))
    assert receipt.statuses == b"rxr"
    assert words in receipt.reasons[1]
    assert desk.store.count(b"88.118") == 2


def test_a_row_that_would_make_a_record_too_large_is_rejected():
    def prepare(desk):
        desk.put("88.118/a", *(Value(n, "B", bytes(60_000)) for n in range(3, 7)))

    room = 250_000 - 4 - 4 * (27 + 60_000) - 29
    rows = [row("a", url("u" * size)) for size in (room - 1, room, room + 1)]
    assert both_ways(prepare, rows) == "uux"


def test_a_damaged_record_rejects_its_row_and_no_other():
    desk = Desk()
    desk.put("88.118/a", url(), secret())
    other = Registrar(desk.store, Sealer(bytes(64)))
    rows = [row("a", url("b")), row("b", url())]
    receipt = other.load(Load(OPERATOR, "import", b"88.118", rows, (1,)), NOW_MS)
    assert receipt.statuses == b"xr"
    assert "do not open" in receipt.reasons[0]


@pytest.mark.parametrize("damaged", ["88.118/a", "0.NA/88.118"])
def test_damage_on_the_disk_is_told_row_by_row_and_leaves_the_store_in_use(tmp_path, damaged):
    with damaged_store(tmp_path, damaged, "88.118/a") as desk:
        receipt = load(desk, row("a", url("b")), row("b", url()))
        assert receipt.statuses == (b"xr" if damaged == "88.118/a" else b"xx")
        assert f"damaged record {damaged.upper()}" in receipt.reasons[0]
        assert desk.submit(command(HOST, "88.7")).was_created


# -- the load as a whole


def test_the_feed_tells_of_each_row_that_changed_something():
    desk = Desk()
    load(desk, row("a", url()), row("b", url()), row("a", url()))
    changes = desk.store.changes(1)
    assert [(c.seq, c.key, c.operation, c.actor, c.source) for c in changes] == [
        (2, b"88.118/A", PUT, "operator", "import test"),
        (3, b"88.118/B", PUT, "operator", "import test"),
    ]


def test_notes_are_kept_with_the_rows_even_if_nothing_changed():
    desk = Desk()
    load(desk, row("a", url()), notes=(Note(b"import/1", b"row 1"),))
    assert desk.store.note(b"import/1") == b"row 1"
    receipt = load(desk, row("a", url()), notes=(Note(b"import/1", b"row 2"),))
    assert (receipt.statuses, receipt.last_seq) == (b"=", 2)
    assert desk.store.note(b"import/1") == b"row 2"


def test_a_load_is_bounded():
    with pytest.raises(ValueError, match="20001 rows"):
        load(Desk(), *[row("a", url())] * (MAX_LOAD_ROWS + 1))


def test_a_full_disk_is_not_a_verdict_on_the_rows():
    class FullStore(MemoryStore):
        is_full = False

        def commit(self, writes, marks=(), notes=()):
            if self.is_full:
                raise StoreFull("no room left")
            super().commit(writes, marks, notes)

    desk = Desk(FullStore(LOG_ID))
    desk.store.is_full = True
    with pytest.raises(StoreFull):
        load(desk, row("a", url()))
    assert desk.store.head().seq == 1


# -- any load over any store

suffixes = st.sampled_from(["a", "A", "b", "B", "é", "x" * 450, "X" * 450])
public_values = st.builds(
    lambda index, type_, data, ttl, ttl_type, permissions: Value(
        index, type_, data, ttl=ttl, ttl_type=ttl_type, permissions=permissions
    ),
    st.integers(1, 4),
    st.sampled_from(["URL", "N", "HS_VLIST"]),
    st.sampled_from([b"", b"1", b"22", bytes(4)]),
    st.sampled_from([60, 86_400]),
    st.integers(0, 1),
    st.sampled_from([14, 10, 2]),
)
any_values = st.builds(
    lambda value, permissions: value._replace(permissions=permissions, type="T"),
    public_values,
    st.sampled_from([14, 12, 8]),
)
some_values = st.lists(any_values, min_size=1, max_size=4, unique_by=lambda value: value.index)
row_values = st.lists(public_values, max_size=3, unique_by=lambda value: value.index).map(by_index)
stored = st.lists(
    st.one_of(
        st.builds(lambda s, v: command(PUT, f"88.118/{s}", *v), suffixes, some_values),
        st.builds(lambda s: command(DELETE, f"88.118/{s}"), suffixes),
    ),
    max_size=8,
)
rows = st.lists(st.builds(lambda s, v: row(s, *v), suffixes, row_values), max_size=10)


@given(stored, rows, st.booleans(), st.sampled_from([OPERATOR, ADMIN]))
def test_any_load_over_any_store_is_what_its_commands_are(commands, some, keeps_case, principal):
    indexes = (1, 2, 3)
    some = [
        (suffix, encode_values([v for v in decode_values(blob) if v.index in indexes]))
        for suffix, blob in some
    ]
    fast, slow = (Desk(case_sensitive=keeps_case) for _ in range(2))
    for desk in (fast, slow):
        desk.commit(*commands)
    receipt = load(fast, *some, indexes=indexes, principal=principal)
    assert receipt.statuses == by_commands(slow, *some, indexes=indexes, principal=principal)
    assert fast.state() == slow.state()


@given(st.data())
def test_whatever_bytes_a_row_has_the_others_are_registered(data):
    junk = data.draw(st.binary(max_size=60))
    whole = encode_values([url(), name()])
    cut = data.draw(st.integers(0, len(whole)))
    torn = whole[:cut] + junk + whole[cut + data.draw(st.integers(0, 4)) :]
    desk = Desk()
    receipt = load(desk, (b"torn", torn), row("fine", url()))
    assert receipt.statuses[1:] == b"r"
    if receipt.statuses[:1] == b"r":
        values = decode_values(torn)
        found = decode_values(desk.record("88.118/torn").public)
        assert [v._replace(timestamp=0) for v in found] == list(values)
    else:
        assert receipt.reasons[0]
