"""Backup beside the writer, restore under a new log_id, and files that are whole or not there."""

import json
import threading

import pytest

from registry.errors import DamagedExport, StoreFailed, WrongFormat
from registry.snapshots.backup import MANIFEST_FILE, backup, hot_copy, read_manifest
from registry.snapshots.export import export_lines, write_export
from registry.snapshots.read_export import file_lines
from registry.snapshots.restore import restore_backup, restore_export
from registry.snapshots.verify import verify
from registry.stores.lmdb import create_store, open_reader, open_writer
from tests.batteries.scribe import LOG_ID, Scribe, fill
from tests.registry.stores.settings import SMALL

OTHER = b"another log id!!"


def body(store):
    """The export without its first and last line: what is independent of the log's name."""
    return list(export_lines(store))[1:-1]


def test_a_backup_restores_to_the_same_records_under_another_log(rich_lmdb, tmp_path):
    head = rich_lmdb.head()
    manifest = backup(rich_lmdb.reader(), tmp_path / "backup", SMALL)
    assert (manifest.log_id, manifest.seq, manifest.digest) == (
        LOG_ID.hex(),
        head.seq,
        head.digest.hex(),
    )
    assert json.loads((tmp_path / "backup" / MANIFEST_FILE).read_text()) == manifest._asdict()
    restored = restore_backup(tmp_path / "backup", tmp_path / "again", OTHER, SMALL)
    assert restored == head._replace(log_id=OTHER)
    store = open_writer(tmp_path / "again", SMALL)
    assert body(store) == body(rich_lmdb)
    assert store.changes(2) == rich_lmdb.changes(2)
    assert store.request(b"\x03" * 16) == rich_lmdb.request(b"\x03" * 16)
    assert store.note(b"import") == b"resume point"
    assert store.stored(b"88.away/kept") is None
    scribe = Scribe(store)
    scribe.put("88.a/Sn-1")
    scribe.host("88.away")
    scribe.commit()
    assert verify(store).findings == ()
    store.close()


def test_a_restored_store_whose_feed_begins_at_1_still_verifies(tmp_path):
    create_store(tmp_path / "data", LOG_ID, SMALL)
    with open_writer(tmp_path / "data", SMALL) as store:
        backup(store, tmp_path / "empty", SMALL)
        fill(store, "88.118/A")
        backup(store, tmp_path / "backup", SMALL)
    for name in ("empty", "backup"):
        restore_backup(tmp_path / name, tmp_path / f"from {name}", OTHER, SMALL)
        with open_writer(tmp_path / f"from {name}", SMALL) as again:
            fill(again, prefix="88.119")
            assert verify(again).findings == ()
            assert again.changes(0)[-1].key == b"0.NA/88.119"


def test_backups_hold_only_their_files_and_are_for_their_owner_only(rich_lmdb, tmp_path):
    backup(rich_lmdb.reader(), tmp_path / "backup", SMALL)
    assert {p.name for p in tmp_path.iterdir()} == {"data", "backup"}
    files = list((tmp_path / "backup").iterdir())
    assert {path.name for path in files} == {"data.mdb", MANIFEST_FILE}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700


def test_backups_taken_while_the_writer_runs_are_whole_states_of_it(rich_lmdb, tmp_path):
    scribe = Scribe(rich_lmdb)
    stop = threading.Event()
    reader = rich_lmdb.reader()
    done = []

    def take():
        done.extend(backup(reader, tmp_path / f"backup {n}", SMALL) for n in range(5))
        stop.set()

    thread = threading.Thread(target=take)
    thread.start()
    written = 0
    while not stop.is_set() or written < 20:
        scribe.put(f"88.a/{written}")
        scribe.put("88.a/always")
        scribe.commit()
        written += 1
    thread.join()
    seqs = [manifest.seq for manifest in done]
    assert len(seqs) == 5
    assert seqs == sorted(seqs)
    for n, manifest in enumerate(done):
        restore_backup(tmp_path / f"backup {n}", tmp_path / f"restored {n}", OTHER, SMALL)
        with open_reader(tmp_path / f"restored {n}", SMALL) as restored:
            assert verify(restored).findings == ()
            assert restored.head().seq == manifest.seq
            assert restored.changes(manifest.seq - 1) == rich_lmdb.changes(manifest.seq - 1, 1)


