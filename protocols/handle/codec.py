"""Codec: bytes <-> message. Envelope, header, body and credential in one piece (RFC 3652 §2.2).

Start here. ``decode`` looks the body up in three tables: requests by op code, successful answers by op code, other
answers by response code. Every body keeps what it did not understand (``surplus``), so that decode and encode give
the same bytes; digests and signatures are taken over ``Message.received``, never over a re-encoding.

Encrypted messages go through ``encryption`` first, several packets through ``fragments``, a TCP byte stream
through ``stream``.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, Unsupported
from protocols.handle.administration import (
    CreateAnswer,
    Done,
    HandleRequest,
    RemoveRequest,
    ValuesRequest,
)
from protocols.handle.authentication import (
    Challenge,
    ChallengeAnswer,
    LoginRequest,
    VerifyAnswer,
    VerifyRequest,
)
from protocols.handle.codes import OpCode, ResponseCode, read_code
from protocols.handle.credential import Credential, read_credential, write_credential
from protocols.handle.digest import Digest, read_digest, write_digest
from protocols.handle.envelope import (
    COMPRESSED,
    ENCRYPTED,
    ENVELOPE_BYTES,
    HEADER_BYTES,
    Envelope,
    decode_envelope,
    encode_envelope,
)
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import Header, decode_header, encode_header
from protocols.handle.listing import NamesAnswer
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.sessions import (
    KeyExchangeRequest,
    SessionSetupAnswer,
    SessionSetupRequest,
)
from protocols.handle.site_info import SiteAnswer
from protocols.handle.transactions import (
    Private,
    TransactionNumber,
    TransactionsAnswer,
    TransactionsRequest,
)
from protocols.handle.versions import DO_IRP_3, JSON_STATE, MAJORS, OLDEST, Version

BODY_OFFSET = ENVELOPE_BYTES + HEADER_BYTES


class Body(Protocol):
    """What every message body can do: write itself. Reading is a class method, see the tables."""

    def write(self, writer: Writer) -> None:
        """Append the body's fields."""


Decoder = Callable[[Reader], Body]

REQUESTS: dict[int, Decoder] = {
    OpCode.RESOLVE: ResolveRequest.read,
    OpCode.GET_SITE_INFO: HandleRequest.read,
    OpCode.CREATE: ValuesRequest.read,
    OpCode.DELETE: HandleRequest.read,
    OpCode.ADD_VALUE: ValuesRequest.read,
    OpCode.REMOVE_VALUE: RemoveRequest.read,
    OpCode.MODIFY_VALUE: ValuesRequest.read,
    OpCode.LIST_HANDLES: HandleRequest.read,
    OpCode.LIST_DERIVED_PREFIXES: HandleRequest.read,
    OpCode.CHALLENGE_ANSWER: ChallengeAnswer.read,
    OpCode.VERIFY_CHALLENGE: VerifyRequest.read,
    OpCode.HOME_PREFIX: HandleRequest.read,
    OpCode.UNHOME_PREFIX: HandleRequest.read,
    OpCode.LIST_HOMED_PREFIXES: HandleRequest.read,
    OpCode.SESSION_SETUP: SessionSetupRequest.read,
    OpCode.SESSION_TERMINATE: HandleRequest.read,
    OpCode.SESSION_EXCHANGE_KEY: KeyExchangeRequest.read,
    OpCode.NEXT_TRANSACTION: HandleRequest.read,
    OpCode.RETRIEVE_TRANSACTIONS: TransactionsRequest.read,
    OpCode.DUMP_HANDLES: Private.read,
    OpCode.BACKUP_SERVER: HandleRequest.read,
    OpCode.SDK_LOGIN: LoginRequest.read,
}

ANSWERS: dict[int, Decoder] = {
    OpCode.RESOLVE: ResolveAnswer.read,
    OpCode.GET_SITE_INFO: SiteAnswer.read,
    OpCode.CREATE: CreateAnswer.read,
    OpCode.DELETE: Done.read,
    OpCode.ADD_VALUE: Done.read,
    OpCode.REMOVE_VALUE: Done.read,
    OpCode.MODIFY_VALUE: Done.read,
    OpCode.LIST_HANDLES: NamesAnswer.read,
    OpCode.LIST_DERIVED_PREFIXES: NamesAnswer.read,
    OpCode.CHALLENGE_ANSWER: Done.read,
    OpCode.VERIFY_CHALLENGE: VerifyAnswer.read,
    OpCode.HOME_PREFIX: Done.read,
    OpCode.UNHOME_PREFIX: Done.read,
    OpCode.LIST_HOMED_PREFIXES: NamesAnswer.read,
    OpCode.SESSION_SETUP: SessionSetupAnswer.read,
    OpCode.SESSION_TERMINATE: Done.read,
    OpCode.SESSION_EXCHANGE_KEY: Done.read,
    OpCode.NEXT_TRANSACTION: TransactionNumber.read,
    OpCode.RETRIEVE_TRANSACTIONS: TransactionsAnswer.read,
    OpCode.DUMP_HANDLES: Private.read,
    OpCode.BACKUP_SERVER: Done.read,
    OpCode.SDK_LOGIN: Done.read,
}

