"""SM2 with SM3: signatures of the national curve (GB/T 32918.2, GM/T 0009), behind the optional extra ``biaojie[sm]``.

A signature is DER (two integers) over SM3(Z ‖ content), where Z is a digest of the signer's user id, the curve and the
key. The user id is agreed upon: ``DEFAULT_USER_ID`` by GM/T 0009 §10, the user's handle in the national SDK. Whether
the content is hashed once more before is agreed upon, too.

A key is PEM text of the uncompressed point (SubjectPublicKeyInfo; private: PKCS #8 without password, or SEC 1).
"""

import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from protocols.errors import Malformed, Unsupported
from protocols.values.sm2_curve import A, B, G, N, Point, is_on_curve, x_of_sum

DEFAULT_USER_ID = b"1234567812345678"
MAX_USER_ID_BYTES = 8191
"""Its length in bits is written in 16 bits."""
NUMBER_BYTES = 32

_SPKI_LEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
"""SubjectPublicKeyInfo { id-ecPublicKey, sm2p256v1 }, a bit string, "uncompressed"; two coordinates follow."""
_PKCS8_LEAD = bytes.fromhex(
    "308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420"
)
"""PKCS #8 { sm2p256v1 } around an ECPrivateKey; the number follows, then ``_PKCS8_POINT`` and the coordinates."""
_PKCS8_POINT = bytes.fromhex("a144034200" + "04")
_CURVE_OID = bytes.fromhex("06082a811ccf5501822d")
_NUMBER_LEAD = bytes.fromhex("0201010420")
"""ECPrivateKey version 1 and the head of its number, in every form of a private key."""
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----")
_HOW_TO = "SM2 needs the optional extra: pip install 'biaojie[sm]'"


class Sm2PublicKey(NamedTuple):
    """A point on the curve; ``read_public_key`` has checked that it is."""

    x: int
    y: int


class Sm2PrivateKey(NamedTuple):
    """The number, and the point it makes."""

    number: int
    public: Sm2PublicKey


@cache
def is_available() -> bool:
    """Whether the extra is installed."""
    return find_spec("gmalg") is not None


def is_sm2_pem(pem: str) -> bool:
    """Whether the text is a bare key on this curve, public or private."""
    match = _PEM.search(pem)
    return match is not None and _CURVE_OID in _der_of(match)


def read_public_key(pem: str) -> Sm2PublicKey:
    """Raises ``Malformed``, and ``Unsupported`` without the extra or for a form other than the uncompressed point."""
    _require()
    der = _der_of(_PEM.search(pem))
    if not der.startswith(_SPKI_LEAD) or len(der) != len(_SPKI_LEAD) + 2 * NUMBER_BYTES:
        raise Unsupported("key: SM2 expects a SubjectPublicKeyInfo with an uncompressed point")
    return _read_point(der[len(_SPKI_LEAD) :])


def write_public_key(key: Sm2PublicKey) -> str:
    """The PEM text that ``read_public_key`` reads."""
    return _write_pem("PUBLIC KEY", _SPKI_LEAD + _point_bytes(key))


def read_private_key(pem: str) -> Sm2PrivateKey:
    """PKCS #8 without password or SEC 1. Raises ``Malformed``, ``Unsupported``."""
    _require()
    der = _der_of(_PEM.search(pem))
    at = der.find(_NUMBER_LEAD) + len(_NUMBER_LEAD)
    if _CURVE_OID not in der or at < len(_NUMBER_LEAD) or len(der) < at + NUMBER_BYTES:
        raise Unsupported("key: no SM2 private key without password")
    number = int.from_bytes(der[at : at + NUMBER_BYTES])
    if not 1 <= number <= N - 2:
        raise Malformed("key: an SM2 private key lies between 1 and the order of the curve")
    return Sm2PrivateKey(number, _public_of(number))


def write_private_key(key: Sm2PrivateKey) -> str:
    """PKCS #8 as PEM text, without password."""
    number = key.number.to_bytes(NUMBER_BYTES)
    return _write_pem("PRIVATE KEY", _PKCS8_LEAD + number + _PKCS8_POINT + _point_bytes(key.public))


