"""Requests and proofs of the native protocol, as any client would make them; no IO.

``Fields`` are the parts of a request that checks vary; what they leave alone is what a Java client sends.
"""

import secrets
from typing import NamedTuple

from conformance.clock import now_s
from conformance.outcome import Failed, Unable
from conformance.target import Account
from protocols.errors import ProtocolError
from protocols.handle.authentication import PUBLIC_KEY, SECRET_KEY, Challenge, ChallengeAnswer
from protocols.handle.codec import Body, Message, decode, encode
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS
from protocols.handle.credential import Credential
from protocols.handle.envelope import ENVELOPE_BYTES, HEADER_BYTES, Envelope
from protocols.handle.header import DEFAULT_EXPIRATION_S, UNKNOWN_SERIAL, Header
from protocols.handle.macs import PBKDF2_HMAC_SHA1, mac
from protocols.handle.proof import (
    SecretProof,
    challenge_content,
    encode_secret_proof,
    prove_key,
    prove_secret,
)
from protocols.handle.versions import OWN, Version

BODY_OFFSET = ENVELOPE_BYTES + HEADER_BYTES


class Fields(NamedTuple):
    """What stands around the body of a request."""

    flags: int = DEFAULT_REQUEST_FLAGS
    session_id: int = 0
    request_id: int | None = None
    """None = a random one."""
    version: Version = OWN
    suggested: Version = OWN
    envelope_flags: int = 0
    recursion_count: int = 0
    site_serial: int = UNKNOWN_SERIAL
    expiration_s: int | None = None
    """None = in twelve hours."""
    credential: Credential | None = None
    has_credential_length: bool = True
    surplus: bytes = b""
    """After the credential."""


PLAIN = Fields()


class Exchange(NamedTuple):
    """A request and its answer."""

    sent: bytes
    """The whole request."""
    answer: Message
    raw: bytes
    """The whole answer."""

    @property
    def code(self) -> int:
        """The answer's response code."""
        return self.answer.header.response_code

    @property
    def sent_payload(self) -> bytes:
        """Header and body of the request: what digests are over."""
        return payload_of(self.sent)


def make_request(op_code: int, body: Body, fields: Fields = PLAIN) -> Message:
    """The message; ``encode`` makes the bytes."""
    request_id = fields.request_id if fields.request_id is not None else new_request_id()
    envelope = Envelope(
        *fields.version, fields.envelope_flags, *fields.suggested, fields.session_id, request_id
    )
    expires_s = fields.expiration_s
    if expires_s is None:
        expires_s = now_s() + DEFAULT_EXPIRATION_S
    header = Header(
        op_code,
        0,
        fields.flags,
        fields.site_serial,
        fields.recursion_count,
        expiration_s=expires_s,
    )
    return Message(
        envelope,
        header,
        body,
        credential=fields.credential,
        has_credential_length=fields.has_credential_length,
        surplus=fields.surplus,
    )


def request_bytes(op_code: int, body: Body, fields: Fields = PLAIN) -> bytes:
    """``make_request``, encoded."""
    return encode(make_request(op_code, body, fields))


def new_request_id() -> int:
    """Random, never 0."""
    return secrets.randbelow(2**31 - 1) + 1


def payload_of(message: bytes) -> bytes:
    """Header and body of a whole message."""
    size = int.from_bytes(message[BODY_OFFSET - 4 : BODY_OFFSET])
    return message[ENVELOPE_BYTES : BODY_OFFSET + size]


def read_answer(raw: bytes) -> Message:
    """Raises ``Failed`` when it breaks the format, or is no answer."""
    try:
        answer = decode(raw)
    except ProtocolError as error:
        raise Failed("an answer in the protocol's format", f"{error}: {raw[:64].hex()}") from None
    if answer.header.is_request:
        raise Failed("an answer", f"a request, with response code 0: {raw[:64].hex()}")
    return answer


def challenge_of(exchange: Exchange) -> bytes:
    """nonce ‖ request digest, out of a challenge: what must be signed. Raises ``Failed`` when it is none."""
    body, digest = exchange.answer.body, exchange.answer.digest
    if not isinstance(body, Challenge) or digest is None:
        raise Failed("a challenge (RC 402, request digest, nonce)", f"RC {exchange.code}")
    return challenge_content(body.nonce, digest.value)


def sign_challenge(
    account: Account, content: bytes, *, version: Version = OWN, mac_code: int | None = None
) -> ChallengeAnswer:
    """The body of op 200. By key where there is one; ``mac_code`` chooses the algorithm of a secret."""
    if account.secret is None:
        if account.key is None:
            raise Unable(f"{account.reference} has neither secret nor key")
        response, type_ = prove_key(version, account.key, content), PUBLIC_KEY
    else:
        response, type_ = _by_secret(account.secret, content, version, mac_code), SECRET_KEY
    return ChallengeAnswer(type_, account.handle, account.index, response)


def _by_secret(secret: bytes, content: bytes, version: Version, mac_code: int | None) -> bytes:
    if mac_code is None or mac_code == PBKDF2_HMAC_SHA1:
        return prove_secret(version, secret, content, secrets.token_bytes(16))
    return encode_secret_proof(SecretProof(mac_code, mac(mac_code, secret, content)))
