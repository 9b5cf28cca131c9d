"""Algorithms of signed text, and the kind of key each goes with (RFC 7518 §3.1, RFC 8037; the rest as Handle nodes do).

========  ==========================================  =============================================================
name      key                                         signature
========  ==========================================  =============================================================
RS256     RSA, 1,024 bits and more                    PKCS #1 v1.5 with SHA-256
DS256     DSA                                         with SHA-256, DER
ES256     elliptic curve P-256                        with SHA-256, r and s of 32 bytes each
EdDSA     Ed25519                                     64 bytes
SM2256    SM2 (needs the extra ``biaojie[sm]``)       with SM3 and the default user id, DER
========  ==========================================  =============================================================

The key decides, never the text: a name that is not that of the key's kind is refused; ``none`` and secrets (HS256)
stand in no line of the table (RFC 8725 §3.1).
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from protocols.errors import Unsupported
from protocols.values import sm2
from protocols.values.key_objects import VerifyingKey
from protocols.values.sm2 import Sm2PrivateKey, Sm2PublicKey

SigningKey = (
    rsa.RSAPrivateKey
    | dsa.DSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | Sm2PrivateKey
)

ALGORITHMS = ("RS256", "DS256", "ES256", "EdDSA", "SM2256")
P256_BYTES = 32
_P256 = "secp256r1"


def algorithm_of(key: VerifyingKey) -> str:
    """The one name that goes with the key. Raises ``Unsupported`` for other curves."""
    match key:
        case rsa.RSAPublicKey():
            return "RS256"
        case dsa.DSAPublicKey():
            return "DS256"
        case ed25519.Ed25519PublicKey():
            return "EdDSA"
        case Sm2PublicKey():
            return "SM2256"
        case ec.EllipticCurvePublicKey():
            if key.curve.name != _P256:
                raise Unsupported(
                    f"keys of curve {key.curve.name} sign no such text, only of P-256"
                )
            return "ES256"


def verify(name: str, key: VerifyingKey, signed: bytes, signature: bytes) -> bool:
    """Whether the key made the signature. Raises ``Unsupported`` when ``name`` does not go with the key."""
    expected = algorithm_of(key)
    if name != expected:
        raise Unsupported(f"{name} does not go with the key, {expected} would")
    try:
        match key:
            case rsa.RSAPublicKey():
                key.verify(signature, signed, padding.PKCS1v15(), SHA256())
            case dsa.DSAPublicKey():
                key.verify(signature, signed, SHA256())
            case ed25519.Ed25519PublicKey():
                key.verify(signature, signed)
            case Sm2PublicKey():
                return sm2.verify(key, signed, signature)
            case ec.EllipticCurvePublicKey():
                key.verify(_to_der(signature), signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def sign(key: SigningKey, signed: bytes, random_bits: Callable[[int], int]) -> bytes:
    """A signature by the algorithm of the key; ``random_bits(n)``: a number of n random bits, for SM2."""
    match key:
        case rsa.RSAPrivateKey():
            return key.sign(signed, padding.PKCS1v15(), SHA256())
        case dsa.DSAPrivateKey():
            return key.sign(signed, SHA256())
        case ed25519.Ed25519PrivateKey():
            return key.sign(signed)
        case Sm2PrivateKey():
            return sm2.sign(key, signed, sm2.DEFAULT_USER_ID, random_bits)
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
            return r.to_bytes(P256_BYTES) + s.to_bytes(P256_BYTES)


def public_key_of(key: SigningKey) -> VerifyingKey:
    """The half that verifies."""
    return key.public if isinstance(key, Sm2PrivateKey) else key.public_key()


def _to_der(signature: bytes) -> bytes:
    """Raises ``ValueError`` for another length."""
    if len(signature) != 2 * P256_BYTES:
        raise ValueError("not two numbers of 32 bytes")
    r, s = signature[:P256_BYTES], signature[P256_BYTES:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
