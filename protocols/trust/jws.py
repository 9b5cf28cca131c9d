"""JSON Web Signatures in compact form (RFC 7515 §3.1), as HS_SIGNATURE and HS_CERT hold them.

::

    base64url(header) . base64url(payload) . base64url(signature)

The header names the algorithm and nothing else that is obeyed here: a key or an address in it would let the signer
choose what he is checked with (RFC 8725 §3.10). Base64url has no padding, no spaces and no spare bits.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from protocols.errors import Malformed, TooLarge, Unsupported

MAX_JWS_BYTES = 65_536
"""As much as one value may have."""
MAX_ALGORITHM_CHARS = 16


class Jws(NamedTuple):
    """One signed text, nothing of it verified yet."""

    algorithm: str
    """As the header names it, e.g. ``RS256``."""
    payload: Mapping[str, object]
    signed: bytes
    """What the signature is over: header and payload as they came."""
    signature: bytes


def decode_jws(text: bytes) -> Jws:
    """Raises ``Malformed``, ``TooLarge``, or ``Unsupported`` when the header asks for more than an algorithm."""
    if len(text) > MAX_JWS_BYTES:
        raise TooLarge(f"signed text: {len(text)} bytes, at most {MAX_JWS_BYTES} allowed")
    parts = text.strip().split(b".")
    if len(parts) != 3:
        raise Malformed(f"signed text: {len(parts)} parts, not header.payload.signature")
    header = _read_object(parts[0], "header")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or not 0 < len(algorithm) <= MAX_ALGORITHM_CHARS:
        raise Malformed("signed text: the header names no algorithm")
    if "crit" in header or header.get("b64") is False:
        raise Unsupported("signed text: the header demands extensions (crit), none is known here")
    payload = _read_object(parts[1], "payload")
    return Jws(
        algorithm, payload, parts[0] + b"." + parts[1], decode_base64url(parts[2], "signature")
    )


def signing_input(algorithm: str, payload: Mapping[str, object]) -> bytes:
    """What is to be signed: header and payload, encoded."""
    header = orjson.dumps({"alg": algorithm})
    return encode_base64url(header) + b"." + encode_base64url(orjson.dumps(payload))


def encode_jws(signed: bytes, signature: bytes) -> bytes:
    """The compact text from ``signing_input`` and its signature."""
    return signed + b"." + encode_base64url(signature)


def encode_base64url(data: bytes) -> bytes:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode_base64url(text: bytes, what: str) -> bytes:
    """The exact inverse: no padding, no other characters, no bits to spare. Raises ``Malformed``."""
    try:
        standard = text.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(text) % 4)
        data = binascii.a2b_base64(standard, strict_mode=True)
    except binascii.Error:
        data = None
    if data is None or encode_base64url(data) != text:
        raise Malformed(f"signed text: its {what} is not base64url without padding")
    return data


def _read_object(text: bytes, what: str) -> Mapping[str, object]:
    try:
        found = orjson.loads(decode_base64url(text, what))
    except orjson.JSONDecodeError as error:
        raise Malformed(f"signed text: its {what} is not JSON: {error.msg}") from None
    if not isinstance(found, dict):
        raise Malformed(f"signed text: its {what} is not a JSON object")
    return found
