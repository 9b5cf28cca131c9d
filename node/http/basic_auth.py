"""Basic authentication: ``Authorization: Basic`` + base64 of ``user:password`` (RFC 7617, Handle.Net manual).

The user is ``index:handle`` percent-encoded, so that its own ``:`` is not taken for the one before the password:
``300%3A88.118%2Fadmin:secret``. The pair is split at the first ``:`` *before* percent-decoding. The password is the
HS_SECKEY value at that index of that handle.
"""

import base64
from typing import NamedTuple

from node.http.target import decode_path
from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.values.value import NoReference, Reference, parse_reference

MAX_CREDENTIAL_CHARS = 8192
"""A longest handle, percent-encoded and in base64; secrets are short."""


class Login(NamedTuple):
    """Who claims to be there, and the proof."""

    handle: str
    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    secret: bytes


def read_basic(header: str) -> Login:
    """The header's value to a login. Raises ``Unsupported`` (another scheme), ``Malformed`` or ``TooLarge``."""
    scheme, blank, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        # One word alone is a bare token, and nothing secret is repeated in answers.
        named = f"scheme {scheme[:20]!r}" if blank else "what stands there"
        raise Unsupported(f"Authorization: {named} is not spoken here, use Basic")
    if len(encoded) > MAX_CREDENTIAL_CHARS:
        raise TooLarge("Authorization: too long")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:  # binascii.Error is one, and so is text that is not ASCII
        raise Malformed("Authorization: not base64") from None
    user, colon, secret = pair.partition(b":")
    if not colon:
        raise Malformed("Authorization: no ':' between user and password")
    claimed = read_user(user, "Authorization")
    return Login(claimed.handle, claimed.index, secret)


def read_user(user: bytes, where: str) -> Reference:
    """``index:handle``, percent-encoded. ``where`` begins the errors. Raises ``Malformed`` or ``TooLarge``.

    What was sent is not repeated: it may be a password in the wrong place.
    """
    try:
        text = decode_path(user).decode()
    except UnicodeDecodeError:
        raise Malformed(f"{where}: the user is not UTF-8") from None
    try:
        return parse_reference(text)
    except NoReference:
        if ":" in text:
            raise Malformed(f"{where}: the index before the handle must be a number") from None
        raise Malformed(
            f"{where}: the user must be index:handle with ':' written as %3A, e.g. 300%3A0.NA/88.118"
        ) from None
