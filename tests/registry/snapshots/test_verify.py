"""Verification finds every damage: any flipped bit of any row, missing rows, counters and chains that are off."""

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.record import decode_record, encode_record
from protocols.values.value import Value
from protocols.values.value_list import encode_values
from registry.change import decode_change, encode_change
from registry.errors import StoreFailed, StoreMoved
from registry.sealing import Sealer, content_digest
from registry.snapshots.verify import verify
from registry.stores.lmdb import create_store, open_reader, open_writer
from registry.stores.lmdb_layout import (
    FLIPS_KEY,
    TABLES,
    decode_flips,
    encode_count,
    encode_flip,
    flip_key,
)
from tests.batteries.scribe import LOG_ID, Scribe
from tests.registry.snapshots.conftest import fill_richly
from tests.registry.stores.settings import SMALL


@pytest.fixture
def directory(tmp_path):
    create_store(tmp_path / "data", LOG_ID, SMALL)
    store = open_writer(tmp_path / "data", SMALL)
    fill_richly(store)
    store.close()
    return tmp_path / "data"


def rows_of(directory):
    with lmdb.open(str(directory), max_dbs=8, readonly=True) as env:
        found = []
        for table in TABLES:
            database = env.open_db(table.encode(), create=False)
            with env.begin(database) as txn:
                found += [(table, key, value) for key, value in txn.cursor()]
        return found


def change_row(directory, table, key, value):
    """Put ``value`` under ``key``, or remove the row when it is None."""
    with lmdb.open(str(directory), max_dbs=8) as env:
        database = env.open_db(table.encode())
        with env.begin(database, write=True) as txn:
            if value is None:
                assert txn.delete(key)
            else:
                txn.put(key, value)


def findings(directory, sealer=None):
    with open_reader(directory, SMALL) as reader:
        return verify(reader, sealer).findings


