"""JSON Web Keys: the JSON form of public keys (RFC 7517; RFC 7518 §6.2, §6.3; RFC 8037; DSA as Handle.Net writes it).

::

    {"kty": "RSA", "n": …, "e": …}        {"kty": "EC", "crv": "P-256", "x": …, "y": …}
    {"kty": "OKP", "crv": "Ed25519", "x": …}        {"kty": "DSA", "y": …, "p": …, "q": …, "g": …}

Numbers of RSA and DSA are unsigned big-endian, coordinates have the length of their curve; all are base64url without
padding. RSA and DSA keys are stored as the classic blob, the others as this text. Diffie-Hellman and PEM keys have no
such form.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.values.keys import MAX_INTEGER_BITS, DsaKey, PublicKey, RsaKey

PRIVATE_MEMBERS: dict[str, frozenset[str]] = {
    "RSA": frozenset({"d", "x", "dp", "dq", "qi", "oth", "k"}),
    "DSA": frozenset({"d", "x", "dp", "dq", "qi", "oth", "k"}),
    "EC": frozenset({"d", "k"}),
    "OKP": frozenset({"d", "k"}),
}
"""By kind. A record is the wrong place for members of private keys, so they are refused, not dropped."""

CURVE_BYTES: dict[str, dict[str, int]] = {
    "EC": {"P-256": 32, "P-384": 48, "P-521": 66},
    "OKP": {"Ed25519": 32},
}
"""The curves that are spoken, by kind, and the bytes of a coordinate."""

_MAX_NUMBER_CHARS = (MAX_INTEGER_BITS // 8 * 4 + 2) // 3


class EcKey(NamedTuple):
    """A point on a curve of NIST; ``x`` and ``y`` have the length of the curve."""

    curve: str
    x: bytes
    y: bytes


class OkpKey(NamedTuple):
    """An Ed25519 key."""

    curve: str
    x: bytes


JsonKey = RsaKey | DsaKey | EcKey | OkpKey


def key_to_jwk(key: PublicKey | EcKey | OkpKey) -> dict[str, str] | None:
    """The JWK of a key that is made of numbers, None for the other kinds."""
    match key:
        case RsaKey(e, n):
            return {"kty": "RSA", "n": _number(n), "e": _number(e)}
        case DsaKey(q, p, g, y):
            return {
                "kty": "DSA",
                "y": _number(y),
                "p": _number(p),
                "q": _number(q),
                "g": _number(g),
            }
        case EcKey(curve, point_x, point_y):
            return {"kty": "EC", "crv": curve, "x": _text(point_x), "y": _text(point_y)}
        case OkpKey(curve, point):
            return {"kty": "OKP", "crv": curve, "x": _text(point)}
        case _:
            return None


def key_from_jwk(jwk: Mapping[str, object]) -> JsonKey:
    """Raises ``Malformed``, ``TooLarge`` or ``Unsupported`` with the member in ``field``.

    Members that say nothing about the public key itself (``kid``, ``use``, …) are passed over.
    """
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in PRIVATE_MEMBERS:
        reason = "kty: RSA, DSA, EC or OKP expected; give other keys as PEM text (format string)"
        raise Unsupported(reason, field="kty")
    private = sorted(PRIVATE_MEMBERS[kind].intersection(jwk))
    if private:
        reason = f"{private[0]}: belongs to a private key; store the public key only"
        raise Malformed(reason, field=private[0])
    if kind == "RSA":
        return RsaKey(e=_read_number(jwk, "e"), n=_read_number(jwk, "n"))
    if kind == "DSA":
        q, p, g, y = (_read_number(jwk, member) for member in ("q", "p", "g", "y"))
        return DsaKey(q, p, g, y)
    curve = _read_curve(jwk, kind)
    x = _read_coordinate(jwk, "x", CURVE_BYTES[kind][curve])
    if kind == "OKP":
        return OkpKey(curve, x)
    return EcKey(curve, x, _read_coordinate(jwk, "y", CURVE_BYTES[kind][curve]))


def key_from_jwk_text(text: str) -> JsonKey:
    """The key in HS_PUBKEY data that is JSON text. Raises like ``key_from_jwk``, and ``Malformed`` for other text."""
    try:
        jwk: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"JSON Web Key: {error}") from None
    if not isinstance(jwk, dict):
        raise Malformed("JSON Web Key: an object expected")
    return key_from_jwk(jwk)


def jwk_text(key: JsonKey) -> str:
    """The text that ``key_from_jwk_text`` reads, without spaces."""
    return orjson.dumps(key_to_jwk(key)).decode()


def _number(value: int) -> str:
    return _text(value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read_curve(jwk: Mapping[str, object], kind: str) -> str:
    curve = jwk.get("crv")
    if not isinstance(curve, str) or curve not in CURVE_BYTES[kind]:
        raise Unsupported(f"crv: one of {', '.join(CURVE_BYTES[kind])} expected", field="crv")
    return curve


def _read_coordinate(jwk: Mapping[str, object], member: str, size: int) -> bytes:
    raw = _read_bytes(jwk, member)
    if len(raw) != size:
        reason = f"{member}: {len(raw)} bytes instead of the {size} of the curve"
        raise Malformed(reason, field=member)
    return raw


def _read_number(jwk: Mapping[str, object], member: str) -> int:
    return int.from_bytes(_read_bytes(jwk, member))


def _read_bytes(jwk: Mapping[str, object], member: str) -> bytes:
    text = jwk.get(member)
    if not isinstance(text, str) or not text:
        raise Malformed(f"{member}: a number in base64url expected", field=member)
    if len(text) > _MAX_NUMBER_CHARS:
        reason = f"{member}: {len(text)} characters, at most {_MAX_NUMBER_CHARS} allowed"
        raise TooLarge(reason, field=member)
    try:
        return _decode_base64url(text)
    except ValueError:
        raise Malformed(f"{member}: a number in base64url expected", field=member) from None


def _decode_base64url(text: str) -> bytes:
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    return binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
