"""``Authorization: Handle``: a challenge out of a 401, and proofs over it (Handle.Net manual, JSON API)."""

import base64
import re
import secrets
import urllib.parse
from typing import NamedTuple

from conformance.http_client import FieldList, HttpAnswer
from conformance.outcome import Failed, NotOffered, Unable
from conformance.target import Account
from protocols.handle.macs import HMAC_SHA1, HMAC_SHA256, SHA1, SHA256, mac
from protocols.handle.proof import Derivation, derive_key
from protocols.handle.signatures import SHA256 as SHA256_NAME
from protocols.handle.signatures import sign

NONCE_BYTES = 16
PBKDF2 = "PBKDF2-HMAC-SHA1"
ITERATIONS, KEY_BITS = 10_000, 160
"""Of the derivation that Java clients use."""
MACS = {"SHA1": SHA1, "SHA-256": SHA256, "HMAC-SHA1": HMAC_SHA1, "HMAC-SHA256": HMAC_SHA256}
"""Names in ``alg`` -> the function."""

_SCHEME = re.compile(r'(?:^|,\s*)Handle\s+((?:[A-Za-z]+="[^"]*"(?:,\s*)?)+)')
_PARAMETER = re.compile(r'([A-Za-z]+)="([^"]*)"')


class Challenge(NamedTuple):
    """A session in which nobody has proved anything yet."""

    session_id: str
    nonce: bytes


def offered_parameters(answer: HttpAnswer) -> dict[str, str]:
    """Those of ``Handle`` in WWW-Authenticate, {} without it."""
    for line in answer.all("WWW-Authenticate"):
        found = _SCHEME.search(line)
        if found:
            return dict(_PARAMETER.findall(found[1]))
    return {}


def challenge_in(answer: HttpAnswer) -> Challenge:
    """Out of a 401. Raises ``NotOffered`` when there is none, ``Failed`` when it is incomplete."""
    said = offered_parameters(answer)
    if not said:
        raise NotOffered("the 401 has no Handle challenge")
    return read_challenge(said)


def read_challenge(said: dict[str, str] | dict[str, object]) -> Challenge:
    """Of a header or a document. Raises ``Failed``."""
    session_id, nonce = said.get("sessionId"), said.get("nonce")
    if not session_id or not isinstance(nonce, str):
        raise Failed("sessionId and nonce", str(said))
    try:
        return Challenge(str(session_id), base64.b64decode(nonce, validate=True))
    except ValueError:
        raise Failed("a nonce in base64", nonce) from None


def prove_by_secret(challenge: Challenge, account: Account, alg: str) -> dict[str, str]:
    """The fields of a proof by HS_SECKEY."""
    if account.secret is None:
        raise Unable(f"{account.reference} has no secret")
    fields = _claim(challenge, account, "HS_SECKEY") | {"alg": alg}
    content = challenge.nonce + base64.b64decode(fields["cnonce"])
    if alg != PBKDF2:
        return fields | {"signature": _base64(mac(MACS[alg], account.secret, content))}
    salt = secrets.token_bytes(16)
    key = derive_key(account.secret, Derivation(salt, ITERATIONS, KEY_BITS))
    derivation = {"salt": _base64(salt), "iterations": str(ITERATIONS), "length": str(KEY_BITS)}
    return fields | derivation | {"signature": _base64(mac(HMAC_SHA1, key, content))}


def prove_by_key(challenge: Challenge, account: Account) -> dict[str, str]:
    """The fields of a proof by the RSA key of an HS_PUBKEY."""
    assert account.key is not None, "the account has a key"
    fields = _claim(challenge, account, "HS_PUBKEY") | {"alg": "SHA-256"}
    content = challenge.nonce + base64.b64decode(fields["cnonce"])
    return fields | {"signature": _base64(sign(account.key, SHA256_NAME, content))}


def header(fields: dict[str, str]) -> FieldList:
    """``Authorization: Handle`` with these fields."""
    text = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    return (("Authorization", f"Handle {text}"),)


def _claim(challenge: Challenge, account: Account, type_: str) -> dict[str, str]:
    return {
        "sessionId": challenge.session_id,
        "id": urllib.parse.quote(account.reference, safe=""),
        "type": type_,
        "cnonce": _base64(secrets.token_bytes(NONCE_BYTES)),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
