"""Record: everything that is stored about one identifier, and its stored form.

The stored form is one byte string, the public values last and exactly as they go on the wire, so that a public answer
is concatenation and cannot contain a secret::

    u8  format (1)
    u8  flags: 1 SPELLING  2 SEALED  4 DELETED  8 ABSOLUTE_TTL
    u32 version        1, 2, 3 … ; goes on after a deletion, so an old ETag never matches again
    u64 seq            number of the change that made this version
    u32 modified_s     seconds since 1970
    u32 least_ttl_s    least relative TTL of the public values; 0xFFFFFFFF = none
    u32 checksum       CRC-32 of the key, the fields above and everything below
    SPELLING: u16 length + the identifier as first registered (only when it differs from the folded one)
    SEALED:   u32 length + the non-public values, encrypted (registry/sealing.py)
    rest:     public value list: i4 count + values sorted by index
"""

import struct
import zlib
from typing import NamedTuple

from protocols.errors import Malformed, Unsupported

FORMAT = 1
SPELLING, SEALED, DELETED, ABSOLUTE_TTL = 1, 2, 4, 8
HEAD = struct.Struct(">BBIQII")
"""format, flags, version, seq, modified_s, least_ttl_s."""
_CHECKSUM_BYTES = 4
BODY_OFFSET = HEAD.size + _CHECKSUM_BYTES
"""Where a record begins to differ: SPELLING and SEALED parts, or at once the public values."""
PARTS = SPELLING | SEALED
"""Flags of parts before the public values."""
"""Where the parts begin; use ``public_offset`` to find the values."""

NO_VALUES = b"\0\0\0\0"


class Record(NamedTuple):
    """One stored record. ``public`` is a whole value list in wire form; ``sealed`` is opaque here."""

    key: bytes
    """Folded identifier as text, ``PREFIX/SUFFIX``."""
    spelling: bytes
    """As first registered."""
    version: int
    seq: int
    modified_s: int
    least_ttl_s: int
    public: bytes = NO_VALUES
    sealed: bytes = b""
    is_deleted: bool = False
    has_absolute_ttl: bool = False


def encode_record(record: Record) -> bytes:
    """The stored form, as laid out above."""
    key, spelling, version, seq, modified_s, least_ttl_s, body, sealed, is_deleted, is_absolute = (
        record
    )
    flags = (is_deleted and DELETED) | (is_absolute and ABSOLUTE_TTL)
    if sealed:
        flags |= SEALED
        body = len(sealed).to_bytes(4) + sealed + body
    return encode_fields(key, spelling, flags, version, seq, modified_s, least_ttl_s, body)


def encode_fields(  # noqa: PLR0913  # the fields of a stored form, in order
    key: bytes,
    spelling: bytes,
    flags: int,
    version: int,
    seq: int,
    modified_s: int,
    least_ttl_s: int,
    body: bytes,
) -> bytes:
    """``encode_record`` for who has no ``Record``: ``body`` is what follows the spelling, ``flags`` say what it is."""
    if spelling != key:
        flags |= SPELLING
        body = len(spelling).to_bytes(2) + spelling + body
    head = HEAD.pack(FORMAT, flags, version, seq, modified_s, least_ttl_s)
    checksum = zlib.crc32(key + head + body)
    return head + checksum.to_bytes(_CHECKSUM_BYTES) + body


def decode_record(key: bytes, stored: bytes) -> Record:
    """The inverse of ``encode_record``. Raises ``Malformed`` on damage, ``Unsupported`` on a newer format."""
    if len(stored) < BODY_OFFSET:
        raise Malformed("stored record: shorter than its head", 0)
    format_, flags, version, seq, modified_s, least_ttl_s = HEAD.unpack_from(stored)
    if format_ != FORMAT:
        raise Unsupported(f"stored record: format {format_}, this node reads {FORMAT}", 0)
    checksum = _checksum(key, stored[: HEAD.size], stored[BODY_OFFSET:])
    if checksum != stored[HEAD.size : BODY_OFFSET]:
        raise Malformed("stored record: damaged, the checksum does not match", HEAD.size)
    offset, spelling, sealed = BODY_OFFSET, key, b""
    if flags & SPELLING:
        spelling, offset = _read_part(stored, offset, 2)
    if flags & SEALED:
        sealed, offset = _read_part(stored, offset, 4)
    public = bytes(stored[offset:])
    if len(public) < 4:
        raise Malformed("stored record: no public value list", offset)
    return Record(
        key, spelling, version, seq, modified_s, least_ttl_s, public, sealed,
        bool(flags & DELETED), bool(flags & ABSOLUTE_TTL),
    )  # fmt: skip


def public_offset(stored: bytes) -> int:
    """Where the public value list begins; for the hot path, no checks (the store verified the record on write)."""
    flags = stored[1]
    if not flags & PARTS:
        return BODY_OFFSET
    offset = BODY_OFFSET
    if flags & SPELLING:
        offset += 2 + int.from_bytes(stored[offset : offset + 2])
    if flags & SEALED:
        offset += 4 + int.from_bytes(stored[offset : offset + 4])
    return offset


def _checksum(key: bytes, head: bytes, body: bytes) -> bytes:
    return zlib.crc32(key + head + body).to_bytes(_CHECKSUM_BYTES)


def _read_part(stored: bytes, offset: int, width: int) -> tuple[bytes, int]:
    start = offset + width
    end = start + int.from_bytes(stored[offset:start])
    if end > len(stored):
        raise Malformed("stored record: a part runs past the end", offset)
    return bytes(stored[start:end]), end
