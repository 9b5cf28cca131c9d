"""The node's store as its settings describe it: made on first use, opened as writer by the registrar only."""

import os

from node.config_sections import Config
from registry.errors import NeverFinished
from registry.stores.lmdb import LmdbStore, create_store, open_reader, open_writer
from registry.stores.lmdb_environment import DATA_FILE, LmdbSettings
from registry.stores.lmdb_reader import LmdbReader

_GIB = 1 << 30


def store_settings(config: Config) -> LmdbSettings:
    """The same for every process of the node; LMDB asks for that."""
    return LmdbSettings(config.store.map_size_gib * _GIB, config.store.max_readers)


def has_store(config: Config) -> bool:
    """Whether there is one to open; the registrar makes it at a node's first start."""
    return (config.node.data_dir / DATA_FILE).exists()


def open_store(config: Config) -> LmdbStore:
    """As its writer; an empty store is made where there is none. Raises ``StoreError``, ``OSError``."""
    directory = config.node.data_dir
    try:
        return open_writer(directory, store_settings(config))
    except (FileNotFoundError, NeverFinished):
        create_store(directory, os.urandom(16), store_settings(config))
        return open_writer(directory, store_settings(config))


def open_view(config: Config) -> LmdbReader:
    """For reading beside the writer. Raises ``StoreError``, ``FileNotFoundError``."""
    return open_reader(config.node.data_dir, store_settings(config))
