"""What the LMDB engine keeps in its tables, byte by byte; README.md beside this file tells the whole in prose.

========= ======================================= ==================================================================
table     key                                     value
========= ======================================= ==================================================================
``meta``  ``format``                              u32 format number · check
``meta``  ``head``                                the head, below · check
``meta``  ``flip count``                          u64 how often the state of an authority changed · check
``meta``  ``flip`` · u8 number mod 256            u64 number · u32 authority id: the newest of them · check
``auth``  u32 authority id                        u32 created_s · u8 flags (1 case-sensitive, 2 delegated, 4 unhosted,
                                                  8 private) · u8 length + folded prefix · spelling · check
``rec``   store key (keys.py)                     stored form (protocols/record.py; has its own checksum)
``log``   u64 seq                                 feed entry (registry/change.py; checked by the chain of digests)
``cnt``   u32 authority id                        u64 number of present records · check
``idem``  ``k`` · 16-byte request key             16-byte content · u64 seq · check
``idem``  ``s`` · u64 seq · 16-byte request key   empty; finds the marks of a dropped entry
``note``  name                                    value · check
========= ======================================= ==================================================================

``check`` is the CRC-32 of key and value (u32). All integers are big-endian. The head::

    16 bytes log_id · 16 bytes origin · u64 seq · 32 bytes digest · u64 oldest_available · u32 authorities · u32 epoch
"""

import struct
import zlib
from typing import NamedTuple

from registry.errors import StoreFailed
from registry.stores.store import Authority, Head, RequestMark

FORMAT = 1
TABLES = ("meta", "auth", "rec", "log", "cnt", "idem", "note")
FORMAT_KEY, HEAD_KEY, FLIPS_KEY = b"format", b"head", b"flip count"
FLIPS_KEPT = 256
"""Readers that are further behind look at all authorities again."""

CASE_SENSITIVE, DELEGATED, UNHOSTED, PRIVATE = 1, 2, 4, 8

_HEAD = struct.Struct(">16s16sQ32sQII")
_AUTHORITY = struct.Struct(">IBB")
_MARK = struct.Struct(">16sQ")
_FLIP = struct.Struct(">QI")


class StoredHead(NamedTuple):
    """One row that every commit replaces; a writer that does not find the one it left has been replaced."""

    log_id: bytes
    origin: bytes
    """log_id under which entry 1 was chained; differs from ``log_id`` after a restore."""
    seq: int
    digest: bytes
    oldest_available: int
    authority_count: int
    """Without 0.NA; also the newest authority's id, since authorities are never taken away."""
    epoch: int
    """How many writers have opened this store."""

    @property
    def head(self) -> Head:
        """What every engine tells."""
        return Head(self.log_id, self.seq, self.digest, self.oldest_available)


def seal(key: bytes, value: bytes) -> bytes:
    """The value with its check."""
    return value + zlib.crc32(value, zlib.crc32(key)).to_bytes(4)


def unseal(key: bytes, sealed: bytes) -> bytes:
    """The value without its check. Raises ``StoreFailed`` when they do not match."""
    value = sealed[:-4]
    if zlib.crc32(value, zlib.crc32(key)).to_bytes(4) != sealed[-4:]:
        raise StoreFailed(
            f"damaged row {key!r}: the check does not match; run verify, then restore"
        )
    return value


def encode_head(head: StoredHead) -> bytes:
    """The row under ``HEAD_KEY``."""
    return seal(HEAD_KEY, _HEAD.pack(*head))


def decode_head(row: bytes) -> StoredHead:
    """Raises ``StoreFailed`` on damage, as every ``decode_`` here."""
    return StoredHead(*_HEAD.unpack(unseal(HEAD_KEY, row)))


def encode_authority(authority: Authority) -> bytes:
    """Of a prefix of at most 255 bytes (``protocols.identifier.MAX_PREFIX_BYTES``)."""
    flags = (
        (authority.is_case_sensitive and CASE_SENSITIVE)
        | (authority.is_delegated and DELEGATED)
        | (authority.is_unhosted and UNHOSTED)
        | (authority.is_private and PRIVATE)
    )
    fixed = _AUTHORITY.pack(authority.created_s, flags, len(authority.prefix))
    return seal(authority.id.to_bytes(4), fixed + authority.prefix + authority.spelling)


def decode_authority(key: bytes, row: bytes) -> Authority:
    """The inverse of ``encode_authority``."""
    value = unseal(key, row)
    created_s, flags, size = _AUTHORITY.unpack_from(value)
    texts = value[_AUTHORITY.size :]
    return Authority(
        int.from_bytes(key), texts[:size], texts[size:],
        bool(flags & CASE_SENSITIVE), created_s,
        bool(flags & DELEGATED), bool(flags & UNHOSTED), bool(flags & PRIVATE),
    )  # fmt: skip


def encode_flips(flips: int) -> bytes:
    """The row under ``FLIPS_KEY``."""
    return seal(FLIPS_KEY, flips.to_bytes(8))


def decode_flips(row: bytes | None) -> int:
    """The inverse of ``encode_flips``; 0 where the row has never been written."""
    return 0 if row is None else int.from_bytes(unseal(FLIPS_KEY, row))


def flip_key(number: int) -> bytes:
    """Where flip ``number`` is found until ``FLIPS_KEPT`` more have come."""
    return b"flip" + bytes([number % FLIPS_KEPT])


def encode_flip(number: int, authority_id: int) -> bytes:
    """The row under ``flip_key(number)``."""
    return seal(flip_key(number), _FLIP.pack(number, authority_id))


def decode_flip(number: int, row: bytes | None) -> bytes:
    """Key of the authority that flip ``number`` was about. Raises ``StoreFailed`` when the row is not that flip's."""
    found, authority_id = _FLIP.unpack(unseal(flip_key(number), row or b""))
    if found != number:
        raise StoreFailed(f"damaged row {flip_key(number)!r}: flip {found}, not {number}")
    return int(authority_id).to_bytes(4)


def encode_count(key: bytes, present: int) -> bytes:
    """The row under the authority's id."""
    return seal(key, present.to_bytes(8))


def decode_count(key: bytes, row: bytes) -> int:
    """The inverse of ``encode_count``."""
    return int.from_bytes(unseal(key, row))


def mark_key(request_key: bytes) -> bytes:
    """Key of a mark's row."""
    return b"k" + request_key


def mark_place(seq: int, request_key: bytes) -> bytes:
    """Key of the row that finds a mark by its change."""
    return b"s" + seq.to_bytes(8) + request_key


def encode_mark(mark: RequestMark) -> bytes:
    """The row under ``mark_key(mark.key)``."""
    return seal(mark_key(mark.key), _MARK.pack(mark.content, mark.seq))


def decode_mark(key: bytes, row: bytes) -> RequestMark:
    """The inverse of ``encode_mark``."""
    content, seq = _MARK.unpack(unseal(key, row))
    return RequestMark(key[1:], content, seq)
