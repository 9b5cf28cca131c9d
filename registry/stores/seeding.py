"""Snapshot records -> stored rows, checked: what every engine's ``seed`` puts into its tables, in key order."""

from collections.abc import Iterable, Iterator, Mapping

from protocols.identifier import split
from protocols.record import Record
from registry.errors import Conflict
from registry.stores.keys import encode_at, folded_suffix, store_key
from registry.stores.store import ROOT, Authority


def number_authorities(authorities: Iterable[Authority]) -> dict[bytes, Authority]:
    """0.NA and the snapshot's authorities by folded prefix, numbered; ``Conflict`` when they are out of order."""
    numbered = {ROOT.prefix: ROOT}
    before = b""
    for authority in authorities:
        if authority.prefix <= before or authority.prefix in numbered:
            raise Conflict(f"prefix {authority.prefix!r}: out of order, or there twice")
        before = authority.prefix
        numbered[before] = authority._replace(id=len(numbered))
    return numbered


def seed_rows(
    records: Iterable[Record], authorities: Mapping[bytes, Authority], last_seq: int
) -> Iterator[tuple[bytes, bytes]]:
    """(store key, stored form) of each record, ascending; ``authorities`` by folded prefix, numbered in that order.

    Raises ``Conflict`` when a record is out of order, not below a known prefix, or newer than the snapshot.
    """
    before = b""
    for record in records:
        prefix, suffix = split(record.spelling)
        authority = authorities.get(prefix)
        name = record.spelling.decode(errors="backslashreplace")
        if authority is None:
            raise Conflict(f"{name}: its prefix is not hosted in this snapshot")
        suffix = folded_suffix(authority, suffix)
        if record.key != prefix + b"/" + suffix:
            raise Conflict(f"{name}: its spelling does not fold to its key {record.key!r}")
        if not 1 <= record.seq <= last_seq:
            raise Conflict(f"{name}: change {record.seq} is not within the snapshot's {last_seq}")
        key = store_key(authority.id, suffix)
        if key <= before:
            raise Conflict(f"{name}: out of order, or there twice")
        before = key
        yield key, encode_at(key, record)
