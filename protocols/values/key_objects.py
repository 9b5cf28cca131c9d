"""Public keys as objects that verify: ``keys.PublicKey`` to and from the ``cryptography`` package.

PEM text may hold a bare public key (X.509 SubjectPublicKeyInfo) or a certificate. SM2 keys are ``sm2.Sm2PublicKey``,
for the package knows no SM2. What the package or its rules refuse (SM9, other curves, RSA below 1,024 bits, DSA groups
of odd sizes) is ``Unsupported``, never a crash.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from protocols.errors import Malformed, Unsupported
from protocols.values.jwk import EcKey, OkpKey, key_from_jwk_text
from protocols.values.keys import DhKey, DsaKey, JwkKey, PemKey, PublicKey, RsaKey
from protocols.values.sm2 import Sm2PublicKey, is_sm2_pem, read_public_key, write_public_key

VerifyingKey = (
    rsa.RSAPublicKey
    | dsa.DSAPublicKey
    | ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | Sm2PublicKey
)

MIN_RSA_BITS = 1024
"""Test vectors and old clients still come with 1,024 bits; below that a signature proves nothing."""

CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}
"""By their names in JSON Web Keys. No tool of anybody we know uses others."""

_CERTIFICATE_LEAD = "-----BEGIN CERTIFICATE"


def load_key(key: PublicKey) -> VerifyingKey:
    """Raises ``Malformed`` when the key's numbers or text make no sense, ``Unsupported`` for a kind not spoken here."""
    try:
        loaded = _load(key)
    except (Malformed, Unsupported):
        raise
    except UnsupportedAlgorithm as error:
        raise Unsupported(f"key: {error}") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise Malformed(f"key: {error}") from None
    if not isinstance(loaded, VerifyingKey):
        raise Unsupported(f"key: {type(loaded).__name__} is not used by the Handle protocol")
    if isinstance(loaded, rsa.RSAPublicKey) and loaded.key_size < MIN_RSA_BITS:
        raise Unsupported(f"key: RSA of {loaded.key_size} bits, at least {MIN_RSA_BITS} required")
    if isinstance(loaded, ec.EllipticCurvePublicKey):
        _check_curve(loaded.curve)
    return loaded


def key_from_object(key: VerifyingKey) -> PublicKey:
    """The stored form of a key: the classic blob for RSA and DSA, PEM text for elliptic curves."""
    match key:
        case rsa.RSAPublicKey():
            rsa_numbers = key.public_numbers()
            return RsaKey(rsa_numbers.e, rsa_numbers.n)
        case dsa.DSAPublicKey():
            dsa_numbers = key.public_numbers()
            group = dsa_numbers.parameter_numbers
            return DsaKey(group.q, group.p, group.g, dsa_numbers.y)
        case Sm2PublicKey():
            return PemKey(write_public_key(key))
        case ec.EllipticCurvePublicKey() | ed25519.Ed25519PublicKey():
            pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return PemKey(pem.decode())


def _load(key: PublicKey | EcKey | OkpKey) -> object:
    match key:
        case RsaKey(e, n):
            return rsa.RSAPublicNumbers(e, n).public_key()
        case DsaKey(q, p, g, y):
            group = dsa.DSAParameterNumbers(p, q, g)
            return dsa.DSAPublicNumbers(y, group).public_key()
        case DhKey():
            raise Unsupported("key: a Diffie-Hellman key agrees on secrets, it verifies nothing")
        case PemKey(pem):
            return _load_pem(pem)
        case JwkKey(text):
            return _load(key_from_jwk_text(text))
        case EcKey(curve, point_x, point_y):
            x, y = int.from_bytes(point_x), int.from_bytes(point_y)
            return ec.EllipticCurvePublicNumbers(x, y, CURVES[curve]()).public_key()
        case OkpKey(_, point):
            return ed25519.Ed25519PublicKey.from_public_bytes(point)


def _load_pem(pem: str) -> object:
    if _CERTIFICATE_LEAD in pem:
        return load_pem_x509_certificate(pem.encode()).public_key()
    if is_sm2_pem(pem):
        return read_public_key(pem)
    return load_pem_public_key(pem.encode())


def _check_curve(curve: ec.EllipticCurve) -> None:
    if not isinstance(curve, tuple(CURVES.values())):
        raise Unsupported(f"key: curve {curve.name} is not one of {', '.join(CURVES)}")
