"""What a stopped node's store takes on disk, table by table: records and the feed of changes are told apart."""

from pathlib import Path
from typing import NamedTuple

import lmdb

from node.config import load_config

MAX_TABLES = 16


class DiskUse(NamedTuple):
    """Bytes of whole pages."""

    records: int
    feed: int
    others: int
    """Prefixes, counters, marks of request ids, notes."""
    free: int
    """Pages of the file that nothing uses at present."""


def read_disk_use(settings: Path) -> DiskUse:
    """Of the store of the node with these settings, which must not be running: its pages are counted, not its rows."""
    directory = load_config(settings).node.data_dir
    place = (
        directory
        if (directory / "data.mdb").exists()
        else next(directory.glob("*/data.mdb")).parent
    )
    with lmdb.open(str(place), readonly=True, lock=False, max_dbs=MAX_TABLES) as env:
        page_bytes = env.stat()["psize"]
        with env.begin() as transaction, transaction.cursor() as cursor:
            names = [bytes(name) for name, _ in cursor]
            tables = {}
            for name in names:
                found = transaction.stat(env.open_db(name, transaction, create=False))
                pages = found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]
                tables[name] = pages * page_bytes
        used = env.info()["last_pgno"] * page_bytes
    records, feed = tables.pop(b"rec"), tables.pop(b"log")
    others = sum(tables.values())
    return DiskUse(records, feed, others, max(0, used - records - feed - others))
