"""Client certificates: whom a certificate names, and whether the key in it is his (Handle.Net manual, RFC 5280).

A certificate says ``index:handle`` in its CN or UID; nobody need have signed it but its owner. It counts when the key
in it is the HS_PUBKEY value there, and while its own dates say so. That the client has the private key, the handshake
has proved (``node/listeners/tls.py``).
"""

import contextlib
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from protocols.errors import Malformed, ProtocolError
from protocols.values.key_objects import VerifyingKey, load_key
from protocols.values.keys import decode_public_key
from protocols.values.sm2 import Sm2PublicKey
from protocols.values.value import NoReference, Reference, parse_reference

KEY_TYPE = "HS_PUBKEY"

_NAMES = (NameOID.USER_ID, NameOID.COMMON_NAME)


class Shown(NamedTuple):
    """What a certificate says."""

    user: Reference
    public_key: bytes
    """X.509 SubjectPublicKeyInfo (DER)."""


def read_certificate(der: bytes, wall_s: float) -> Shown:
    """Raises ``Malformed``, in words that say what is wrong with the certificate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        public_key = certificate.public_key()
        spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        subject = certificate.subject
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Malformed("client certificate: cannot be read") from None
    now = datetime.fromtimestamp(wall_s, UTC)
    if now < begins:
        raise Malformed(f"client certificate: not valid before {begins:%Y-%m-%dT%H:%M:%SZ}")
    if now > ends:
        raise Malformed(f"client certificate: expired at {ends:%Y-%m-%dT%H:%M:%SZ}")
    return Shown(_read_user(subject), spki)


def is_same_key(public_key: bytes, data: bytes) -> bool:
    """Whether HS_PUBKEY data holds the key of a certificate."""
    try:
        stored: VerifyingKey = load_key(decode_public_key(data))
    except ProtocolError:
        return False
    if isinstance(stored, Sm2PublicKey):
        return False  # TLS knows no such certificates
    return stored.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == public_key


def _read_user(subject: x509.Name) -> Reference:
    for oid in _NAMES:
        for attribute in subject.get_attributes_for_oid(oid):
            value = attribute.value
            text = value if isinstance(value, str) else value.decode("utf-8", "replace")
            with contextlib.suppress(NoReference):
                user = parse_reference(text)
                if user.index:  # 0 is the index of no key
                    return user
    raise Malformed("client certificate: neither UID nor CN is index:handle, e.g. 300:0.NA/88.118")
