"""Public keys as certificates carry them: JSON Web Keys, and SM2 keys as the national tools write them.

::

    {"kty": "RSA", "n": …, "e": …}    and DSA, EC, OKP as in ``protocols/values/jwk.py``
    {"kty": "SM2", "d": …}            d = base64url of the SubjectPublicKeyInfo in DER, although elsewhere d is secret
"""

import base64
import binascii
from collections.abc import Mapping

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocols.errors import Malformed
from protocols.trust.jws import decode_base64url, encode_base64url
from protocols.values import sm2
from protocols.values.jwk import CURVE_BYTES, EcKey, OkpKey, key_to_jwk
from protocols.values.key_objects import CURVES, VerifyingKey, key_from_object, load_key
from protocols.values.keys import JwkKey, PemKey
from protocols.values.sm2 import Sm2PublicKey

SM2_KIND = "SM2"
MAX_SPKI_CHARS = 512
"""An SM2 key has 122."""


class Unavailable(Exception):
    """A kind of key that is known, but not in this installation; ``str()`` says what is missing."""


def load_certified_key(jwk: Mapping[str, object]) -> VerifyingKey:
    """Raises ``Malformed``, ``TooLarge``, ``Unsupported``, and ``Unavailable`` for SM2 without its extra."""
    if jwk.get("kty") == SM2_KIND:
        if not sm2.is_available():
            raise Unavailable("SM2 keys need the optional extra biaojie[sm]")
        return load_key(PemKey(_read_sm2(jwk.get("d"))))
    return load_key(JwkKey(orjson.dumps(dict(jwk)).decode()))


def certified_key(key: VerifyingKey) -> dict[str, str]:
    """The inverse of ``load_certified_key``."""
    if isinstance(key, Sm2PublicKey):
        return {"kty": SM2_KIND, "d": encode_base64url(_der(sm2.write_public_key(key))).decode()}
    if isinstance(key, ed25519.Ed25519PublicKey):
        jwk = key_to_jwk(OkpKey("Ed25519", key.public_bytes(Encoding.Raw, PublicFormat.Raw)))
    elif isinstance(key, ec.EllipticCurvePublicKey):
        curve = next(name for name, kind in CURVES.items() if isinstance(key.curve, kind))
        size, numbers = CURVE_BYTES["EC"][curve], key.public_numbers()
        jwk = key_to_jwk(EcKey(curve, numbers.x.to_bytes(size), numbers.y.to_bytes(size)))
    else:
        jwk = key_to_jwk(key_from_object(key))
    assert jwk is not None, "every kind that verifies has such a form"
    return jwk


def _read_sm2(text: object) -> str:
    """PEM text. Raises ``Malformed``."""
    if not isinstance(text, str) or len(text) > MAX_SPKI_CHARS:
        raise Malformed("publicKey.d: a SubjectPublicKeyInfo in base64url expected", field="d")
    der = decode_base64url(text.rstrip("=").encode(errors="replace"), "publicKey.d")
    body = binascii.b2a_base64(der, newline=False).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(line for line in pem.splitlines() if "-" not in line))