REQUESTS_BEFORE: dict[int, tuple[Version, Decoder]] = {
    OpCode.RETRIEVE_TRANSACTIONS: (JSON_STATE, TransactionsRequest.read_before_2_9),
}
"""Requests that peers below the version spell in another way."""

FAILURES: dict[int, Decoder] = {
    ResponseCode.SERVICE_REFERRAL: Referral.read,
    ResponseCode.PREFIX_REFERRAL: Referral.read,
    ResponseCode.AUTHENTICATION_NEEDED: Challenge.read,
}
"""By response code, whatever the op code; all others are error answers."""


class Message(NamedTuple):
    """One whole message. Lengths in ``envelope`` are counted anew by ``encode``."""

    envelope: Envelope
    header: Header
    body: Body
    digest: Digest | None = None
    """Digest of the request, in answers whose header says so."""
    credential: Credential | None = None
    has_credential_length: bool = True
    """False: the message ends after the body, as the national SDK's login does; means an empty credential."""
    surplus: bytes = b""
    """After the credential."""
    received: bytes = b""
    """Header and body as they came; what digests and signatures are over. Empty in messages made here."""


class Head(NamedTuple):
    """What is known before the body is read: enough to answer with an error."""

    envelope: Envelope
    header: Header
    received: bytes
    """Header and body, the body as long as the header says or as far as there is one."""


def decode_head(data: bytes) -> Head:
    """Envelope and header alone, of a message whose body may be bad. Raises ``Malformed`` when they are cut off."""
    envelope = decode_envelope(data)
    header, body_length = decode_header(data, ENVELOPE_BYTES)
    return Head(envelope, header, bytes(data[ENVELOPE_BYTES : BODY_OFFSET + body_length]))


def decode(data: bytes) -> Message:
    """One whole message: envelope and the bytes it announces, in plain.

    Raises ``Malformed``, ``TooLarge``, or ``Unsupported`` (version, op code, compressed or encrypted envelope).
    """
    envelope = decode_envelope(data)
    _check_envelope(envelope, len(data) - ENVELOPE_BYTES)
    header, body_length = decode_header(data, ENVELOPE_BYTES)
    body_end = BODY_OFFSET + body_length
    if body_end > len(data):
        raise Malformed(f"body: length {body_length} runs past the end", BODY_OFFSET - 4)
    decoder = _decoder(header, envelope.version)
    reader = Reader(data, BODY_OFFSET, body_end)
    digest = read_digest(reader) if header.carries_digest else None
    body = decoder(reader)
    tail = Reader(data, body_end)
    has_credential_length = tail.remaining > 0
    credential = read_credential(tail) if has_credential_length else None
    received = bytes(data[ENVELOPE_BYTES:body_end])
    return Message(
        envelope, header, body, digest, credential, has_credential_length,
        tail.read_rest(), received,
    )  # fmt: skip


def encode(message: Message) -> bytes:
    """The inverse of ``decode``. A number too big for its field raises ``OverflowError`` or ``struct.error``."""
    payload = encode_payload(message)
    tail = Writer()
    if message.has_credential_length:
        write_credential(tail, message.credential)
    tail.write_bytes(message.surplus)
    envelope = message.envelope._replace(length=len(payload) + len(tail))
    return encode_envelope(envelope) + payload + tail.finish()


def encode_payload(message: Message) -> bytes:
    """Header and body: what digests, MACs and signatures are over."""
    writer = Writer()
    if message.digest is not None:
        write_digest(writer, message.digest)
    message.body.write(writer)
    return encode_header(message.header, len(writer)) + writer.finish()


def _check_envelope(envelope: Envelope, received_bytes: int) -> None:
    if envelope.major not in MAJORS or envelope.version < OLDEST:
        raise Unsupported(f"version {envelope.major}.{envelope.minor}", 0)
    if envelope.flags & (COMPRESSED | ENCRYPTED):
        what = "encrypted" if envelope.flags & ENCRYPTED else "compressed"
        raise Unsupported(f"{what} envelope", 2)
    if envelope.length != received_bytes:
        raise Malformed(
            f"envelope says {envelope.length} bytes follow, {received_bytes} do", ENVELOPE_BYTES - 4
        )


def _decoder(header: Header, version: Version) -> Decoder:
    if not header.is_request and header.response_code != ResponseCode.SUCCESS:
        plain = ErrorAnswer.read_with_indexes if version >= DO_IRP_3 else ErrorAnswer.read
        return FAILURES.get(read_code(header.response_code, version), plain)
    decoder = (REQUESTS if header.is_request else ANSWERS).get(header.op_code)
    if decoder is None:
        raise Unsupported(f"op code {header.op_code}", ENVELOPE_BYTES)
    if header.is_request and header.op_code in REQUESTS_BEFORE:
        changed_in, older = REQUESTS_BEFORE[header.op_code]
        return decoder if version >= changed_in else older
    return decoder
