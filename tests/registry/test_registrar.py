import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Outcome, Receipt
from protocols.record import NO_VALUES
from protocols.values.value import Value
from protocols.values.value_list import MAX_VALUES, decode_values
from registry.change import encode_change, entry_digest, genesis
from registry.errors import StoreFailed, StoreFull
from registry.registrar import MAX_BATCH, Registrar, Submission, decide
from registry.sealing import Sealer, content_digest
from registry.stores.memory import MemoryStore
from registry.stores.store import Authority
from tests.registry.damage import damaged_store
from tests.registry.desk import (
    ADD,
    ADMIN,
    DELETE,
    HOST,
    LOG_ID,
    MODIFY,
    NODE_KEY,
    PUT,
    REMOVE,
    STRANGER,
    Desk,
    admin,
    command,
    name,
    secret,
    url,
)

SN = "88.118/SN-1"


@pytest.fixture
def desk():
    return Desk()


# -- put


def test_put_creates_and_puts_again(desk):
    assert desk.put(SN, url()) == Receipt(Outcome.SUCCESS, 1, 2, was_created=True)
    assert desk.put(SN, url("b"), name()) == Receipt(Outcome.SUCCESS, 2, 3)
    assert [value.data for value in desk.values(SN)] == [b"b", b"Valve"]


def test_putting_the_same_changes_nothing_and_says_so(desk):
    desk.put(SN, name(), url(), secret())
    before = desk.state()
    receipt = desk.put(SN, url(timestamp=77), secret(), name())
    assert receipt == Receipt(Outcome.SUCCESS, 1, is_unchanged=True)
    assert desk.state() == before


def test_values_are_kept_in_order_of_index_and_the_spelling_of_the_first_registration(desk):
    desk.put("88.118/Sn-1", url(index=9), url(index=3))
    desk.put("88.118/sn-1", url(index=9), url(index=3), url(index=5))
    assert desk.record(SN).spelling == b"88.118/Sn-1"
    assert desk.record(SN).key == b"88.118/SN-1"
    assert [value.index for value in decode_values(desk.record(SN).public)] == [3, 5, 9]


def test_what_is_not_public_is_sealed_and_the_rest_lies_open(desk):
    desk.put(SN, url(ttl=60), secret(), name(ttl=5, ttl_type=1))
    record = desk.record(SN)
    assert [value.index for value in decode_values(record.public)] == [1, 2]
    assert (record.least_ttl_s, record.has_absolute_ttl) == (60, True)
    assert [value.index for value in desk.values(SN)] == [1, 2, 300]


# -- time


def test_new_values_get_the_time_and_unchanged_ones_keep_theirs(desk):
    desk.put(SN, url(), name(timestamp=7))
    first_s = desk.now_s
    assert [value.timestamp for value in desk.values(SN)] == [first_s, 7]
    desk.put(SN, url(timestamp=5), name("other"), secret())
    assert [value.timestamp for value in desk.values(SN)] == [first_s, desk.now_s, desk.now_s]
    assert desk.record(SN).modified_s == desk.now_s


# -- add, modify, remove, delete


def test_adding_keeps_the_rest_and_replaces_when_told_to(desk):
    desk.put(SN, url(), secret())
    assert desk.submit(command(ADD, SN, name(), url("b"))) == Receipt(Outcome.SUCCESS, 2, 3)
    assert [value.data for value in desk.values(SN)] == [b"b", b"Valve", b"correct horse"]


def test_modifying_keeps_the_rest(desk):
    desk.put(SN, url(), name(), secret())
    desk.submit(command(MODIFY, SN, name("Pump")))
    assert [value.data for value in desk.values(SN)][1:] == [b"Pump", b"correct horse"]


def test_a_value_can_become_secret_and_public_again(desk):
    desk.put(SN, url(), name())
    hidden = name(permissions=12)
    desk.submit(command(MODIFY, SN, hidden))
    assert b"Valve" not in desk.store.stored(SN.encode())
    desk.submit(command(MODIFY, SN, name()))
    assert b"Valve" in desk.store.stored(SN.encode())
    assert not desk.record(SN).sealed


def test_removing_takes_the_named_values_only_and_may_leave_none(desk):
    desk.put(SN, url(), name(), secret())
    desk.submit(command(REMOVE, SN, indexes=(1, 300)))
    assert [value.index for value in desk.values(SN)] == [2]
    desk.submit(command(REMOVE, SN, indexes=(2, 2)))
    assert desk.values(SN) == ()
    assert desk.store.count(b"88.118") == 1


