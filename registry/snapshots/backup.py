"""Hot backup: a compacted copy of an LMDB store beside its running writer, with a manifest that says what it is.

A backup is a directory with ``data.mdb`` (a store as it lies on disk) and ``manifest.json``. It is made under
``DIR.tmp``, flushed, and renamed, so that a directory with the wanted name is always a whole backup. Non-public values
stay sealed; the node key is not part of it.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

from registry.durable_files import sync_directory, sync_file
from registry.errors import StoreFailed, WrongFormat
from registry.stores.lmdb import open_reader
from registry.stores.lmdb_environment import DATA_FILE, LmdbSettings
from registry.stores.lmdb_layout import FORMAT
from registry.stores.lmdb_reader import LmdbReader

MANIFEST_FILE = "manifest.json"
KIND = "biaojie-backup"
_READ_BYTES = 1 << 20


class Manifest(NamedTuple):
    """What a backup holds; the fields of ``manifest.json``."""

    kind: str
    store_format: int
    log_id: str
    """Hex, as the digests."""
    seq: int
    digest: str
    """Of the newest feed entry."""
    data_bytes: int
    data_sha256: str


def backup(reader: LmdbReader, target: Path, settings: LmdbSettings) -> Manifest:
    """Write a backup to ``target``, which must not exist. Raises ``FileExistsError``, ``StoreFailed``, ``OSError``."""
    if target.exists():
        raise FileExistsError(f"{target} exists: give the backup a new name")
    temporary = target.with_name(target.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        manifest = _write(reader, temporary, settings)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(target.parent)
    return manifest


@contextmanager
def hot_copy(reader: LmdbReader, scratch: Path, settings: LmdbSettings) -> Iterator[LmdbReader]:
    """A reader over a copy that nobody writes to: for exports and checks of a store in use.

    ``scratch`` must not exist, needs as much room as the store uses, and is removed afterwards.
    """
    scratch.mkdir(mode=0o700)
    try:
        reader.copy_to(scratch)
        with open_reader(scratch, settings) as copy:
            yield copy
    finally:
        shutil.rmtree(scratch)


def read_manifest(directory: Path) -> Manifest:
    """The manifest, once the data file matches it. Raises ``WrongFormat``, and ``StoreFailed`` on damage."""
    try:
        found = orjson.loads((directory / MANIFEST_FILE).read_bytes())
        manifest = Manifest(**found)
    except FileNotFoundError:
        raise WrongFormat(f"{directory} is not a backup: it has no {MANIFEST_FILE}") from None
    except (orjson.JSONDecodeError, TypeError):
        raise WrongFormat(f"{directory / MANIFEST_FILE} is not the manifest of a backup") from None
    if manifest.kind != KIND or manifest.store_format != FORMAT:
        raise WrongFormat(
            f"{directory} is a {manifest.kind} of format {manifest.store_format}, this program reads {KIND} of "
            f"format {FORMAT}"
        )
    data = directory / DATA_FILE
    if data.stat().st_size != manifest.data_bytes or _sha256(data) != manifest.data_sha256:
        raise StoreFailed(f"{data} is damaged: size or SHA-256 differ from the manifest")
    return manifest


def _write(reader: LmdbReader, directory: Path, settings: LmdbSettings) -> Manifest:
    directory.mkdir(mode=0o700)
    reader.copy_to(directory)
    data = directory / DATA_FILE
    data.chmod(0o600)
    with open_reader(directory, settings) as copy:
        head = copy.head()
    (directory / "lock.mdb").unlink()
    manifest = Manifest(
        KIND, FORMAT, head.log_id.hex(), head.seq, head.digest.hex(), data.stat().st_size, _sha256(data)
    )  # fmt: skip
    path = directory / MANIFEST_FILE
    path.touch(mode=0o600)
    path.write_bytes(orjson.dumps(manifest._asdict(), option=orjson.OPT_INDENT_2) + b"\n")
    for written in (data, path):
        sync_file(written)
    sync_directory(directory)
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
        return digest.hexdigest()
