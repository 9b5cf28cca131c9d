"""Proof: pinned keys, and whether an answer is signed with one of them (RFC 3652 §2.2.4).

A pin is the SHA-256 of a key's SubjectPublicKeyInfo in DER, written ``sha256:HEX``, the same for a server's signatures
and for its TLS certificate. The pin decides, so it does not matter who told the key.
"""

import binascii
import hashlib
from collections.abc import Collection, Iterable

from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocols.errors import Malformed, ProtocolError
from protocols.handle.codec import Message
from protocols.handle.digest import digest_matches
from protocols.handle.signatures import VerifyingKey
from protocols.handle.signing import signature_is_right
from protocols.handle.site_info import SiteAnswer
from protocols.values.key_objects import load_key
from protocols.values.keys import decode_public_key
from protocols.values.site import decode_site

PIN_LEAD = "sha256:"
MAX_SITE_KEYS = 16
"""Different keys of one site that are looked at."""


def parse_pin(text: str) -> bytes:
    """The 32 bytes of ``sha256:HEX``. Raises ``Malformed``."""
    lead, digest = text[: len(PIN_LEAD)].lower(), text[len(PIN_LEAD) :].replace(":", "")
    try:
        pin = binascii.unhexlify(digest)
    except ValueError:
        pin = b""
    if lead != PIN_LEAD or len(pin) != hashlib.sha256().digest_size:
        raise Malformed(f"pin: {text[:80]!r} is not sha256: and 64 hexadecimal digits")
    return pin


def pin_of(spki: bytes) -> bytes:
    """The pin of a SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(spki).digest()


def key_pin(key: VerifyingKey) -> bytes:
    """The pin of a key."""
    return pin_of(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def read_keys(blobs: Iterable[bytes]) -> tuple[VerifyingKey, ...]:
    """The keys in HS_PUBKEY data that can verify a signature; others are passed over."""
    keys: list[VerifyingKey] = []
    for blob in dict.fromkeys(blobs):
        if not blob or len(keys) >= MAX_SITE_KEYS:
            continue
        try:
            key = load_key(decode_public_key(blob))
        except ProtocolError:
            continue
        if isinstance(key, RSAPublicKey | DSAPublicKey):
            keys.append(key)
    return tuple(keys)


def keys_of_site(message: Message) -> tuple[VerifyingKey, ...]:
    """The keys that a get-site-info answer names; none when it is something else."""
    if not isinstance(message.body, SiteAnswer):
        return ()
    try:
        site = decode_site(message.body.site)
    except ProtocolError:
        return ()
    return read_keys(server.public_key for server in site.servers)


def pinned(keys: Iterable[VerifyingKey], pins: Collection[bytes]) -> tuple[VerifyingKey, ...]:
    """Those that are pinned."""
    return tuple(key for key in keys if key_pin(key) in pins)


def is_proved(message: Message, keys: Iterable[VerifyingKey], asked: bytes) -> bool:
    """Whether the answer is signed with one of ``keys`` and names its request (``asked``: header, body) by digest."""
    credential = message.credential
    if credential is None or message.digest is None or not digest_matches(message.digest, asked):
        return False
    for key in keys:
        try:
            if signature_is_right(credential, key, message.envelope, message.received):
                return True
        except ProtocolError:  # another kind of credential, hash or version: proves nothing
            continue
    return False
