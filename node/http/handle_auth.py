"""``Authorization: Handle``: what a client says of itself, and the claim it makes (Handle.Net manual, JSON API).

::

    Authorization: Handle version="0", sessionId="…", id="300%3A0.NA%2F88.118", type="HS_PUBKEY",
                   cnonce="…", alg="SHA-256", signature="…"

Binary fields are base64. The proof is over nonce ‖ cnonce, the node's chance and the client's. With ``type``
HS_SECKEY ``signature`` is a MAC; PBKDF2-HMAC-SHA1 comes with ``salt``, ``iterations`` and ``length`` (bits), or has
them in ``signature`` as the native protocol writes them. Nothing that was sent is repeated in an error.
"""

import base64
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from node.http.basic_auth import read_user
from node.proving.claim import Claim, Proof, read_proof
from protocols.cursor import Writer
from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.handle.macs import HMAC_SHA1, HMAC_SHA256, PBKDF2_HMAC_SHA1, SHA1, SHA256
from protocols.handle.proof import challenge_content

MAX_HEADER_CHARS = 12_288
"""The longest handle percent-encoded, a signature of 4,096 bits and more; lines above 16,384 never come so far."""
MAX_CNONCE_BYTES = 64
"""The chance of 16 bytes is what clients send; the node signs it, so it chooses as little as possible."""
VERSION = "0"

_PARAMETER = re.compile(
    r'\s*([-A-Za-z0-9!#$%&\'*+.^_`|~]{1,64})\s*=\s*("(?:[^"\\]|\\.)*"|[-A-Za-z0-9!#$%&\'*+.^_`|~/=]+)\s*(?:,|$)'
)
"""One ``name=value`` (RFC 9110 §11.2); base64 without quotes is understood."""
_OTHER_BASE64 = str.maketrans("-_ ", "+/+")
_SECRET = "HS_SECKEY"  # noqa: S105  # the name of a value type
_MACS: dict[str, int] = {
    "SHA": SHA1,
    "SHA1": SHA1,
    "SHA2": SHA256,
    "SHA256": SHA256,
    "HMACSHA1": HMAC_SHA1,
    "HMACSHA256": HMAC_SHA256,
    "PBKDF2HMACSHA1": PBKDF2_HMAC_SHA1,
    "PBKDF2WITHHMACSHA1": PBKDF2_HMAC_SHA1,
}
"""By name without punctuation, which clients put where they like."""
_HASHES: dict[str, bytes] = {
    "SHA": b"SHA1", "SHA1": b"SHA1", "SHA2": b"SHA-256", "SHA256": b"SHA-256",
}  # fmt: skip
"""Of signatures; other names are handed on as they are."""


class Fields(NamedTuple):
    """What was said; "" = nothing."""

    session_id: str = ""
    id: str = ""
    type: str = ""
    cnonce: str = ""
    alg: str = ""
    signature: str = ""
    salt: str = ""
    iterations: str = ""
    length: str = ""
    client_cert: str = ""
    version: str = ""

    @property
    def is_proof(self) -> bool:
        """Whether the client means to prove who it is, be it with something missing."""
        return bool(self.id or self.type or self.alg or self.signature)

    @property
    def shows_certificate(self) -> bool:
        """Whether the certificate of the connection is to count."""
        return self.client_cert.lower() == "true"

    @property
    def wants_server_proof(self) -> bool:
        """Whether the node is to prove itself first."""
        return bool(self.cnonce) and not self.id

    @property
    def digest(self) -> bytes:
        """By which a proof is known again: clients send the same header with every request."""
        return sha256("\0".join(self).encode("utf-8", "surrogateescape")).digest()


_NAMES = {
    "sessionid": "session_id", "id": "id", "type": "type", "cnonce": "cnonce", "alg": "alg",
    "signature": "signature", "salt": "salt", "iterations": "iterations", "length": "length",
    "clientcert": "client_cert", "version": "version",
}  # fmt: skip
"""Parameter, lower-case -> field."""


