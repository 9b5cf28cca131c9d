"""Digests of values: SHA-256 over the encoded value without its first 8 bytes, index and timestamp.

So a value may move to another index or be written again unchanged without a new signature, while its type, data, TTL,
permissions and references are all held. The index stands beside the digest in the signature.
"""

import hashlib
from collections.abc import Iterable, Mapping

from protocols.cursor import Writer
from protocols.values.value import Value, write_value

UNSIGNED_BYTES = 8
"""Index and timestamp."""
SIGNATURE_TYPE, CERTIFICATE_TYPE = "HS_SIGNATURE", "HS_CERT"
SELF_SIGNED_TYPES = frozenset({SIGNATURE_TYPE, CERTIFICATE_TYPE})
"""They carry signatures of their own, so that no signature over the record need cover them."""


def digest_of(value: Value) -> bytes:
    """32 bytes."""
    writer = Writer()
    write_value(writer, value)
    return hashlib.sha256(writer.finish()[UNSIGNED_BYTES:]).digest()


def digests_of(values: Iterable[Value]) -> Mapping[int, bytes]:
    """Of each value by its index."""
    return {value.index: digest_of(value) for value in values}


def is_self_signed(value: Value) -> bool:
    """Whether the value needs no signature over the record; types match without case."""
    return value.type.upper() in SELF_SIGNED_TYPES


def is_of_type(value: Value, type_: str) -> bool:
    """Types match without case."""
    return value.type.upper() == type_
