"""Public keys as objects that verify: ``keys.PublicKey`` to and from the ``cryptography`` package.

PEM text may hold a bare public key (X.509 SubjectPublicKeyInfo) or a certificate. What the package or its rules
refuse (SM2 and SM9 curves, RSA below 1,024 bits, DSA groups of odd sizes) is ``Unsupported``, never a crash.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from protocols.errors import Malformed, Unsupported
from protocols.values.keys import DhKey, DsaKey, PemKey, PublicKey, RsaKey

VerifyingKey = rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey

MIN_RSA_BITS = 1024
"""Test vectors and old clients still come with 1,024 bits; below that a signature proves nothing."""

_CERTIFICATE_LEAD = "-----BEGIN CERTIFICATE"


def load_key(key: PublicKey) -> VerifyingKey:
    """Raises ``Malformed`` when the key's numbers or text make no sense, ``Unsupported`` for a kind not spoken here."""
    try:
        loaded = _load(key)
    except Unsupported:
        raise
    except UnsupportedAlgorithm as error:
        raise Unsupported(f"key: {error}") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise Malformed(f"key: {error}") from None
    if not isinstance(loaded, VerifyingKey):
        raise Unsupported(f"key: {type(loaded).__name__} is not used by the Handle protocol")
    if isinstance(loaded, rsa.RSAPublicKey) and loaded.key_size < MIN_RSA_BITS:
        raise Unsupported(f"key: RSA of {loaded.key_size} bits, at least {MIN_RSA_BITS} required")
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
        case ec.EllipticCurvePublicKey():
            pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return PemKey(pem.decode())


def _load(key: PublicKey) -> object:
    match key:
        case RsaKey(e, n):
            return rsa.RSAPublicNumbers(e, n).public_key()
        case DsaKey(q, p, g, y):
            group = dsa.DSAParameterNumbers(p, q, g)
            return dsa.DSAPublicNumbers(y, group).public_key()
        case DhKey():
            raise Unsupported("key: a Diffie-Hellman key agrees on secrets, it verifies nothing")
        case PemKey(pem):
            if _CERTIFICATE_LEAD in pem:
                return load_pem_x509_certificate(pem.encode()).public_key()
            return load_pem_public_key(pem.encode())
