"""Runs: plain rows made into the bytes of records and feed entries, without a Record, Change or Write for each.

What comes out is byte for byte what ``Overlay.append`` and the store would make of the same rows one by one; here it
costs a third. Rows come in as they are read, and the run ends where they do.
"""

import hashlib
from collections.abc import Iterable

from protocols.record import ABSOLUTE_TTL, encode_fields
from registry.change import encode_fields as encode_entry
from registry.overlay import Act, Overlay
from registry.stores.store import Run

PlainRow = tuple[bytes, bytes, bytes, bytes, int, bool, str, int, tuple[int, bool] | None]
"""One record to be made, of public values only, none of which anything else depends on. A bare tuple, since one is made
for every row: folded identifier, spelling, value list without times (of which the content digest is made), value list
as it is stored, least TTL in seconds, whether any TTL is absolute, request id, version, and (version, present) of what
lies there now (None when nothing ever did)."""


def write_run(rows: Iterable[PlainRow], prefix: bytes, act: Act, overlay: Overlay) -> None:
    """Lay the rows' changes into the overlay. ``prefix`` is folded and all keys are below it, none touched before.

    ``rows`` may look at ``overlay.plain``, where each row's stored form is found as soon as it is made.
    """
    first_seq, first_previous = overlay.next_seq, overlay.previous
    seq, previous = first_seq - 1, first_previous
    time_ms, now_s = overlay.time_ms, overlay.time_ms // 1000
    name, actor, source = act.operation.value, act.actor, act.source
    entries: list[bytes] = []
    records: dict[bytes, bytes] = {}
    replaced: dict[bytes, tuple[int, bool]] = {}
    sha256, plain = hashlib.sha256, overlay.plain
    for key, spelling, undated, dated, ttl_s, is_absolute, request_id, version, old in rows:
        seq += 1
        content = sha256(undated).digest()
        entry = encode_entry(
            previous, seq, time_ms, name, key, version, content, actor, source, request_id
        )
        previous = sha256(entry).digest()
        entries.append(entry)
        plain[key] = records[key] = encode_fields(
            key, spelling, ABSOLUTE_TTL if is_absolute else 0, version, seq, now_s, ttl_s, dated
        )
        if old is not None:
            replaced[key] = old
    if entries:
        run = Run(prefix, first_seq, first_previous, previous, entries, records, replaced)
        overlay.add_run(run, seq)
