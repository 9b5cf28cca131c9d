"""Settings of the stores that tests make."""

from registry.stores.lmdb_environment import LmdbSettings

SMALL = LmdbSettings(map_bytes=1 << 28, max_readers=64)
