"""Request digest block: u8 type and the digest, no length; first in an answer's body when RRDG is set.

Over the request's header and body **as received**: no envelope, no credential, never a re-encoding
(RFC 3652 §2.2.3, Handle.Net manual).
"""

import hashlib
import hmac
from typing import NamedTuple

from protocols.cursor import Reader, Writer
from protocols.errors import Unsupported
from protocols.handle.versions import Version, since

MD5, SHA1, SHA256 = 1, 2, 3

SIZES = {MD5: 16, SHA1: 20, SHA256: 32}
NAMES = {MD5: "md5", SHA1: "sha1", SHA256: "sha256"}

TYPE_BY_VERSION: tuple[tuple[Version, int], ...] = (((2, 7), SHA256), ((2, 1), SHA1))
"""By the version of the answer."""


class Digest(NamedTuple):
    """``type`` is one of MD5, SHA1, SHA256."""

    type: int
    value: bytes


def request_digest(version: Version, received: bytes) -> Digest:
    """The block for an answer of ``version`` to a request whose header and body are ``received``."""
    type_ = since(TYPE_BY_VERSION, version)
    return Digest(type_, _hash(type_, received))


def digest_matches(digest: Digest, sent: bytes) -> bool:
    """Whether an answer's digest is that of the header and body we ``sent``."""
    return hmac.compare_digest(digest.value, _hash(digest.type, sent))


def read_digest(reader: Reader) -> Digest:
    """Raises ``Unsupported`` for an unknown type, ``Malformed`` when cut off."""
    at = reader.offset
    type_ = reader.read_u8("digest type")
    if type_ not in SIZES:
        raise Unsupported(f"digest type {type_}", at)
    return Digest(type_, reader.read_bytes(SIZES[type_], "request digest"))


def write_digest(writer: Writer, digest: Digest) -> None:
    """The inverse of ``read_digest``."""
    writer.write_u8(digest.type)
    writer.write_bytes(digest.value)


def _hash(type_: int, data: bytes) -> bytes:
    # Not a security choice of ours: old versions prescribe MD5 and SHA-1 here.
    return hashlib.new(NAMES[type_], data, usedforsecurity=False).digest()
