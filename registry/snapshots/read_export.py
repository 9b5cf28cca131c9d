"""Reads an export, checking everything, into what ``Store.seed`` takes.

The records come one by one, and the last line, with its counts and its hash of all before it, is checked behind them;
since a store is seeded in one transaction, a damaged file changes nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from protocols.record import Record
from registry.errors import DamagedExport
from registry.snapshots.export_format import (
    MAX_LINE_BYTES,
    Trailer,
    decode_authority,
    decode_header,
    decode_line,
    decode_record,
    decode_trailer,
)
from registry.stores.keys import store_key
from registry.stores.store import ROOT, Authority, Head, Store, forked


class Export:
    """An export being read: head and authorities are there at once, ``records`` once, and then the ``trailer``.

    Raises ``WrongFormat`` for a file that is no export, ``DamagedExport`` with line and field.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._line = b""
        self._number = 0
        self._hash = hashlib.sha256()
        self._by_prefix = {ROOT.prefix: ROOT}
        self.trailer: Trailer | None = None
        self.head: Head = decode_header(1, self._next())
        self.authorities: list[Authority] = []
        self._read_authorities()

    def records(self) -> Iterator[Record]:
        """The records, in the store's order; ends only behind a good last line."""
        records = deleted = 0
        before = b""
        while not self._is_last():
            fields = decode_line(self._number, self._line)
            record = decode_record(fields, self._line, self._by_prefix)
            if record.seq > self.head.seq:
                raise fields.wrong("seq", f"{record.seq} is behind the head's {self.head.seq}")
            prefix, _, suffix = record.key.partition(b"/")
            key = store_key(self._by_prefix[prefix].id, suffix)
            if key <= before:
                raise fields.wrong("handle", "out of order, or there twice")
            before = key
            records += 1
            deleted += record.is_deleted
            yield record
            self._next()
        fields = decode_line(self._number, self._line)
        trailer = decode_trailer(fields, self._line)
        counts = {"authorities": len(self.authorities), "records": records, "deleted": deleted}
        for name, counted in counts.items():
            if fields.found[name] != counted:
                raise fields.wrong(name, f"{fields.found[name]}, but {counted} were read")
        if trailer.sha256 != self._hash.hexdigest():
            raise fields.wrong("sha256", "does not match the lines before")
        if next(self._lines, b""):
            raise DamagedExport(self._number + 1, "", "nothing may follow the last line")
        self.trailer = trailer

    def _read_authorities(self) -> None:
        self._next()
        before = b""
        while self._line.startswith(b'{"authority":'):
            fields = decode_line(self._number, self._line)
            authority = decode_authority(fields, self._line)
            if authority.prefix <= before or authority.prefix in self._by_prefix:
                raise fields.wrong("authority", "out of order, or there twice")
            before = authority.prefix
            self.authorities.append(authority)
            self._by_prefix[before] = authority._replace(id=len(self.authorities))
            self._next()

    def _is_last(self) -> bool:
        return self._line.startswith(b'{"authorities":')

    def _next(self) -> bytes:
        """The next line; the one before it joins the hash."""
        self._hash.update(self._line)
        self._number += 1
        line = next(self._lines, None)
        if line is None:
            raise DamagedExport(self._number, "", "the file ends before its last line")
        self._line = line
        return line


def seed_from(export: Export, store: Store, log_id: bytes | None = None) -> Head:
    """Fill an empty store. With ``log_id`` the feed forks there (a restore), else it is the source's own (a mirror).

    Raises ``DamagedExport`` or ``Conflict``, and changes nothing then.
    """
    head = forked(export.head, log_id) if log_id else export.head
    store.seed(head, export.authorities, export.records())
    return head


def file_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an open export; a line beyond every limit comes cut, and is refused by its length."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line