def make_private_key(random_bits: Callable[[int], int]) -> Sm2PrivateKey:
    """A new key; ``random_bits(n)`` gives a number of n random bits (``secrets.randbits``). Raises ``Unsupported``."""
    _require()
    number = random_bits(N.bit_length() + 64) % (N - 2) + 1
    return Sm2PrivateKey(number, _public_of(number))


def sign(
    key: Sm2PrivateKey,
    content: bytes,
    user_id: bytes,
    random_bits: Callable[[int], int],
) -> bytes:
    """A signature in DER. Raises ``Unsupported`` without the extra, ``Malformed`` for a user id that is too long."""
    _require()
    from gmalg import SM2  # noqa: PLC0415  # optional

    _check_user_id(user_id)
    secret, public = key.number.to_bytes(NUMBER_BYTES), b"\x04" + _point_bytes(key.public)
    r, s = SM2(secret, user_id, public, rnd_fn=random_bits).sign(content)
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


def verify(
    key: Sm2PublicKey, content: bytes, signature: bytes, user_id: bytes = DEFAULT_USER_ID
) -> bool:
    """Whether ``signature`` (DER) is right. Raises ``Unsupported``, ``Malformed`` like ``sign``."""
    return verify_any(key, [(content, user_id)], signature)


def verify_any(
    key: Sm2PublicKey, readings: Iterable[tuple[bytes, bytes]], signature: bytes
) -> bool:
    """Whether ``signature`` is right for one of the ``readings``, each a content and a user id.

    The costly part does not depend on them. Raises ``Unsupported``, ``Malformed`` like ``sign``.
    """
    _require()
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return False
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    x = x_of_sum(s, t, (key.x, key.y))
    if x is None:
        return False
    return any((_digest(key, content, id_) + x) % N == r for content, id_ in readings)


def sm3(data: bytes) -> bytes:
    """The digest, 32 bytes. Raises ``Unsupported`` without the extra."""
    try:
        return hashlib.new("sm3", data).digest()
    except ValueError:  # an OpenSSL without it
        _require()
    from gmalg import SM3  # noqa: PLC0415  # optional

    digest = SM3()
    digest.update(data)
    return bytes(digest.value())


def _digest(key: Sm2PublicKey, content: bytes, user_id: bytes) -> int:
    return int.from_bytes(sm3(_identity(key, user_id) + content))


@lru_cache(64)
def _identity(key: Sm2PublicKey, user_id: bytes) -> bytes:
    """Z: who signs, in which curve, with which key (GB/T 32918.2 §5.5)."""
    _check_user_id(user_id)
    numbers = (A, B, *G, *key)
    return sm3(
        (len(user_id) * 8).to_bytes(2)
        + user_id
        + b"".join(number.to_bytes(NUMBER_BYTES) for number in numbers)
    )


def _public_of(number: int) -> Sm2PublicKey:
    from gmalg import SM2  # noqa: PLC0415  # optional

    return _read_point(SM2().generate_pk(number.to_bytes(NUMBER_BYTES))[1:])


def _require() -> None:
    if not is_available():
        raise Unsupported(_HOW_TO)


def _check_user_id(user_id: bytes) -> None:
    if len(user_id) > MAX_USER_ID_BYTES:
        raise Malformed(f"user id: {len(user_id)} bytes, at most {MAX_USER_ID_BYTES} allowed")


def _read_point(data: bytes) -> Sm2PublicKey:
    point: Point = (int.from_bytes(data[:NUMBER_BYTES]), int.from_bytes(data[NUMBER_BYTES:]))
    if not is_on_curve(point):
        raise Malformed("key: the point is not on the SM2 curve")
    return Sm2PublicKey(*point)


def _point_bytes(key: Sm2PublicKey) -> bytes:
    return key.x.to_bytes(NUMBER_BYTES) + key.y.to_bytes(NUMBER_BYTES)


def _der_of(match: re.Match[str] | None) -> bytes:
    if match is None:
        raise Malformed("key: no PEM text")
    try:
        return binascii.a2b_base64("".join(match[2].split()), strict_mode=True)
    except binascii.Error as error:
        raise Malformed(f"key: PEM text: {error}") from None


def _write_pem(label: str, der: bytes) -> str:
    text = binascii.b2a_base64(der, newline=False).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
