"""Signing: what a message's credential is over, and how it is made and checked (RFC 3652 §2.2.4).

====================== ============================================================================
version                signed content
====================== ============================================================================
2.8 and above          major, minor, suggested major, suggested minor · session id · request id ·
                       counter · header · body
2.7                    the same without the two suggested bytes
2.5-2.6 MAC,           a layout that is a bug of its time: not spoken
2.6 signature
below                  header · body
====================== ============================================================================

A MAC is under the session key: HMAC-SHA256 from 2.7, before that SHA-1(key ‖ content ‖ key).
"""

import hmac
from enum import Enum

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from protocols.errors import Malformed, Unsupported
from protocols.handle.credential import MAC_TYPE, SIGNED_TYPE, Credential
from protocols.handle.envelope import Envelope
from protocols.handle.macs import ACCEPTED_MACS, code_of, mac
from protocols.handle.signatures import SHA1, SHA256, VerifyingKey, sign, verify
from protocols.handle.versions import Version, since


class Layout(Enum):
    """Which fields stand before header and body."""

    FULL = "version, suggested version, session, request, counter"
    SHORT = "version, session, request, counter"
    BROKEN = "not spoken"
    BARE = "nothing"


LAYOUTS: dict[str, tuple[tuple[Version, Layout], ...]] = {
    MAC_TYPE: (
        ((2, 8), Layout.FULL),
        ((2, 7), Layout.SHORT),
        ((2, 5), Layout.BROKEN),
        ((2, 1), Layout.BARE),
    ),
    SIGNED_TYPE: (
        ((2, 8), Layout.FULL),
        ((2, 7), Layout.SHORT),
        ((2, 6), Layout.BROKEN),
        ((2, 1), Layout.BARE),
    ),
}

MAC_ALGORITHM_BY_VERSION: tuple[tuple[Version, bytes], ...] = (
    ((2, 7), b"HMAC-SHA256"),
    ((2, 6), b"SHA1"),
    ((2, 1), b"\x02"),
)
HASH_BY_VERSION: tuple[tuple[Version, bytes], ...] = (((2, 7), SHA256), ((2, 1), SHA1))


def signed_content(type_: str, envelope: Envelope, counter: int, payload: bytes) -> bytes:
    """The bytes a credential of ``type_`` is over; ``payload`` = header and body as received or to be sent.

    Raises ``Unsupported`` for other types and for the versions whose layout is not spoken.
    """
    if type_ not in LAYOUTS:
        raise Unsupported(f"credential type {type_!r}")
    layout = since(LAYOUTS[type_], envelope.version)
    if layout is Layout.BROKEN:
        raise Unsupported(f"{type_} of version {envelope.major}.{envelope.minor}")
    if layout is Layout.BARE:
        return payload
    versions = [envelope.major, envelope.minor]
    if layout is Layout.FULL:
        versions += [envelope.suggested_major, envelope.suggested_minor]
    ids = (envelope.session_id, envelope.request_id, counter)
    return bytes(versions) + b"".join(number.to_bytes(4) for number in ids) + payload


def make_mac(session_key: bytes, envelope: Envelope, counter: int, payload: bytes) -> Credential:
    """The credential of a message inside a session."""
    content = signed_content(MAC_TYPE, envelope, counter, payload)
    algorithm = since(MAC_ALGORITHM_BY_VERSION, envelope.version)
    return Credential(MAC_TYPE, algorithm, mac(code_of(algorithm), session_key, content), counter)


def mac_is_right(
    credential: Credential, session_key: bytes, envelope: Envelope, payload: bytes
) -> bool:
    """In constant time; the counter's freshness is the caller's to check. Raises ``Unsupported``, ``Malformed``."""
    _check_type(credential, MAC_TYPE)
    code = code_of(credential.algorithm)
    if code not in ACCEPTED_MACS:
        raise Unsupported(f"MAC algorithm {credential.algorithm!r}")
    content = signed_content(MAC_TYPE, envelope, credential.counter, payload)
    return hmac.compare_digest(credential.signature, mac(code, session_key, content))


def make_signature(
    key: RSAPrivateKey, envelope: Envelope, counter: int, payload: bytes
) -> Credential:
    """The credential of an answer signed with the server's key."""
    content = signed_content(SIGNED_TYPE, envelope, counter, payload)
    hash_name = since(HASH_BY_VERSION, envelope.version)
    return Credential(SIGNED_TYPE, hash_name, sign(key, hash_name, content), counter)


def signature_is_right(
    credential: Credential, key: VerifyingKey, envelope: Envelope, payload: bytes
) -> bool:
    """Raises ``Unsupported`` (hash, key length, version) and ``Malformed`` (another credential type)."""
    _check_type(credential, SIGNED_TYPE)
    content = signed_content(SIGNED_TYPE, envelope, credential.counter, payload)
    return verify(key, credential.algorithm, content, credential.signature)


def _check_type(credential: Credential, expected: str) -> None:
    if credential.type != expected:
        raise Malformed(f"credential type {credential.type!r} instead of {expected}")
