"""What is LMDB's own: opening, formats, limits, and what a failing disk does."""

import resource
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from registry.errors import StoreFailed, StoreFull, WrongFormat
from registry.stores.failpoints import BEFORE_WRITE
from registry.stores.lmdb import create_store, open_reader, open_writer
from registry.stores.lmdb_environment import MAP_BYTES, LmdbSettings, map_bytes
from registry.stores.lmdb_layout import FORMAT_KEY, seal
from tests.batteries.scribe import LOG_ID, T0_MS, Scribe, fill
from tests.registry.stores.settings import SMALL

REPOSITORY = Path(__file__).parents[3]


def test_a_store_is_made_once(directory):
    with pytest.raises(FileExistsError):
        create_store(directory, b"another log id!!", SMALL)
    with open_reader(directory, SMALL) as reader:
        assert reader.head().log_id == LOG_ID


def test_a_log_id_has_16_bytes(tmp_path):
    with pytest.raises(ValueError, match="16 bytes"):
        create_store(tmp_path / "data", b"short", SMALL)


def test_files_are_for_their_owner_only(directory):
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in directory.iterdir()} == {"data.mdb", "lock.mdb", "writer.lock"}
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


@pytest.mark.parametrize("opened", [open_reader, open_writer])
def test_a_place_without_a_store_says_so_and_stays_empty(tmp_path, opened):
    with pytest.raises(FileNotFoundError, match="holds no store"):
        opened(tmp_path / "nowhere", SMALL)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no store"):
        opened(tmp_path / "empty", SMALL)


@pytest.mark.parametrize("content", [b"", b"#" * 40_000])
def test_a_foreign_file_is_named(tmp_path, content):
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises((WrongFormat, StoreFailed), match=r"data\.mdb|tables|cannot open"):
        open_reader(tmp_path, SMALL)


def test_a_foreign_lmdb_file_is_named(tmp_path):
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as txn:
        txn.put(b"theirs", b"something")
    with pytest.raises(WrongFormat, match="not a store of this program"):
        open_reader(tmp_path, SMALL)
    with pytest.raises(WrongFormat, match="not a store of this program"):
        open_writer(tmp_path, SMALL)


def test_a_newer_format_is_named_and_left_alone(directory):
    with lmdb.open(str(directory), max_dbs=8) as env:
        meta = env.open_db(b"meta")
        with env.begin(meta, write=True) as txn:
            txn.put(FORMAT_KEY, seal(FORMAT_KEY, (2).to_bytes(4)))
    for opened in (open_reader, open_writer):
        with pytest.raises(WrongFormat, match="format 2, this program reads format 1"):
            opened(directory, SMALL)


def test_an_unfinished_store_is_named_and_can_be_made_again(tmp_path):
    with lmdb.open(str(tmp_path), max_dbs=8) as env:
        for table in (b"meta", b"auth", b"rec", b"log", b"cnt", b"idem", b"note"):
            env.open_db(table)
    with pytest.raises(WrongFormat, match="never finished"):
        open_writer(tmp_path, SMALL)
    create_store(tmp_path, LOG_ID, SMALL)
    open_writer(tmp_path, SMALL).close()


