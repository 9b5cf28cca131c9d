"""What can be wrong with one stored record whose bytes are undamaged: rules that the registrar keeps."""

import hashlib
from collections.abc import Iterator

from protocols.errors import ProtocolError
from protocols.identifier import split
from protocols.record import NO_VALUES, Record
from protocols.values.value import PUBLIC_READ, TTL_ABSOLUTE
from protocols.values.value_list import decode_values, least_ttl_s
from registry.sealing import SealBroken, Sealer, content_digest, stamped
from registry.stores.keys import folded_suffix, store_key
from registry.stores.store import Authority


def record_faults(record: Record, authority: Authority, key: bytes) -> Iterator[str]:
    """``key`` is the store key under which the record was found."""
    prefix, suffix = split(record.spelling)
    if (
        prefix != authority.prefix
        or store_key(authority.id, folded_suffix(authority, suffix)) != key
    ):
        yield f"its spelling {record.spelling!r} does not fold to where it lies"
    if record.version < 1:
        yield "version 0"
    if record.is_deleted and (record.public != NO_VALUES or record.sealed):
        yield "deleted, but there are values"
    try:
        values = decode_values(record.public)
    except ProtocolError as error:
        yield f"public values: {error}"
        return
    indexes = [value.index for value in values]
    if indexes != sorted(set(indexes)) or 0 in indexes:
        yield f"public values: indexes {indexes} are not ascending from 1"
    if not all(value.permissions & PUBLIC_READ for value in values):
        yield "public values: one of them is not public"
    if record.least_ttl_s != least_ttl_s(values):
        yield f"least TTL {record.least_ttl_s} s, but its values have {least_ttl_s(values)} s"
    if record.has_absolute_ttl != any(value.ttl_type == TTL_ABSOLUTE for value in values):
        yield "the mark for absolute TTLs does not fit its values"


def content_fault(record: Record, content: bytes, sealer: Sealer | None) -> str:
    """Whether the record is what its feed entry promised; sealed values need the sealer, else nothing is said."""
    try:
        if not record.sealed:
            found = hashlib.sha256(stamped(record.public, 0)).digest()
        elif sealer is not None:
            found = content_digest(record.public, sealer.open(record), sealer, record.key)
        else:
            return ""
    except SealBroken as broken:
        return str(broken)
    return "" if found == content else "its content is not what its feed entry says"
