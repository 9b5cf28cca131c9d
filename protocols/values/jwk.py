"""JSON Web Keys: the JSON form of RSA and DSA public keys (RFC 7517, RFC 7518 §6.3; DSA as Handle.Net writes it).

::

    {"kty": "RSA", "n": …, "e": …}        {"kty": "DSA", "y": …, "p": …, "q": …, "g": …}

Numbers are unsigned big-endian, base64url without padding. Diffie-Hellman and PEM keys have no such form.
"""

import base64
import binascii
from collections.abc import Mapping

from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.values.keys import MAX_INTEGER_BITS, DsaKey, PublicKey, RsaKey

PRIVATE_MEMBERS = frozenset({"d", "x", "dp", "dq", "qi", "oth", "k"})
"""Members of private keys: a record is the wrong place for them, so they are refused, not dropped."""

_MAX_NUMBER_CHARS = (MAX_INTEGER_BITS // 8 * 4 + 2) // 3


def key_to_jwk(key: PublicKey) -> dict[str, str] | None:
    """The JWK of an RSA or DSA key, None for the other kinds."""
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
        case _:
            return None


def key_from_jwk(jwk: Mapping[str, object]) -> RsaKey | DsaKey:
    """Raises ``Malformed``, ``TooLarge`` or ``Unsupported`` with the member in ``field``."""
    kind = jwk.get("kty")
    if kind not in ("RSA", "DSA"):
        reason = "kty: RSA or DSA expected; give other keys as PEM text (format string)"
        raise Unsupported(reason, field="kty")
    private = sorted(PRIVATE_MEMBERS.intersection(jwk))
    if private:
        reason = f"{private[0]}: belongs to a private key; store the public key only"
        raise Malformed(reason, field=private[0])
    if kind == "RSA":
        return RsaKey(e=_read_number(jwk, "e"), n=_read_number(jwk, "n"))
    q, p, g, y = (_read_number(jwk, member) for member in ("q", "p", "g", "y"))
    return DsaKey(q, p, g, y)


def _number(value: int) -> str:
    raw = value.to_bytes(max(1, (value.bit_length() + 7) // 8))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read_number(jwk: Mapping[str, object], member: str) -> int:
    text = jwk.get(member)
    if not isinstance(text, str) or not text:
        raise Malformed(f"{member}: a number in base64url expected", field=member)
    if len(text) > _MAX_NUMBER_CHARS:
        reason = f"{member}: {len(text)} characters, at most {_MAX_NUMBER_CHARS} allowed"
        raise TooLarge(reason, field=member)
    try:
        return int.from_bytes(_decode_base64url(text))
    except ValueError:
        raise Malformed(f"{member}: a number in base64url expected", field=member) from None


def _decode_base64url(text: str) -> bytes:
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    return binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
