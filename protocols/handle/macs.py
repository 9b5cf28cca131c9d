"""MAC functions by code byte and by name (RFC 3652 §3.5, Handle.Net manual).

01 MD5, 02 SHA-1, 03 SHA-256: H(key ‖ data ‖ key). 12 HMAC-SHA-1, 13 HMAC-SHA-256. 22: HMAC-SHA-1 with a key derived
by PBKDF2, which only challenge answers use (``proof``).
"""

import hashlib
import hmac
from collections.abc import Callable
from functools import partial

from protocols.errors import Unsupported

MD5, SHA1, SHA256, HMAC_SHA1, HMAC_SHA256, PBKDF2_HMAC_SHA1 = 0x01, 0x02, 0x03, 0x12, 0x13, 0x22

ACCEPTED_MACS = frozenset({SHA1, SHA256, HMAC_SHA1, HMAC_SHA256, PBKDF2_HMAC_SHA1})
"""What a peer may prove itself with. MD5 is left out: its collisions are a matter of seconds."""

CODES_BY_NAME: dict[bytes, int] = {
    b"MD5": MD5,
    b"SHA1": SHA1,
    b"SHA-1": SHA1,
    b"SHA-256": SHA256,
    b"HMAC-SHA1": HMAC_SHA1,
    b"HMAC-SHA256": HMAC_SHA256,
}


def _sandwich(name: str, key: bytes, data: bytes) -> bytes:
    return hashlib.new(name, key + data + key, usedforsecurity=False).digest()


_FUNCTIONS: dict[int, Callable[[bytes, bytes], bytes]] = {
    MD5: partial(_sandwich, "md5"),
    SHA1: partial(_sandwich, "sha1"),
    SHA256: partial(_sandwich, "sha256"),
    HMAC_SHA1: lambda key, data: hmac.digest(key, data, "sha1"),
    HMAC_SHA256: lambda key, data: hmac.digest(key, data, "sha256"),
}


def mac(code: int, key: bytes, data: bytes) -> bytes:
    """The MAC of ``data``. Raises ``Unsupported`` for an unknown code."""
    function = _FUNCTIONS.get(code)
    if function is None:
        raise Unsupported(f"MAC algorithm 0x{code:02x}")
    return function(key, data)


def code_of(algorithm: bytes) -> int:
    """The code of an algorithm that a peer named, or wrote as one byte. Raises ``Unsupported``."""
    code = algorithm[0] if len(algorithm) == 1 else CODES_BY_NAME.get(algorithm.upper())
    if code not in _FUNCTIONS:
        raise Unsupported(f"MAC algorithm {algorithm!r}")
    return code
