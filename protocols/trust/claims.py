"""Claims: what a signature or a certificate says (Handle.Net manual, "Trusted handle resolution"; RFC 7519 §4.1).

::

    {"iss": "301:88.111.1/0.0", "sub": "300:0.NA/88.118", "iat": s, "nbf": s, "exp": s,      every one
     "chain": ["400:0.NA/88.118", …],                                                       where the certificates are
     "digests": {"alg": "SHA-256", "digests": [{"index": 1, "digest": base64}, …]},         HS_SIGNATURE
     "perms": [{"handle": "88.118", "perm": "handlesUnderThisPrefix"}, …],                  HS_CERT
     "publicKey": {JWK}}                                                                    HS_CERT

``iss`` is a key, ``index:handle``. ``sub`` is the key that is certified, or the record that is signed: with an index or
without. Dates are seconds since 1970; one that is missing sets no bound. Members of other tools (``org``, ``sn``,
``exts``) are left alone.
"""

import binascii
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from protocols.errors import Malformed, ProtocolError, TooLarge, Unsupported
from protocols.identifier import Identifier, parse_identifier
from protocols.values.value import MAX_INDEX, Reference, parse_reference

MAX_DIGESTS = 2048
"""As many as a record may have values."""
MAX_PERMISSIONS = 256
MAX_CHAIN = 50
"""Longer chains are refused by the format."""
MAX_TIME_S = 253_402_300_799
"""The end of the year 9999; a date beyond it is a mistake, in milliseconds as a rule."""
DIGEST_ALGORITHM = "SHA-256"
DIGEST_BYTES = 32


class Perm(Enum):
    """What a certificate lets its key sign for, seen from the handle that stands beside it."""

    EVERYTHING = "everything"
    THIS_HANDLE = "thisHandle"
    DERIVED_PREFIXES = "derivedPrefixes"
    HANDLES_UNDER_THIS_PREFIX = "handlesUnderThisPrefix"


class Permission(NamedTuple):
    """One of the ``perms``."""

    handle: str
    perm: Perm

    def __str__(self) -> str:
        return (
            self.perm.value if self.perm is Perm.EVERYTHING else f"{self.perm.value} {self.handle}"
        )


class Claims(NamedTuple):
    """Who says what about whom, and for how long."""

    issuer: Reference
    subject: Reference
    """Index 0 = none was given."""
    issued_s: int | None = None
    not_before_s: int | None = None
    expires_s: int | None = None
    chain: tuple[Reference, ...] = ()
    digests: Mapping[int, bytes] | None = None
    """Index -> SHA-256; None = it signs no values."""
    permissions: tuple[Permission, ...] = ()
    public_key: Mapping[str, object] | None = None
    """As a JWK; None = it certifies no key."""


def read_claims(payload: Mapping[str, object]) -> Claims:
    """Raises ``Malformed``, ``TooLarge``, ``Unsupported``; ``field`` names the member."""
    public_key = payload.get("publicKey")
    if public_key is not None and not isinstance(public_key, dict):
        raise Malformed("publicKey: an object expected", field="publicKey")
    chain = _list(payload.get("chain"), "chain", MAX_CHAIN)
    permissions = _list(payload.get("perms"), "perms", MAX_PERMISSIONS)
    return Claims(
        _read_key(payload.get("iss"), "iss"),
        _read_subject(payload.get("sub")),
        _read_time(payload.get("iat"), "iat"),
        _read_time(payload.get("nbf"), "nbf"),
        _read_time(payload.get("exp"), "exp"),
        chain=tuple(_read_key(one, "chain") for one in chain),
        digests=_read_digests(payload.get("digests")),
        permissions=tuple(map(_read_permission, permissions)),
        public_key=public_key,
    )


def claims_document(claims: Claims, *, plain_subject: bool = False) -> dict[str, object]:
    """The payload that ``read_claims`` reads. ``plain_subject``: ``sub`` is the handle alone."""
    subject = claims.subject
    is_plain = plain_subject or not subject.index
    document: dict[str, object] = {
        "iss": str(claims.issuer),
        "sub": subject.handle if is_plain else str(subject),
    }
    times = (claims.issued_s, claims.not_before_s, claims.expires_s)
    document |= {k: t for k, t in zip(("iat", "nbf", "exp"), times, strict=True) if t is not None}
    if claims.chain:
        document["chain"] = [str(one) for one in claims.chain]
    if claims.digests is not None:
        rows = [
            {"index": index, "digest": binascii.b2a_base64(digest, newline=False).decode()}
            for index, digest in sorted(claims.digests.items())
        ]
        document["digests"] = {"alg": DIGEST_ALGORITHM, "digests": rows}
    if claims.public_key is not None:
        document["publicKey"] = dict(claims.public_key)
        perms = [{"handle": one.handle, "perm": one.perm.value} for one in claims.permissions]
        document["perms"] = perms
    return document


