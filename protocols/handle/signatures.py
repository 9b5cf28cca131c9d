"""Signatures by name of their hash: RSA PKCS#1 v1.5 made and checked, DSA checked (RFC 3652 §3.5.2, RFC 8017 §8.2).

RSA signing is deterministic: it needs no chance. Hash names are ``SHA-256``, ``SHA1``, ``MD5`` or one code byte; MD5 is
refused.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from protocols.errors import TooLarge, Unsupported
from protocols.values.keys import MAX_INTEGER_BITS

VerifyingKey = RSAPublicKey | DSAPublicKey

SHA256 = b"SHA-256"
SHA1 = b"SHA1"

_HASHES: dict[bytes, type[hashes.HashAlgorithm]] = {
    b"SHA-256": hashes.SHA256,
    b"SHA256": hashes.SHA256,
    b"\x03": hashes.SHA256,
    b"SHA1": hashes.SHA1,  # prescribed below 2.7
    b"SHA-1": hashes.SHA1,
    b"\x02": hashes.SHA1,
}


def sign(key: RSAPrivateKey, hash_name: bytes, content: bytes) -> bytes:
    """The signature of ``content``. Raises ``Unsupported`` for an unknown hash."""
    return key.sign(content, PKCS1v15(), _hash(hash_name))


def verify(key: VerifyingKey, hash_name: bytes, content: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is right; ``key`` is one that ``values.key_objects`` made.

    Raises ``Unsupported`` for an unknown hash, ``TooLarge`` for a key that would cost too much.
    """
    hash_ = _hash(hash_name)
    _check_size(key)
    try:
        match key:
            case RSAPublicKey():
                key.verify(signature, content, PKCS1v15(), hash_)
            case DSAPublicKey():
                key.verify(signature, content, hash_)
    except InvalidSignature:
        return False
    return True


def _check_size(key: RSAPublicKey | DSAPublicKey) -> None:
    # A verification costs the square of the length, and the client chooses the key (PEM text has no limit).
    if key.key_size > MAX_INTEGER_BITS:
        raise TooLarge(f"key of {key.key_size} bits, at most {MAX_INTEGER_BITS} allowed")


def _hash(name: bytes) -> hashes.HashAlgorithm:
    algorithm = _HASHES.get(name.upper())
    if algorithm is None:
        raise Unsupported(f"signature hash {name!r}")
    return algorithm()
