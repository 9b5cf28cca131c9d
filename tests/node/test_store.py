"""The node's store on disk: made on first use, made again where its making was interrupted at any moment."""

import signal
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from node.config import load_config
from node.store import open_store
from registry.errors import WrongFormat
from registry.stores.lmdb_layout import TABLES

ROOT = Path(__file__).parents[2]
STOPS = (
    "import os, signal, sys\n"
    "from pathlib import Path\n"
    "from registry.stores.lmdb import create_store\n"
    "left = int(sys.argv[2])\n"
    "def watch(frame, event, argument):\n"
    "    global left\n"
    "    left -= 1\n"
    "    if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
    "    return watch\n"
    "sys.settrace(watch)\n"
    "create_store(Path(sys.argv[1]), bytes(16))\n"
)
"""Makes a store and is killed before its nth event (call, line or return)."""


def settings(directory: Path):
    path = directory / "node.toml"
    path.write_text("[store]\nmap_size_gib = 1\n")
    return load_config(path)


@pytest.mark.process
@pytest.mark.parametrize("moment", [20, 60, 80, 100, 120, 140, 160, 180, 220])
def test_a_store_whose_making_was_killed_is_made_by_the_next_start(tmp_path, moment):
    words = [sys.executable, "-c", STOPS, str(tmp_path / "data"), str(moment)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr.decode()
    store = open_store(settings(tmp_path))
    try:
        assert store.head().seq == 0
    finally:
        store.close()


def test_tables_without_a_first_head_are_an_interrupted_making(tmp_path):
    (tmp_path / "data").mkdir()
    with lmdb.open(str(tmp_path / "data"), max_dbs=10) as env:
        env.open_db(min(TABLES).encode())
    open_store(settings(tmp_path)).close()


def test_somebody_elses_file_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    with lmdb.open(str(tmp_path / "data"), max_dbs=10) as env:
        env.open_db(b"theirs")
    before = (tmp_path / "data" / "data.mdb").read_bytes()
    with pytest.raises(WrongFormat, match="not a store of this program"):
        open_store(settings(tmp_path))
    assert (tmp_path / "data" / "data.mdb").read_bytes() == before