def test_a_whole_store_has_no_findings_and_progress_is_told(directory):
    heard = []
    with open_reader(directory, SMALL) as reader:
        report = verify(reader, progress=lambda *what: heard.append(what))
    assert (report.findings, report.count) == ((), 0)
    rows = rows_of(directory)
    expected = {table: sum(row[0] == table for row in rows) for table in TABLES if table != "meta"}
    assert report.rows == expected
    assert set(heard) == {(table, count, count) for table, count in expected.items()}


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_any_value_is_found(directory, data):
    rows = [row for row in rows_of(directory) if row[2]]
    table, key, value = data.draw(st.sampled_from(rows))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    damaged = bytearray(value)
    damaged[bit // 8] ^= 1 << bit % 8
    change_row(directory, table, key, bytes(damaged))
    try:
        if key == b"format":  # such a store does not even open
            with pytest.raises(StoreFailed, match="format"):
                findings(directory)
            return
        found = findings(directory)
    finally:
        change_row(directory, table, key, value)
    assert any(finding.table == table for finding in found)
    if table in ("rec", "cnt", "note", "auth"):
        assert any(finding.key == key for finding in found)
    if table == "log":
        seq = int.from_bytes(key)
        assert any(finding.seq in (seq, seq + 1) for finding in found)


def test_any_row_that_is_missing_is_found(directory):
    whole = rows_of(directory)
    for table, key, value in whole:
        if table == "note" or (table == "cnt" and decode_zero(value)):
            continue  # a note more or less, or a counter of nothing, is not damage
        if table == "log" and key == min(row[1] for row in whole if row[0] == "log"):
            key_of_oldest = key
        change_row(directory, table, key, None)
        try:
            if table != "meta":
                assert findings(directory), (table, key)
        finally:
            change_row(directory, table, key, value)
    assert key_of_oldest == (3).to_bytes(8)
    assert findings(directory) == ()


def decode_zero(value):
    return not any(value[:-4])


def test_a_wrong_counter_is_named_with_both_numbers(directory):
    key = (1).to_bytes(4)
    change_row(directory, "cnt", key, encode_count(key, 77))
    (finding,) = findings(directory)
    assert (finding.table, finding.key) == ("cnt", key)
    assert "counter 77" in finding.reason


def test_an_altered_record_with_a_good_checksum_is_found_by_its_feed_entry(directory):
    key = next(k for t, k, v in rows_of(directory) if t == "rec" and k.endswith(b"ABSOLUTE"))
    stored = next(v for t, k, v in rows_of(directory) if k == key and t == "rec")
    record = decode_record(b"88.A/ABSOLUTE", stored)
    values = encode_values([Value(1, "URL", b"forged")])
    forged = record._replace(public=values, has_absolute_ttl=False, least_ttl_s=86400)
    change_row(directory, "rec", key, encode_record(forged))
    (finding,) = findings(directory)
    assert finding == ("rec", key, record.seq, "its content is not what its feed entry says")


def test_a_delegated_prefix_without_a_server_is_found(directory):
    key = next(k for t, k, _ in rows_of(directory) if t == "rec" and k.endswith(b"88.AWAY"))
    stored = next(v for t, k, v in rows_of(directory) if k == key and t == "rec")
    record = decode_record(b"0.NA/88.AWAY", stored)
    values = encode_values([Value(1, "URL", b"nobody")])
    change_row(directory, "rec", key, encode_record(record._replace(public=values)))
    found = [finding for finding in findings(directory) if finding.table == "auth"]
    assert [finding.reason for finding in found] == [
        "prefix b'88.AWAY' is delegated, but its record names no server to ask"
    ]


def test_a_list_of_moves_that_does_not_hold_is_found(directory):
    flips = decode_flips(next(v for _, k, v in rows_of(directory) if k == FLIPS_KEY))
    assert flips == 5
    for number, value in ((2, None), (2, encode_flip(2, 99)), (3, encode_flip(3 + 256, 1))):
        key = flip_key(number)
        row = next(v for _, k, v in rows_of(directory) if k == key)
        change_row(directory, "meta", key, value)
        assert [(f.table, f.key) for f in findings(directory)] == [("meta", key)]
        change_row(directory, "meta", key, row)
    assert findings(directory) == ()


def test_an_altered_feed_entry_breaks_the_chain(directory):
    key = (9).to_bytes(8)
    entry = next(v for t, k, v in rows_of(directory) if t == "log" and k == key)
    forged = encode_change(decode_change(entry)._replace(actor="300:0.NA/99.9"))
    change_row(directory, "log", key, forged)
    (finding,) = findings(directory)
    assert (finding.table, finding.seq) == ("log", 10)
    assert "not linked" in finding.reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"public": encode_values([Value(2, "A", b""), Value(1, "B", b"")])}, "not ascending"),
        ({"public": encode_values([Value(1, "S", b"", permissions=12)])}, "not public"),
        ({"public": b"\0\0\0\x02", "least_ttl_s": 0}, "public values"),
        ({"least_ttl_s": 5}, "least TTL 5 s"),
        ({"has_absolute_ttl": True}, "absolute TTLs"),
        ({"is_deleted": True}, "deleted, but there are values"),
        ({"version": 0}, "version 0"),
        ({"seq": 9999}, "change 9999 is not within"),
        ({"seq": 8}, "its feed entry is about"),
        ({"spelling": b"88.a/other"}, "does not fold"),
    ],
)
def test_a_record_that_breaks_a_rule_is_named_with_the_rule(directory, fields, reason):
    key = next(k for t, k, v in rows_of(directory) if t == "rec" and k.endswith(b"SN-1"))
    stored = next(v for t, k, v in rows_of(directory) if k == key and t == "rec")
    record = decode_record(b"88.A/SN-1", stored)._replace(**fields)
    change_row(directory, "rec", key, encode_record(record))
    assert any(f.key == key and reason in f.reason for f in findings(directory))


def test_sealed_values_are_checked_with_the_node_key(tmp_path):
    sealer = Sealer(b"k" * 64)
    secret = (Value(3, "HS_SECKEY", b"secret", permissions=12),)
    create_store(tmp_path / "data", LOG_ID, SMALL)
    store = open_writer(tmp_path / "data", SMALL)
    scribe = Scribe(store)
    scribe.host("88.118")
    sealed = sealer.seal(secret, b"88.118/A", 1)
    write = scribe.put("88.118/A", sealed=sealed)
    change = write.change._replace(
        content=content_digest(write.record.public, secret, sealer, b"88.118/A")
    )
    store.commit([scribe.writes[0], write._replace(change=change)])
    store.close()
    assert findings(tmp_path / "data") == findings(tmp_path / "data", sealer) == ()
    (finding,) = findings(tmp_path / "data", Sealer(b"o" * 64))
    assert finding.key.endswith(b"A")
    assert "do not open" in finding.reason


def test_a_store_that_is_written_to_is_not_judged(directory):
    with open_writer(directory, SMALL) as store:
        scribe = Scribe(store)

        def write(*_):
            scribe.put("88.a/new")
            scribe.commit()

        with pytest.raises(StoreMoved):
            verify(store.reader(), progress=write)


def test_a_damaged_head_is_one_finding_and_the_end(directory):
    row = next(v for t, k, v in rows_of(directory) if k == b"head")
    change_row(directory, "meta", b"head", row[:-1] + bytes([row[-1] ^ 1]))
    (finding,) = findings(directory)
    assert (finding.table, finding.key) == ("meta", b"head")
