"""Raw rows of an LMDB store, page by page, for verification: nothing is decoded, so nothing damaged is passed over."""

import lmdb

from registry.errors import StoreFailed
from registry.stores.lmdb_environment import Environment


class LmdbRows:
    """One snapshot from ``turn`` to ``turn``. Raises ``StoreFailed`` when pages of the file are damaged."""

    def __init__(self, tables: Environment) -> None:
        self._tables = tables
        self._txn = tables.env.begin()

    def turn(self) -> None:
        """See the newest commit and let go of the pages seen so far."""
        self._txn.abort()
        self._txn = self._tables.env.begin()

    def page(self, table: str, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """At most ``limit`` rows behind key ``after``."""
        found: list[tuple[bytes, bytes]] = []
        try:
            with self._txn.cursor(self._table(table)) as cursor:
                there = cursor.set_range(after) if after else cursor.first()
                if there and cursor.key() == after:
                    there = cursor.next()
                while there and len(found) < limit:
                    found.append(cursor.item())
                    there = cursor.next()
        except lmdb.Error as error:
            raise StoreFailed(f"table {table} behind {after!r}: {error}") from error
        return found

    def row(self, table: str, key: bytes) -> bytes | None:
        """One row's value."""
        try:
            return self._txn.get(key, db=self._table(table))
        except lmdb.Error as error:
            raise StoreFailed(f"table {table} at {key!r}: {error}") from error

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return self._txn.stat(self._table(table))["entries"]

    def close(self) -> None:
        """Give the snapshot up."""
        self._txn.abort()

    def _table(self, name: str) -> lmdb._Database:
        table: lmdb._Database = getattr(self._tables, name)
        return table