def test_deleting_leaves_a_tombstone_without_values_and_versions_go_on_behind_it(desk):
    desk.put("88.118/Sn-1", url(), secret())
    assert desk.submit(command(DELETE, SN)) == Receipt(Outcome.SUCCESS, 2, 3)
    assert desk.record(SN) is None
    tombstone = desk.store.lookup_any(parse_identifier(SN))
    assert (tombstone.is_deleted, tombstone.public, tombstone.sealed) == (True, NO_VALUES, b"")
    assert desk.store.count(b"88.118") == 0
    assert desk.put("88.118/sN-1", url()) == Receipt(Outcome.SUCCESS, 3, 4, was_created=True)
    assert desk.record(SN).spelling == b"88.118/sN-1"
    assert desk.store.count(b"88.118") == 1


# -- host


def test_hosting_makes_authority_and_record_together_and_numbers_them_in_order():
    store = MemoryStore(LOG_ID)
    registrar = Registrar(store, Sealer(NODE_KEY))
    batch = [
        Submission(OPERATOR, one, "test")
        for one in (
            command(HOST, "88.b", url(), case_sensitive=True),
            command(PUT, "88.b/x", url()),
            command(PUT, "88.B/X", url("other")),
            command(HOST, "0.na/88.A"),
        )
    ]
    assert [receipt.seq for receipt in registrar.commit(batch, 5_000)] == [1, 2, 3, 4]
    first, second = store.authority(b"88.B"), store.authority(b"88.A")
    assert first == Authority(1, b"88.B", b"88.b", True, 5)
    assert second == Authority(2, b"88.A", b"88.A", False, 5)
    assert store.lookup(parse_identifier("88.B")).spelling == b"0.NA/88.b"
    assert store.lookup(parse_identifier("0.NA/88.A")).public == NO_VALUES
    assert store.count(b"88.B") == 2


def test_a_deleted_prefix_is_no_longer_hosted_and_can_be_hosted_again(desk):
    desk.put(SN, url())
    assert (
        "1 identifiers are registered below 88.118" in desk.submit(command(DELETE, "88.118")).reason
    )
    receipts = desk.commit(
        command(DELETE, SN),
        command(DELETE, "88.118"),
        command(PUT, SN, url()),
        command(HOST, "88.118"),
    )
    assert [receipt.outcome for receipt in receipts] == [
        Outcome.SUCCESS,
        Outcome.SUCCESS,
        Outcome.NOT_RESPONSIBLE,
        Outcome.SUCCESS,
    ]
    assert len(desk.store.authorities()) == 1
    assert desk.put(SN, url()).version == 3


def test_a_prefix_filled_earlier_in_the_batch_cannot_be_deleted(desk):
    created, refused = desk.commit(command(PUT, SN, url()), command(DELETE, "88.118"))
    assert created.outcome is Outcome.SUCCESS
    assert "1 identifiers are registered" in refused.reason


def test_the_administrator_above_hosts_derived_prefixes(desk):
    assert desk.submit(command(HOST, "88.118.7", admin()), ADMIN).outcome is Outcome.SUCCESS
    assert desk.put("88.118.7/x", url(), principal=ADMIN).outcome is Outcome.SUCCESS
    assert desk.submit(command(HOST, "88.118.7.1", url()), ADMIN).outcome is Outcome.SUCCESS
    assert desk.submit(command(HOST, "88.118.8", url()), STRANGER).outcome is (
        Outcome.NOT_ADMINISTRATOR
    )


def test_suffixes_keep_their_case_below_a_case_sensitive_prefix_only():
    exact, folding = Desk(case_sensitive=True), Desk()
    for desk, count in ((exact, 2), (folding, 1)):
        desk.put("88.118/a", url())
        desk.put("88.118/A", name())
        assert desk.store.count(b"88.118") == count


# -- batches and feed


def test_a_refused_command_does_not_stop_the_others(desk):
    receipts = desk.commit(
        command(PUT, SN, url()), command(PUT, "99/x", url()), command(PUT, "88.118/b", url())
    )
    assert [receipt.seq for receipt in receipts] == [2, 0, 3]
    assert desk.store.head().seq == 3


