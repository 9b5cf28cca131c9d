"""Writes a whole store as text: an export that anybody can read, and that another store can be filled from.

The walk takes pages in short snapshots, so that it never stops a store from reusing pages, and insists that the head is
the same on every page. A store that is being written is therefore exported from a hot copy (hot_copy.py).
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from protocols.identifier import PREFIX_AUTHORITY
from protocols.record import Record
from registry.durable_files import writing
from registry.errors import StoreMoved
from registry.snapshots.export_format import (
    Trailer,
    decode_line,
    decode_trailer,
    encode_authority,
    encode_header,
    encode_record,
    encode_trailer,
)
from registry.stores.store import Authority, Head, Reader

PAGE = 1000
"""Records per snapshot: a few milliseconds."""


def write_export(
    reader: Reader, path: Path, progress: Callable[[int], None] = lambda _: None
) -> Trailer:
    """Export to a file of mode 0600 that appears whole; ``progress`` hears the number of lines, page by page.

    Raises ``StoreMoved``, ``StoreFailed``, ``OSError``.
    """
    number, line = 0, b""
    with writing(path) as file:
        for number, line in enumerate(export_lines(reader), 1):
            file.write(line)
            if number % PAGE == 0:
                progress(number)
    return decode_trailer(decode_line(number, line), line)


def export_lines(reader: Reader) -> Iterator[bytes]:
    """The lines of an export. Raises ``StoreMoved`` when the store is written to meanwhile, ``StoreFailed``."""
    reader.refresh()
    head = reader.head()
    digest = hashlib.sha256()
    prefixes = [PREFIX_AUTHORITY]
    records = deleted = 0
    line = encode_header(head)
    digest.update(line)
    yield line
    for authority in _authorities(reader, head):
        prefixes.append(authority.prefix)
        line = encode_authority(authority)
        digest.update(line)
        yield line
    for prefix in prefixes:
        for record in _records(reader, head, prefix):
            line = encode_record(record)
            digest.update(line)
            yield line
            records += 1
            deleted += record.is_deleted
    yield encode_trailer(Trailer(len(prefixes) - 1, records, deleted, digest.hexdigest()))


def _authorities(reader: Reader, head: Head) -> Iterator[Authority]:
    after = b""
    while page := reader.authorities(after, PAGE):
        yield from page
        after = page[-1].prefix
        _turn_page(reader, head)


def _records(reader: Reader, head: Head, prefix: bytes) -> Iterator[Record]:
    after = b""
    while page := reader.list_records(prefix, after, PAGE, with_deleted=True):
        yield from page
        after = page[-1].key[len(prefix) + 1 :]
        _turn_page(reader, head)


def _turn_page(reader: Reader, head: Head) -> None:
    reader.refresh()
    now = reader.head()
    if now != head:
        raise StoreMoved(f"change {now.seq} came while the store was walked at change {head.seq}")
