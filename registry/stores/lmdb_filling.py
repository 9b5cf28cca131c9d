"""Filling: new rows in order of their keys, put so that pages end up full.

LMDB splits a full page behind its last entry when the new one goes there, and in the middle otherwise. Rows that belong
in front of something (a prefix hosted earlier than the one behind it, say) would all meet a page that ends in that
something, and leave it, and every page after it, half empty: twice the disk and twice the memory for ever. So what
lies behind the place where they go, as much as one page may hold of it, is taken out first and put back last.
"""

import lmdb

Row = tuple[bytes, bytes]

PAGE_BYTES = 4096
LEAST_ROWS = 64
"""Fewer rows fill few pages, and taking out and putting back costs as much as twenty of them."""
FIRST_ROWS = 16
"""Put before anything is taken out: LMDB fills a page that is less than a quarter full from the next one at once."""
ROWS_AT_ONCE = 128
"""Then it is looked whether pages fill; for the same reason more may have to be taken out."""
MAX_TAKEN = 4
"""Pages' worth taken out at most."""
_MOST_PAGES = 1.4  # for what one page could hold
_ENTRY_BYTES = 10  # LMDB's own, beside key and value


def put_new(txn: "lmdb.Transaction[bytes]", table: lmdb._Database, rows: list[Row]) -> bool:
    """Put rows, sorted by key, that must all be new; False when one was there already (then nothing may be kept)."""
    with txn.cursor(table) as cursor:
        if len(rows) < LEAST_ROWS or not _is_between_neighbours(cursor, rows):
            return _put(cursor, rows)
        last = rows[-1][0]
        are_new = _put(cursor, rows[:FIRST_ROWS])
        taken, times = _take_out(cursor, last), 1
        for at in range(FIRST_ROWS, len(rows), ROWS_AT_ONCE):
            some = rows[at : at + ROWS_AT_ONCE]
            pages = txn.stat(table)["leaf_pages"]
            are_new = _put(cursor, some) and are_new
            room = sum(len(key) + len(value) + _ENTRY_BYTES for key, value in some) / PAGE_BYTES
            if txn.stat(table)["leaf_pages"] - pages > _MOST_PAGES * room + 1 and times < MAX_TAKEN:
                taken += _take_out(cursor, last)
                times += 1
        cursor.putmulti(taken)
    return are_new


def _put(cursor: "lmdb.Cursor[bytes]", rows: list[Row]) -> bool:
    consumed, added = cursor.putmulti(rows, overwrite=False)
    return bool(consumed == added)


def _is_between_neighbours(cursor: "lmdb.Cursor[bytes]", rows: list[Row]) -> bool:
    """Whether something lies behind the rows and nothing among them."""
    if not cursor.set_range(rows[-1][0]):
        return False
    behind = bytes(cursor.key())
    return cursor.set_range(rows[0][0]) and bytes(cursor.key()) == behind


def _take_out(cursor: "lmdb.Cursor[bytes]", last: bytes) -> list[Row]:
    """As much as may share a page with ``last``, from behind it; called again, what is behind that."""
    taken: list[Row] = []
    size = 0
    there = cursor.set_range(last + b"\0")
    while there and size < PAGE_BYTES:
        key, value = bytes(cursor.key()), bytes(cursor.value())
        taken.append((key, value))
        size += len(key) + len(value) + _ENTRY_BYTES
        cursor.delete()
        there = cursor.set_range(key)
    return taken
