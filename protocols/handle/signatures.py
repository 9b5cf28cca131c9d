"""Signatures by name of their hash: RSA PKCS#1 v1.5, ECDSA and Ed25519 made and checked, DSA checked (RFC 3652 §3.5.2).

==========  ====================================================  =====================================
key         hash names                                            signature
==========  ====================================================  =====================================
RSA         ``SHA-256``, ``SHA1``, ``SHA-384``, ``SHA-512``       PKCS#1 v1.5 (RFC 8017 §8.2)
DSA         ``SHA-256``, ``SHA1``                                 DER of r and s
ECDSA       ``SHA-256``, ``SHA-384``, ``SHA-512``                 DER of r and s (P-256, P-384, P-521)
Ed25519     ``Ed25519``                                           64 bytes (RFC 8032)
==========  ====================================================  =====================================

The first two are what Handle clients use; some write the hash as one code byte. MD5 is refused, and a hash that is not
in the row of the key. SHA-1 stands only where old clients bring it. Signing needs no chance: ECDSA is the deterministic
one (RFC 6979).
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from protocols.errors import TooLarge, Unsupported
from protocols.values.keys import MAX_INTEGER_BITS

VerifyingKey = RSAPublicKey | DSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
SigningKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

SHA256, SHA384, SHA512 = b"SHA-256", b"SHA-384", b"SHA-512"
SHA1 = b"SHA1"
ED25519 = b"Ed25519"
"""No hash of its own is named: the scheme has one inside."""

_HASHES: dict[bytes, type[hashes.HashAlgorithm]] = {
    b"SHA-256": hashes.SHA256,
    b"SHA256": hashes.SHA256,
    b"\x03": hashes.SHA256,
    b"SHA1": hashes.SHA1,  # prescribed below 2.7
    b"SHA-1": hashes.SHA1,
    b"\x02": hashes.SHA1,
    b"SHA-384": hashes.SHA384,
    b"SHA-512": hashes.SHA512,
}
_MODERN = frozenset({hashes.SHA256, hashes.SHA384, hashes.SHA512})
_RSA_HASHES = _MODERN | {hashes.SHA1}
_DSA_HASHES = frozenset({hashes.SHA256, hashes.SHA1})

_CURVE_HASHES: tuple[tuple[int, bytes], ...] = ((256, SHA256), (384, SHA384), (521, SHA512))
"""Which hash is as strong as the curve, by the bits of the curve."""


def sign(key: SigningKey, hash_name: bytes, content: bytes) -> bytes:
    """The signature of ``content``. Raises ``Unsupported`` for a hash that does not belong to the key."""
    match key:
        case RSAPrivateKey():
            return key.sign(content, PKCS1v15(), _hash(hash_name, _RSA_HASHES))
        case EllipticCurvePrivateKey():
            algorithm = ECDSA(_hash(hash_name, _MODERN), deterministic_signing=True)
            return key.sign(content, algorithm)
        case Ed25519PrivateKey():
            _check_name(hash_name)
            return key.sign(content)


def hash_for_curve(key: EllipticCurvePrivateKey) -> bytes:
    """The name of the hash that a key on this curve signs with."""
    return next((name for bits, name in _CURVE_HASHES if key.key_size <= bits), SHA512)


def verify(key: VerifyingKey, hash_name: bytes, content: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is right; ``key`` is one that ``values.key_objects`` made.

    Raises ``Unsupported`` for a hash that does not belong to the key, ``TooLarge`` for a key that would cost too much.
    """
    try:
        match key:
            case RSAPublicKey():
                hash_ = _hash(hash_name, _RSA_HASHES)
                _check_size(key)
                key.verify(signature, content, PKCS1v15(), hash_)
            case DSAPublicKey():
                hash_ = _hash(hash_name, _DSA_HASHES)
                _check_size(key)
                key.verify(signature, content, hash_)
            case EllipticCurvePublicKey():
                key.verify(signature, content, ECDSA(_hash(hash_name, _MODERN)))
            case Ed25519PublicKey():
                _check_name(hash_name)
                key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _check_size(key: RSAPublicKey | DSAPublicKey) -> None:
    # A verification costs the square of the length, and the client chooses the key (PEM text has no limit).
    if key.key_size > MAX_INTEGER_BITS:
        raise TooLarge(f"key of {key.key_size} bits, at most {MAX_INTEGER_BITS} allowed")


def _check_name(name: bytes) -> None:
    if name.upper() != ED25519.upper():
        raise Unsupported(f"signature hash {name!r} with an Ed25519 key")


def _hash(name: bytes, accepted: frozenset[type[hashes.HashAlgorithm]]) -> hashes.HashAlgorithm:
    algorithm = _HASHES.get(name.upper())
    if algorithm not in accepted:
        raise Unsupported(f"signature hash {name!r}")
    return algorithm()