def folded(handle: str) -> bytes:
    """The spelling to compare by. Raises ``Malformed`` when it is no handle."""
    return parse_identifier(handle).folded()


def identifier_of(handle: str) -> Identifier | None:
    """None when it is no handle."""
    try:
        return parse_identifier(handle)
    except ProtocolError:
        return None


def _read_key(member: object, field: str) -> Reference:
    if not isinstance(member, str):
        raise Malformed(f"{field}: INDEX:HANDLE expected", field=field)
    try:
        return parse_reference(member)
    except ProtocolError as error:
        raise Malformed(f"{field}: {error}", field=field) from None


def _read_subject(member: object) -> Reference:
    if not isinstance(member, str):
        raise Malformed("sub: a handle or INDEX:HANDLE expected", field="sub")
    index, colon, _ = member.partition(":")
    if colon and index.isascii() and index.isdigit():
        return _read_key(member, "sub")
    if identifier_of(member) is None:
        raise Malformed(f"sub: {member[:80]!r} is not a handle", field="sub")
    return Reference(member, 0)


def _read_time(member: object, field: str) -> int | None:
    if member is None:
        return None
    if isinstance(member, bool) or not isinstance(member, int | float):
        raise Malformed(f"{field}: seconds since 1970 expected", field=field)
    if not 0 <= member <= MAX_TIME_S:
        raise Malformed(f"{field}: {member} is no date in seconds since 1970", field=field)
    return int(member)


def _read_permission(member: object) -> Permission:
    if not isinstance(member, dict):
        raise Malformed("perms: objects with handle and perm expected", field="perms")
    handle, perm = member.get("handle", ""), member.get("perm")
    known = {one.value: one for one in Perm}
    if not isinstance(perm, str) or perm not in known:
        raise Unsupported(
            f"perms: {str(perm)[:40]!r} is not one of {', '.join(known)}", field="perms"
        )
    if known[perm] is Perm.EVERYTHING:
        return Permission(handle if isinstance(handle, str) else "", Perm.EVERYTHING)
    if not isinstance(handle, str) or identifier_of(handle) is None:
        raise Malformed(f"perms: {perm} needs a handle", field="perms")
    return Permission(handle, known[perm])


def _read_digests(member: object) -> Mapping[int, bytes] | None:
    if member is None:
        return None
    if not isinstance(member, dict):
        raise Malformed("digests: an object with alg and digests expected", field="digests")
    algorithm = member.get("alg")
    if not isinstance(algorithm, str) or algorithm.upper() not in (DIGEST_ALGORITHM, "SHA256"):
        raise Unsupported(
            f"digests: {str(algorithm)[:40]!r} is not {DIGEST_ALGORITHM}", field="digests"
        )
    found: dict[int, bytes] = {}
    for row in _list(member.get("digests"), "digests", MAX_DIGESTS):
        index, digest = _read_digest(row)
        if index in found:
            raise Malformed(f"digests: index {index} occurs twice", field="digests")
        found[index] = digest
    return found


def _read_digest(row: object) -> tuple[int, bytes]:
    index = row.get("index") if isinstance(row, dict) else None
    text = row.get("digest") if isinstance(row, dict) else None
    if isinstance(index, bool) or not isinstance(index, int) or not isinstance(text, str):
        raise Malformed("digests: objects with index and digest expected", field="digests")
    try:
        digest = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES or not 0 < index <= MAX_INDEX:
        raise Malformed(f"digests: no {DIGEST_ALGORITHM} digest at index {index}", field="digests")
    return index, digest


def _list(member: object, field: str, most: int) -> Sequence[object]:
    if member is None:
        return ()
    if not isinstance(member, list):
        raise Malformed(f"{field}: a list expected", field=field)
    if len(member) > most:
        raise TooLarge(f"{field}: {len(member)} entries, at most {most} allowed", field=field)
    return member
