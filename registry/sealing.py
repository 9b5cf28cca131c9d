"""Sealing: the non-public values of a record, encrypted at rest, and digests that give nothing of them away.

A record's non-public values are written as one value list and encrypted with AES-SIV (RFC 5297), which is deterministic
and needs no nonce store. The associated data is the record's folded key and version, so a sealed part moved to another
record, or kept from an earlier version, does not open. All keys come from the node key by HKDF-SHA256 (RFC 5869), one
label each; the node key is kept outside the store.

A digest of content goes into the feed, which mirrors and auditors read. Public values enter it plainly, so that anybody
can check them; non-public values enter it through a keyed MAC, or a weak secret could be guessed from the feed.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocols.errors import ProtocolError
from protocols.record import Record
from protocols.values.value import FIXED, Value
from protocols.values.value_list import decode_values, encode_values
from registry.errors import DamagedRecord

LEAST_NODE_KEY_BYTES = 32
"""Below the strength of the ciphers derived from it; ``biaojie init`` writes 64 random bytes."""

FINGERPRINT_BYTES = 16

_SEAL_LABEL = b"biaojie sealing 1"
_CONTENT_LABEL = b"biaojie content 1"
_FINGERPRINT_LABEL = b"biaojie fingerprint 1"
_SEAL_KEY_BYTES = 64  # AES-256-SIV takes two 256-bit keys
_MAC_KEY_BYTES = 32

_U32 = struct.Struct(">I")


class SealBroken(DamagedRecord):
    """A sealed part does not open: another node key, or damage on the disk."""

    def __init__(self, key: bytes, version: int) -> None:
        super().__init__(
            f"the non-public values of {key.decode(errors='replace')} (version {version}) do not open: "
            "is this the node key they were sealed with?"
        )
        self.key = key
        self.version = version


class Sealer:
    """Holds the keys derived from one node key. ``ValueError`` when the node key is too short."""

    __slots__ = ("_cipher", "_content_key", "_fingerprint_key")

    def __init__(self, node_key: bytes) -> None:
        if len(node_key) < LEAST_NODE_KEY_BYTES:
            raise ValueError(
                f"node key: {len(node_key)} bytes, at least {LEAST_NODE_KEY_BYTES} needed"
            )
        self._cipher = AESSIV(_derive(node_key, _SEAL_LABEL, _SEAL_KEY_BYTES))
        self._content_key = _derive(node_key, _CONTENT_LABEL, _MAC_KEY_BYTES)
        self._fingerprint_key = _derive(node_key, _FINGERPRINT_LABEL, _MAC_KEY_BYTES)

    def seal(self, values: tuple[Value, ...], key: bytes, version: int) -> bytes:
        """The sealed part of the record ``key`` at ``version``; empty when there is nothing to seal."""
        if not values:
            return b""
        return self._cipher.encrypt(encode_values(values), [key, _U32.pack(version)])

    def open(self, record: Record) -> tuple[Value, ...]:
        """All non-public values of ``record``, sorted by index. Raises ``SealBroken``."""
        if not record.sealed:
            return ()
        try:
            return decode_values(
                self._cipher.decrypt(record.sealed, [record.key, _U32.pack(record.version)])
            )
        except (InvalidTag, ProtocolError):
            raise SealBroken(record.key, record.version) from None

    def content_mac(self, values: tuple[Value, ...], key: bytes) -> bytes:
        """32 bytes that change with the values' content but tell nothing about it without the node key.

        Bound to the record's ``key``: the same secret on two records cannot be seen to be the same.
        """
        plain = encode_values([value._replace(timestamp=0) for value in values])
        message = _U32.pack(len(key)) + key + plain
        return hmac.digest(self._content_key, message, "sha256")

    def fingerprint(self, data: bytes) -> bytes:
        """16 bytes to recognise ``data`` by, which may contain a secret."""
        return hmac.digest(self._fingerprint_key, data, "sha256")[:FINGERPRINT_BYTES]


def merge(record: Record, sealer: Sealer) -> tuple[Value, ...]:
    """All values of a record, public and not, sorted by index. Raises ``SealBroken``."""
    public = decode_values(record.public)
    if not record.sealed:
        return public
    return by_index((*public, *sealer.open(record)))


def by_index(values: Iterable[Value]) -> tuple[Value, ...]:
    """In the order in which values are stored and answered."""
    return tuple(sorted(values, key=_index))


def content_digest(
    public: bytes, nonpublic: tuple[Value, ...], sealer: Sealer, key: bytes
) -> bytes:
    """SHA-256 over the public list with its timestamps zeroed and, if there are non-public values, their MAC.

    Times are not content: registering the same values again gives the same digest.
    """
    digest = hashlib.sha256(stamped(public, 0))
    if nonpublic:
        digest.update(sealer.content_mac(nonpublic, key))
    return digest.digest()


def stamped(public: bytes, timestamp: int) -> bytes:
    """A well-formed value list with every timestamp replaced (0 = none); nothing else is decoded."""
    stamp = _U32.pack(timestamp)
    out = bytearray(public)
    offset = 4
    for _ in range(_U32.unpack_from(public)[0]):
        out[offset + 4 : offset + 8] = stamp
        offset = end_of_value(public, offset)
    return bytes(out)


def end_of_value(public: bytes, offset: int) -> int:
    """Where the value ends that begins at ``offset`` of a well-formed value list."""
    offset += FIXED.size
    for _ in range(2):  # type, data
        offset += 4 + int(_U32.unpack_from(public, offset)[0])
    (references,) = _U32.unpack_from(public, offset)
    offset += 4
    for _ in range(references):
        offset += 8 + int(_U32.unpack_from(public, offset)[0])
    return offset


def _index(value: Value) -> int:
    return value.index


def _derive(node_key: bytes, label: bytes, size: int) -> bytes:
    return HKDF(SHA256(), size, salt=None, info=label).derive(node_key)
