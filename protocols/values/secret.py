"""HS_SECKEY data: a shared secret (RFC 3651 §3.2.6).

The data is the secret itself. A second habit, from servers that did not want to keep passwords, stores the
lower-case hexadecimal SHA-1 of the secret instead; the bytes do not say which, so a presented secret is
compared with both, in constant time.

Where not the secret but a MAC under it is shown (challenge answers), the data is the MAC's key as it is: a client with
that habit hashes the pass phrase before it makes the MAC, so that both sides use the 40 digits.
"""

import hashlib
import hmac

from protocols.errors import Malformed, TooLarge

MAX_SECRET_BYTES = 1024
"""Longer than any key or passphrase; bounds the work of one comparison."""


def decode_secret(data: bytes) -> bytes:
    """The secret as kept. Raises ``Malformed`` when it is empty (anybody would match), ``TooLarge``."""
    if not data:
        raise Malformed("secret: empty", 0)
    if len(data) > MAX_SECRET_BYTES:
        raise TooLarge(f"secret: {len(data)} bytes, at most {MAX_SECRET_BYTES} allowed", 0)
    return data


def encode_secret(secret: bytes) -> bytes:
    """The data that keeps ``secret`` as it is. Raises like ``decode_secret``."""
    return decode_secret(secret)


def hash_secret(secret: bytes) -> bytes:
    """The data that keeps only the hash of ``secret``: 40 hexadecimal digits."""
    digest = hashlib.sha1(decode_secret(secret), usedforsecurity=False).hexdigest()
    return digest.encode()


def secret_matches(data: bytes, presented: bytes) -> bool:
    """Whether ``presented`` is the secret behind ``data``, in time that depends on lengths only. Never raises."""
    if not data or not 0 < len(presented) <= MAX_SECRET_BYTES:
        return False
    is_same = hmac.compare_digest(data, presented)
    return hmac.compare_digest(data, hash_secret(presented)) or is_same