def read_fields(header: str) -> Fields:
    """What stands behind ``Handle``. Raises ``Malformed`` or ``TooLarge``."""
    if len(header) > MAX_HEADER_CHARS:
        raise TooLarge("Authorization: too long")
    text = header.strip().partition(" ")[2]
    said: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            raise Malformed(f'Authorization: name="value" expected at character {at}')
        name, value = found.groups()
        said.append((name, re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value))
        at = found.end()
    return collect(said)


def collect(said: Iterable[tuple[str, str]]) -> Fields:
    """Parameters as fields; unknown ones mean nothing. Raises ``Malformed`` when one is there twice."""
    known: dict[str, str] = {}
    for name, value in said:
        field = _NAMES.get(name.lower())
        if field is None:
            continue
        if field in known:
            raise Malformed(f"Authorization: {name} is there twice")
        known[field] = value
    fields = Fields(**known)
    if fields.version not in {"", VERSION}:
        raise Unsupported(f'Authorization: only version="{VERSION}" is spoken here')
    return fields


def read_cnonce(fields: Fields) -> bytes:
    """The client's chance. Raises ``Malformed`` or ``TooLarge``."""
    cnonce = read_base64("cnonce", fields.cnonce)
    if len(cnonce) > MAX_CNONCE_BYTES:
        raise TooLarge(f"cnonce: {len(cnonce)} bytes, at most {MAX_CNONCE_BYTES} allowed")
    return cnonce


def read_claim(fields: Fields, nonce: bytes) -> Claim:
    """Who the client says it is, and its proof over ``nonce`` ‖ cnonce.

    Raises ``Malformed``, ``TooLarge`` or ``Unsupported``, with words that say which field is wrong.
    """
    user = read_user(fields.id.encode("utf-8", "surrogateescape"), "id")
    handle, index = user.handle, user.index
    if not index:
        raise Malformed("id: the index of the key is needed, 0 is none")
    content = challenge_content(nonce, read_cnonce(fields))
    return Claim(handle, index, read_signed_response(fields), content)


def read_signed_response(fields: Fields) -> Proof:
    """The proof itself, by way of its native form, so that there is one place with limits (RFC 3652 §3.5).

    Raises ``Malformed``, ``TooLarge`` or ``Unsupported``.
    """
    signature = read_base64("signature", fields.signature)
    name = re.sub(r"[^A-Z0-9]", "", fields.alg.upper())
    if name == "MD5":
        raise Unsupported("alg: MD5 proves nothing, use SHA-256 or better")
    writer = Writer()
    if fields.type.upper() == _SECRET:
        code = _MACS.get(name)
        if code is None:
            raise Unsupported(
                "alg: no MAC that is spoken here; use HMAC-SHA256 or PBKDF2-HMAC-SHA1"
            )
        writer.write_u8(code)
        if code == PBKDF2_HMAC_SHA1 and fields.salt:
            writer.write_counted(read_base64("salt", fields.salt))
            writer.write_u32(_read_number("iterations", fields.iterations))
            writer.write_u32(_read_number("length", fields.length))
            writer.write_counted(signature)
        else:
            writer.write_bytes(signature)
    else:
        writer.write_counted(_HASHES.get(name) or fields.alg.encode("utf-8", "surrogateescape"))
        writer.write_counted(signature)
    proof = read_proof(fields.type, writer.finish())
    if proof is None:
        raise Unsupported("type: HS_SECKEY or HS_PUBKEY expected")
    return proof


def read_base64(name: str, text: str) -> bytes:
    """With padding or without, ``-_`` for ``+/``, a blank for an unescaped ``+``. Raises ``Malformed``."""
    if not text:
        raise Malformed(f"{name}: missing")
    plain = text.rstrip("=").translate(_OTHER_BASE64)
    if not plain:
        raise Malformed(f"{name}: not base64")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise Malformed(f"{name}: not base64") from None


def _read_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Malformed(f"{name}: a number expected")
    return int(text)
