"""Where a record lies: the key under which every engine keeps it, and its stored form there.

A store key is the authority's number and the folded suffix::

    u32 authority id · suffix                                   up to 440 bytes of suffix
    u32 authority id · first 440 bytes · SHA-256 of the suffix  longer ones (LMDB keys end at 511 bytes)

The two shapes cannot meet, since the second is always 476 bytes long. Under a long key the stored form carries the
spelling even when it equals the folded text, because the key alone no longer tells it. Records of one authority lie
together in byte order of the suffix; long ones that share their first 440 bytes, in order of their digests.
"""

import hashlib

from protocols.identifier import fold_suffix, split
from protocols.record import Record, decode_record, encode_record
from registry.stores.store import Authority

LONGEST_PLAIN_SUFFIX_BYTES = 440
"""Leaves room for the digest below LMDB's key limit; real identifiers are far shorter."""
LONG_KEY_BYTES = 4 + LONGEST_PLAIN_SUFFIX_BYTES + 32


def suffix_key(folded_suffix: bytes) -> bytes:
    """The part of the store key behind the authority id."""
    if len(folded_suffix) <= LONGEST_PLAIN_SUFFIX_BYTES:
        return folded_suffix
    return folded_suffix[:LONGEST_PLAIN_SUFFIX_BYTES] + hashlib.sha256(folded_suffix).digest()


def store_key(authority_id: int, folded_suffix: bytes) -> bytes:
    """At most ``LONG_KEY_BYTES`` bytes."""
    return authority_id.to_bytes(4) + suffix_key(folded_suffix)


def folds(authority: Authority) -> bool:
    """Whether suffixes below this authority are folded; everything below ``0.`` is (protocols/identifier.py)."""
    return not authority.is_case_sensitive or authority.prefix.startswith(b"0.")


def folded_suffix(authority: Authority, suffix: bytes) -> bytes:
    """The kept spelling of a suffix below ``authority``."""
    return fold_suffix(authority.prefix, suffix, authority.is_case_sensitive)


def encode_at(key: bytes, record: Record) -> bytes:
    """The stored form of ``record`` under its store key."""
    return encode_record(record._replace(key=b"") if len(key) == LONG_KEY_BYTES else record)


def decode_at(key: bytes, authority: Authority, stored: bytes) -> Record:
    """The inverse of ``encode_at``. Raises ``Malformed`` on damage, ``Unsupported`` on a newer format."""
    if len(key) != LONG_KEY_BYTES:
        return decode_record(authority.prefix + b"/" + key[4:], stored)
    record = decode_record(b"", stored)
    suffix = folded_suffix(authority, split(record.spelling)[1])
    return record._replace(key=authority.prefix + b"/" + suffix)
