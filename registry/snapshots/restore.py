"""Puts a backup or an export back as a store, under a new log_id.

A restore may forget changes that followers have already seen. Were the feed to go on under its old log_id, two
different changes could carry one number and no follower would notice; so the feed forks: numbers and chain go on,
the log_id is another one, and followers begin anew. A mirror, which goes on with the source's own feed, seeds its store
with ``read_export.seed_from`` and no log_id.

The store is built under ``DIR.tmp`` and renamed: a directory with the wanted name is always a whole store.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.durable_files import sync_directory, sync_file
from registry.snapshots.backup import read_manifest
from registry.snapshots.read_export import Export, seed_from
from registry.stores.lmdb import create_store, open_writer
from registry.stores.lmdb_environment import DATA_FILE, LmdbSettings
from registry.stores.store import Head


def restore_backup(source: Path, target: Path, log_id: bytes, settings: LmdbSettings) -> Head:
    """Make ``target`` a store with the content of the backup ``source``; returns the head it goes on from.

    Raises ``FileExistsError`` when ``target`` holds anything, ``WrongFormat``, ``StoreFailed`` (damage), ``OSError``.
    """
    _refuse_occupied(target)
    read_manifest(source)
    with _building(target) as directory:
        directory.mkdir(mode=0o700)
        shutil.copyfile(source / DATA_FILE, directory / DATA_FILE)
        (directory / DATA_FILE).chmod(0o600)
        sync_file(directory / DATA_FILE)
        store = open_writer(directory, settings)
        try:
            store.fork(log_id)
            return store.head()
        finally:
            store.close()


def restore_export(
    lines: Iterable[bytes], target: Path, log_id: bytes, settings: LmdbSettings
) -> Head:
    """Make ``target`` a store with the content of an export. Raises as ``restore_backup``, and ``DamagedExport``."""
    _refuse_occupied(target)
    export = Export(lines)
    with _building(target) as directory:
        create_store(directory, log_id, settings)
        store = open_writer(directory, settings)
        try:
            return seed_from(export, store, log_id)
        finally:
            store.close()


def _refuse_occupied(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(
            f"{target} is not empty: restore into a new directory, or move it away"
        )


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """A place to build in that becomes ``target`` when the block ends well."""
    temporary = target.with_name(target.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        yield temporary
        sync_directory(temporary)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(target.parent)