def test_the_feed_says_who_did_what_and_hangs_together(desk):
    desk.put(SN, url(), secret(), request_id="r-1")
    desk.submit(command(ADD, SN, name()), ADMIN)
    desk.submit(command(DELETE, SN))
    changes = desk.store.changes(0)
    assert [(c.seq, c.operation, c.actor, c.version) for c in changes] == [
        (1, HOST, "operator", 1),
        (2, PUT, "operator", 1),
        (3, ADD, "300:0.NA/88.118", 2),
        (4, DELETE, "operator", 3),
    ]
    assert {c.source for c in changes} == {"test"}
    assert (changes[1].request_id, changes[1].key) == ("r-1", b"88.118/SN-1")
    assert changes[3].time_ms == desk.now_s * 1000
    digest = genesis(LOG_ID)
    for change in changes:
        assert change.previous == digest
        digest = entry_digest(encode_change(change))
    assert desk.store.head().digest == digest


def test_the_feed_carries_the_digest_of_the_content(desk):
    desk.put(SN, url(), secret())
    desk.put(SN, url("b"), secret())
    desk.put(SN, url(), secret())
    first, second, third = (change.content for change in desk.store.changes(1))
    record = desk.record(SN)
    opened = desk.sealer.open(record)
    assert first == third == content_digest(record.public, opened, desk.sealer, record.key)
    assert second != first


def test_deciding_touches_nothing(desk):
    before = desk.state()
    batch = [Submission(OPERATOR, command(PUT, SN, url()), "test")]
    decision = decide(batch, desk.store, desk.sealer, frozenset(), 1_000)
    assert decision == decide(batch, desk.store, desk.sealer, frozenset(), 1_000)
    assert len(decision.writes) == 1
    assert desk.state() == before


def test_a_batch_is_bounded(desk):
    one = Submission(OPERATOR, command(PUT, SN, url()), "test")
    with pytest.raises(ValueError, match="257 commands"):
        desk.registrar.commit([one] * (MAX_BATCH + 1), 1_000)
    receipts = desk.registrar.commit([one] * MAX_BATCH, 1_000)
    assert [receipt.was_created for receipt in receipts] == [True] + [False] * (MAX_BATCH - 1)


def test_removing_more_indexes_than_a_record_can_have_costs_little(desk):
    desk.put(SN, *(url(index=index) for index in range(1, MAX_VALUES + 1)))
    started_s = time.process_time()
    receipt = desk.submit(command(REMOVE, SN, indexes=tuple(range(10_000, 110_000))))
    assert receipt.outcome is Outcome.VALUES_NOT_FOUND
    assert time.process_time() - started_s < 1


class FullStore(MemoryStore):
    """A store whose disk is full."""

    def commit(self, writes, marks=(), notes=()):
        raise StoreFull("no room left in the map")


class BrokenStore(MemoryStore):
    """A store whose disk fails."""

    def commit(self, writes, marks=(), notes=()):
        raise StoreFailed("input/output error")


def test_a_full_disk_refuses_the_whole_batch_and_says_why():
    registrar = Registrar(FullStore(LOG_ID), Sealer(NODE_KEY))
    batch = [Submission(OPERATOR, command(HOST, "88.118"), "test")] * 2
    receipts = registrar.commit(batch, 1_000)
    assert [receipt.outcome for receipt in receipts] == [Outcome.READ_ONLY] * 2
    assert receipts[0].reason == "nothing was changed: no room left in the map"


def test_a_failing_disk_is_not_an_answer():
    registrar = Registrar(BrokenStore(LOG_ID), Sealer(NODE_KEY))
    with pytest.raises(StoreFailed):
        registrar.commit([Submission(OPERATOR, command(HOST, "88.118"), "test")], 1_000)


def test_a_record_that_does_not_open_fails_alone(desk):
    desk.put(SN, url(), secret())
    other = Registrar(desk.store, Sealer(bytes(64)))
    batch = [
        Submission(OPERATOR, command(ADD, SN, name()), "test"),
        Submission(OPERATOR, command(PUT, "88.118/b", url()), "test"),
    ]
    broken, fine = other.commit(batch, 1_000)
    assert broken.outcome is Outcome.ERROR
    assert "do not open" in broken.reason
    assert fine.outcome is Outcome.SUCCESS


