"""Batches of registrations: the same rows for both sides, and only registered ones counted."""

import json

from bench.compare.writes import ROWS, batches, count_registered
from protocols.values.value_list import decode_values


def test_both_sides_get_the_same_rows():
    batch = next(batches())
    lines = [json.loads(line) for line in batch.lines.splitlines()]
    assert len(lines) == len(batch.rows) == ROWS
    for line, row in zip(lines, batch.rows, strict=True):
        assert line["handle"].encode() == row.handle
        told = [(one["index"], one["type"], one["data"].encode()) for one in line["values"]]
        assert told == [(one.index, one.type, one.data) for one in decode_values(row.public)]


def test_no_row_comes_twice():
    made = batches()
    handles = [row.handle for _ in range(3) for row in next(made).rows]
    assert len(set(handles)) == 3 * ROWS


def test_only_receipts_of_registered_rows_count():
    receipts = [
        {"line": 1, "status": "registered"},
        {"line": 2, "status": "rejected"},
        {"line": 3, "status": "unchanged"},
        {"summary": True, "rows": 3, "registered": 1},
    ]
    assert count_registered("\n".join(map(json.dumps, receipts)).encode()) == 1