def test_nothing_is_overwritten(rich_lmdb, tmp_path):
    backup(rich_lmdb.reader(), tmp_path / "backup", SMALL)
    with pytest.raises(FileExistsError, match="new name"):
        backup(rich_lmdb.reader(), tmp_path / "backup", SMALL)
    with pytest.raises(FileExistsError, match="not empty"):
        restore_backup(tmp_path / "backup", tmp_path / "data", OTHER, SMALL)
    with pytest.raises(FileExistsError, match="not empty"):
        restore_export([], tmp_path / "data", OTHER, SMALL)
    (tmp_path / "free").mkdir()
    restore_backup(tmp_path / "backup", tmp_path / "free", OTHER, SMALL)
    assert rich_lmdb.head().log_id == LOG_ID


def test_what_was_left_by_a_killed_backup_or_restore_is_in_nobodys_way(rich_lmdb, tmp_path):
    for name in ("backup.tmp", "again.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").write_bytes(b"half")
    backup(rich_lmdb.reader(), tmp_path / "backup", SMALL)
    restore_backup(tmp_path / "backup", tmp_path / "again", OTHER, SMALL)
    assert {p.name for p in tmp_path.iterdir()} == {"data", "backup", "again"}


@pytest.mark.parametrize("damage", ["flip", "cut", "no manifest", "foreign manifest", "newer"])
def test_a_damaged_backup_is_refused_and_nothing_appears(rich_lmdb, tmp_path, damage):
    place = tmp_path / "backup"
    backup(rich_lmdb.reader(), place, SMALL)
    data = bytearray((place / "data.mdb").read_bytes())
    manifest = json.loads((place / MANIFEST_FILE).read_text())
    match damage:
        case "flip":
            data[len(data) // 2] ^= 1
            (place / "data.mdb").write_bytes(data)
        case "cut":
            (place / "data.mdb").write_bytes(data[:-4096])
        case "no manifest":
            (place / MANIFEST_FILE).unlink()
        case "foreign manifest":
            (place / MANIFEST_FILE).write_text("[1]")
        case "newer":
            (place / MANIFEST_FILE).write_text(json.dumps(manifest | {"store_format": 2}))
    error = StoreFailed if damage in ("flip", "cut") else WrongFormat
    with pytest.raises(error):
        read_manifest(place)
    with pytest.raises(error):
        restore_backup(place, tmp_path / "again", OTHER, SMALL)
    assert {p.name for p in tmp_path.iterdir()} == {"data", "backup"}


def test_an_export_file_restores_and_a_damaged_one_leaves_nothing(rich_lmdb, tmp_path):
    write_export(rich_lmdb.reader(), tmp_path / "export")
    with (tmp_path / "export").open("rb") as file:
        head = restore_export(file_lines(file), tmp_path / "again", OTHER, SMALL)
    assert (head.log_id, head.seq) == (OTHER, rich_lmdb.head().seq)
    with open_reader(tmp_path / "again", SMALL) as store:
        assert body(store) == body(rich_lmdb)
        assert verify(store).findings == ()
    lines = list(export_lines(rich_lmdb))
    with pytest.raises(DamagedExport):
        restore_export(lines[:-1], tmp_path / "third", OTHER, SMALL)
    assert not (tmp_path / "third").exists()
    assert not (tmp_path / "third.tmp").exists()


def test_a_hot_copy_stands_still_while_the_store_is_written(rich_lmdb, tmp_path):
    expected = list(export_lines(rich_lmdb))
    scribe = Scribe(rich_lmdb)
    with hot_copy(rich_lmdb.reader(), tmp_path / "scratch", SMALL) as copy:
        scribe.put("88.a/later")
        scribe.commit()
        assert list(export_lines(copy)) == expected
    assert not (tmp_path / "scratch").exists()