def test_a_store_that_never_delegated_lies_as_the_version_before_wrote_it(directory):
    with lmdb.open(str(directory), max_dbs=8, readonly=True) as env:
        meta, auth = (env.open_db(name, create=False) for name in (b"meta", b"auth"))
        with env.begin() as txn:
            assert [key for key, _ in txn.cursor(meta)] == [b"format", b"head"]
            ((key, row),) = txn.cursor(auth)
    created_s = (T0_MS // 1000).to_bytes(4)
    value = created_s + b"\0" + b"\x06" + b"88.118" + b"88.118"
    assert (key, row) == ((1).to_bytes(4), seal((1).to_bytes(4), value))


def test_moving_one_of_many_prefixes_reads_one_row_again(directory):
    store = open_writer(directory, SMALL)
    scribe = Scribe(store)
    for n in range(1000):
        scribe.host(f"89.{n}")
    scribe.commit()
    reader = store.reader()
    before = {a.prefix: a for a in reader.authorities(limit=2000)}
    scribe.delegate("89.500")
    scribe.commit()
    reader.refresh()
    after = {a.prefix: a for a in reader.authorities(limit=2000)}
    moved = [prefix for prefix, authority in after.items() if authority is not before[prefix]]
    assert moved == [b"89.500"]
    store.close()


def test_each_writer_raises_the_epoch(directory):
    epochs = []
    for _ in range(3):
        store = open_writer(directory, SMALL)
        epochs.append(store.stored_head().epoch)
        store.close()
    assert epochs == [epochs[0], epochs[0] + 1, epochs[0] + 2]


def test_a_full_map_refuses_the_commit_and_keeps_everything(tmp_path):
    tiny = LmdbSettings(map_bytes=1 << 18, max_readers=8)
    create_store(tmp_path / "data", LOG_ID, tiny)
    store = open_writer(tmp_path / "data", tiny)
    fill(store, "88.118/A")
    head = store.head()
    with pytest.raises(StoreFull):
        fill(store, *(f"88.200/{n}" for n in range(5000)), prefix="88.200")
    assert store.head() == head
    assert store.stored(b"88.118/A") is not None
    assert store.authority(b"88.200") is None
    scribe = Scribe(store)
    scribe.put("88.118/B")
    scribe.commit()
    assert store.count(b"88.118") == 2
    store.close()


def test_an_exception_inside_a_commit_changes_nothing_and_the_next_one_works(directory):
    fail = [True]

    def stop():
        if fail:
            raise RuntimeError("stopped")

    store = open_writer(directory, SMALL, {BEFORE_WRITE: stop})
    scribe = Scribe(store)
    scribe.put("88.118/A")
    good = list(scribe.writes)
    with pytest.raises(RuntimeError, match="stopped"):
        scribe.commit()
    assert store.stored(b"88.118/A") is None
    fail.clear()
    store.commit(good)
    assert store.head().seq == 3
    store.close()


def run(directory, code):
    """Run ``code`` with ``store`` open on ``directory`` in a process of its own; returns what it printed."""
    setup = """
import os, resource, sys
from pathlib import Path
from registry.errors import StoreError
from registry.stores.lmdb import open_writer
from tests.batteries.scribe import Scribe
from tests.registry.stores.settings import SMALL
directory = Path(sys.argv[1])
store = open_writer(directory, SMALL)
def attempt(*names):
    scribe = Scribe(store)
    for name in names:
        scribe.put("88.118/" + name)
    try:
        scribe.commit()
        print("done")
    except StoreError as error:
        print(type(error).__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", setup + code, str(directory)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.process
def test_a_file_that_may_not_grow_is_a_full_store_and_works_again_with_room(directory):
    said = run(directory, """
size = (directory / "data.mdb").stat().st_size
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
attempt(*(f"N{n}" for n in range(3000)))
print(store.stored(b"88.118/FIRST") is not None, store.stored(b"88.118/N1") is None)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
attempt(*(f"N{n}" for n in range(3000)))
print(store.count(b"88.118"))
""")  # fmt: skip
    assert said == ["StoreFull", "True", "True", "done", "3001"]
    with open_reader(directory, SMALL) as reader:
        assert reader.count(b"88.118") == 3001


@pytest.mark.process
def test_after_a_write_error_the_writer_refuses_until_it_is_reopened(directory):
    said = run(directory, """
for name in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        continue
    if target.endswith("data.mdb"):
        saved = os.dup(int(name))
        os.dup2(os.open(directory / "data.mdb", os.O_RDONLY), int(name))  # every write to it fails from here on
        broken = int(name), saved
attempt("A")
os.dup2(broken[1], broken[0])
attempt("B")
print(store.stored(b"88.118/FIRST") is not None)
store.close()
store = open_writer(directory, SMALL)
attempt("C")
""")  # fmt: skip
    assert said == ["StoreFailed", "StoreFailed", "True", "done"]
    with open_reader(directory, SMALL) as reader:
        assert [r.key for r in reader.list_records(b"88.118")] == [b"88.118/C", b"88.118/FIRST"]


def test_the_map_is_as_large_as_wanted_unless_the_process_is_limited():
    assert map_bytes(MAP_BYTES) == MAP_BYTES
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30));"
        "from registry.stores.lmdb_environment import map_bytes; print(map_bytes(1 << 40), map_bytes(1 << 20))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True
    )
    assert said.stdout.split() == [b"2147483648", b"1048576"]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_a_store_opens_with_a_limited_address_space(directory):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30));"
        "from pathlib import Path; from registry.stores.lmdb import open_reader;"
        "print(open_reader(Path(sys.argv[1])).count(b'88.118'))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(directory)],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    assert said.stdout == b"1\n"


def test_the_file_is_sparse_and_small_under_a_map_of_a_tebibyte(tmp_path):
    create_store(tmp_path / "data", LOG_ID)
    store = open_writer(tmp_path / "data")
    fill(store, "88.118/A")
    statistics = store.statistics()
    assert statistics.map_bytes == MAP_BYTES
    assert (statistics.records, statistics.changes) == (2, 2)
    assert (tmp_path / "data" / "data.mdb").stat().st_size < 1 << 20
    assert statistics.used_bytes <= (tmp_path / "data" / "data.mdb").stat().st_size
    store.close()


def test_freed_pages_are_used_again_when_readers_let_go(directory):
    store = open_writer(directory, SMALL)
    reader = store.reader()
    scribe = Scribe(store)
    sizes = []
    for _ in range(300):
        reader.refresh()
        scribe.put("88.118/FIRST")
        scribe.commit()
        store.truncate_changes(scribe.seq)
        reader.release()
        sizes.append(store.statistics().used_bytes)
        store.release()
    assert sizes[-1] <= sizes[20] * 1.2
    store.close()


def test_a_damaged_record_is_reported_and_never_returned(directory):
    with lmdb.open(str(directory), max_dbs=8) as env:
        records = env.open_db(b"rec")
        with env.begin(records, write=True) as txn:
            key = (1).to_bytes(4) + b"FIRST"
            row = bytearray(txn.get(key))
            row[-1] ^= 1
            txn.put(key, bytes(row))
    with (
        open_reader(directory, SMALL) as reader,
        pytest.raises(StoreFailed, match=r"damaged record 88\.118/FIRST"),
    ):
        reader.list_records(b"88.118")