@pytest.mark.parametrize("damaged", [SN, "0.NA/88.7"])
def test_a_record_damaged_on_the_disk_fails_alone(tmp_path, damaged):
    with damaged_store(tmp_path, damaged, SN, "88.7") as desk:
        batch = [
            command(ADD, SN, name()),
            command(PUT, "88.7/a", url()),
            command(PUT, SN + "2", url()),
        ]
        receipts = desk.commit(*batch)
        failed = [receipt.outcome is Outcome.ERROR for receipt in receipts]
        assert failed == [damaged == SN, damaged != SN, False]
        assert f"damaged record {damaged.upper()}" in receipts[failed.index(True)].reason


# -- the whole, against a model

texts = st.sampled_from(["88.118/a", "88.118/A", "88.118/b", "88.7/a", "88.118.1/a", "99.1/a"])
values = st.builds(
    lambda index, data, permissions, ttl: Value(index, "T", data, ttl=ttl, permissions=permissions),
    st.integers(1, 4),
    st.binary(max_size=2),
    st.sampled_from([14, 12, 2]),
    st.sampled_from([60, 86_400]),
)
unique_values = st.lists(values, max_size=4, unique_by=lambda value: value.index).map(tuple)
commands = st.builds(
    lambda operation, text, some, indexes, overwrite, expect: command(
        operation, text, *some, indexes=indexes, overwrite=overwrite, expect_version=expect
    ),
    st.sampled_from([PUT, PUT, ADD, MODIFY, REMOVE, DELETE]),
    texts,
    unique_values,
    st.lists(st.integers(1, 4), max_size=2).map(tuple),
    st.booleans(),
    st.sampled_from([None, None, None, 0, 1, 2]),
)
batches = st.lists(commands, min_size=1, max_size=25)


def two_prefixes():
    desk = Desk()
    desk.submit(command(HOST, "88.7", case_sensitive=True))
    return desk


@given(batches, st.data())
def test_how_commands_are_batched_makes_no_difference(some, data):
    together, apart = two_prefixes(), two_prefixes()
    now_ms = 2_000_000_000
    batch = [Submission(OPERATOR, one, "test") for one in some]
    receipts = together.registrar.commit(batch, now_ms)
    cut = data.draw(st.integers(0, len(batch)))
    expected = apart.registrar.commit(batch[:cut], now_ms)
    expected += [apart.registrar.commit([one], now_ms)[0] for one in batch[cut:]]
    assert receipts == expected
    assert together.state() == apart.state()


def model(records, one):
    """What a command does to ``{key: {index: value}}``, in the words of the protocol; False = refused."""
    key = one.identifier.folded(one.identifier.prefix == b"88.7")
    if one.identifier.prefix not in (b"88.118", b"88.7"):
        return False
    version, old = records.get(key, (0, None))
    at = 0 if old is None else version
    new = {value.index: value for value in one.values}
    if one.expect_version not in (None, at):
        return False
    match one.operation:
        case "put":
            if not new or (old is not None and not one.overwrite):
                return False
        case "add":
            if not new or old is None or (not one.overwrite and new.keys() & old.keys()):
                return False
            new = old | new
        case "modify":
            if not new or old is None or not new.keys() <= old.keys():
                return False
            new = old | new
        case "remove":
            if not one.indexes or old is None or not set(one.indexes) <= old.keys():
                return False
            new = {index: value for index, value in old.items() if index not in one.indexes}
        case "delete":
            if old is None:
                return False
            new = None
    if new != old:
        records[key] = (version + 1, new)
    return True


@given(batches)
def test_records_are_what_the_commands_say(some):
    desk, records = two_prefixes(), {}
    receipts = desk.commit(*some)
    for one, receipt in zip(some, receipts, strict=True):
        named = one._replace(operation=one.operation.value)
        assert (receipt.outcome is Outcome.SUCCESS) == model(records, named)
    for key, (version, expected) in records.items():
        stored = desk.store.lookup_any(parse_identifier(key.decode()))
        assert stored.version == version
        assert stored.is_deleted == (expected is None)
        if expected is not None:
            found = {v.index: v._replace(timestamp=0) for v in desk.values(key.decode())}
            assert found == expected
    for prefix in (b"88.118", b"88.7"):
        alive = [
            k for k, (_, v) in records.items() if k.startswith(prefix + b"/") and v is not None
        ]
        assert desk.store.count(prefix) == len(alive)
