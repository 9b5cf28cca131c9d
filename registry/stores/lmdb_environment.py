"""Opens an LMDB environment by the rules that cost others their data, and checks that what lies there is ours.

* The map size is set once, large and sparse, the same in every process; nothing ever grows a live map.
* No WRITEMAP, no NOSYNC: a commit is two flushes, and after a crash the last committed meta page counts.
* One environment per process and directory, opened after fork (the binding refuses a second one).
* Dead readers' slots are freed when a process opens the store, and by ``check_readers`` every minute or so.
"""

import resource
from pathlib import Path
from typing import NamedTuple

import lmdb

from registry.errors import NeverFinished, StoreFailed, WrongFormat
from registry.stores.lmdb_layout import FORMAT, FORMAT_KEY, HEAD_KEY, TABLES, unseal

DATA_FILE = "data.mdb"
MAP_BYTES = 1 << 40
"""1 TiB of address space, not of disk: room for a billion records, far below the 128 TiB of a process."""
MAX_READERS = 1024
"""Read transactions at once over all processes: workers, command-line tools and backups, with room for dead ones."""
SPARE_TRANSACTIONS = 4
"""Read transactions kept for renewal: 0.3 µs instead of a scan of the reader table."""


class LmdbSettings(NamedTuple):
    """How a store is opened; the same in every process of a node."""

    map_bytes: int = MAP_BYTES
    max_readers: int = MAX_READERS
    readahead: bool = True
    """False once the store is larger than memory: random reads then fetch single pages."""


class Environment(NamedTuple):
    """An open environment with its tables."""

    env: lmdb.Environment
    directory: Path
    meta: lmdb._Database
    auth: lmdb._Database
    rec: lmdb._Database
    log: lmdb._Database
    cnt: lmdb._Database
    idem: lmdb._Database
    note: lmdb._Database


def open_environment(
    directory: Path, settings: LmdbSettings, *, is_writer: bool, create: bool = False
) -> Environment:
    """``create`` makes the tables as needed. Raises ``WrongFormat``, ``StoreFailed``, ``FileNotFoundError``."""
    if not create and not (directory / DATA_FILE).exists():
        raise FileNotFoundError(f"{directory} holds no store: there is no {DATA_FILE}")
    try:
        env = lmdb.open(
            str(directory),
            map_size=map_bytes(settings.map_bytes),
            readonly=not is_writer,
            create=create,
            mode=0o600,
            readahead=settings.readahead,
            max_readers=settings.max_readers,
            max_dbs=len(TABLES) + 1,
            max_spare_txns=SPARE_TRANSACTIONS,
        )
    except (lmdb.InvalidError, lmdb.VersionMismatchError) as error:
        raise WrongFormat(
            f"{directory / DATA_FILE} is not an LMDB file of this version: {error}"
        ) from None
    except lmdb.Error as error:
        raise StoreFailed(f"cannot open {directory}: {error}") from error
    try:
        env.reader_check()
        return _open_tables(env, directory, create=create)
    except lmdb.Error as error:
        env.close()
        raise StoreFailed(f"{directory / DATA_FILE} is damaged: {error}; restore it") from error
    except BaseException:
        env.close()
        raise


def map_bytes(wanted: int) -> int:
    """The map size to use: as wanted, or half of the process's address-space limit when that is lower."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit // 2 >= wanted:
        return wanted
    return limit // 2 & ~0xFFFFF


def _open_tables(env: lmdb.Environment, directory: Path, *, create: bool) -> Environment:
    # Without a transaction of our own: handles opened in a read-only one end with it.
    try:
        tables = [env.open_db(name.encode(), create=create) for name in TABLES]
    except lmdb.NotFoundError:
        if _is_ours_so_far(env):
            raise _never_finished(directory) from None
        raise WrongFormat(
            f"{directory} holds an LMDB file, but not a store of this program"
        ) from None
    except lmdb.Error as error:
        raise StoreFailed(f"cannot open the tables of {directory}: {error}") from error
    if not create:
        with env.begin(tables[0]) as txn:
            _check_format(txn, directory)
    return Environment(env, directory, *tables)


def _is_ours_so_far(env: lmdb.Environment) -> bool:
    """Whether the file holds nothing but tables of ours, as the first moments of ``create_store`` leave it."""
    with env.begin() as txn, txn.cursor() as cursor:
        return all(
            bytes(name).decode(errors="replace") in TABLES for name in cursor.iternext(values=False)
        )


def _never_finished(directory: Path) -> NeverFinished:
    return NeverFinished(f"{directory} was never finished: make it again")


def _check_format(txn: "lmdb.Transaction[bytes]", directory: Path) -> None:
    row = txn.get(FORMAT_KEY)
    if row is None or txn.get(HEAD_KEY) is None:
        raise _never_finished(directory)
    number = int.from_bytes(unseal(FORMAT_KEY, row))
    if number != FORMAT:
        raise WrongFormat(
            f"{directory} has store format {number}, this program reads format {FORMAT}"
        )
