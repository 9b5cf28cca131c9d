"""What a faulty peer knows and how it misbehaves. Change ``peer.behaviour`` at any time; the next question feels it."""

from enum import Enum
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from protocols.handle.codes import ResponseCode
from protocols.trail import Trail
from protocols.values.value import Value


class Mode(Enum):
    """The main thing that is wrong."""

    ANSWER = "answer"
    """Nothing."""
    SILENT = "silent"
    """Accepts and reads, never answers."""
    CLOSE_WITHOUT_ANSWER = "close-without-answer"
    """TCP and HTTP: closes instead of answering; UDP: silence."""
    RESET_IN_FRAME = "reset-in-frame"
    """Sends half an answer, then resets the connection (UDP: half a datagram)."""
    GARBAGE = "garbage"
    """Bytes of no protocol."""
    GARBAGE_BODY = "garbage-body"
    """The right envelope, nonsense in it (HTTP: JSON that is no record)."""
    WRONG_ID = "wrong-id"
    """The answer under another request id (HTTP has none: as WRONG_IDENTIFIER)."""
    WRONG_IDENTIFIER = "wrong-identifier"
    """The answer under another identifier."""
    HUGE = "huge"
    """A record just below the limit, for whatever is asked."""
    TOO_LONG = "too-long"
    """A message one byte above the limit, all of it."""
    EXPIRED = "expired"
    """An answer whose expiration is an hour past."""
    ENDLESS_FRAMES = "endless-frames"
    """Answers that nobody asked for, for ever (HTTP: a body without end)."""
    ENDLESS_FRAME = "endless-frame"
    """The largest allowed message is announced and begun, and never finished."""


class Canned(NamedTuple):
    """The answer for one identifier."""

    code: int = ResponseCode.SUCCESS
    values: tuple[Value, ...] = ()
    referral: bytes = b""
    """With RC 302 or 303 and no values: the handle to ask."""
    text: str = ""
    trail: Trail | None = None


ABSENT = Canned(ResponseCode.HANDLE_NOT_FOUND, text="no such handle")


class Behaviour(NamedTuple):
    """Everything besides the records."""

    mode: Mode = Mode.ANSWER
    delay_s: float = 0.0
    """Before each answer; questions behind each other wait at the same time."""
    loss: float = 0.0
    """Share of questions that are passed over in silence."""
    flap_s: float = 0.0
    """Answers for so long, is silent for so long, and so on; 0 = steady."""
    closes_after: int = 0
    """TCP: closes a connection after so many answers (1 = the classic server); 0 = keeps it."""
    forged_before: int = 0
    """UDP: so many packets with wrong ids go out before the answer."""
    forged_identifier_before: bool = False
    """UDP: and one with the right id for another identifier."""
    is_udp_too_small: bool = False
    """UDP: RC 2 instead of every answer."""
    is_tcp_silent: bool = False
    """Whatever else it does over UDP and HTTP."""
    sets_truncated: bool = True
    """UDP: the flag on answers in several packets."""
    signs_with: RSAPrivateKey | None = None
    """Signs answers to questions with CERT."""
    signs_with_digest: bool = True
    """Answers to questions with RRDG name their request."""
    site_keys: tuple[bytes, ...] = ()
    """HS_PUBKEY data told by get-site-info, one server for each."""
    http_status: int = 0
    """Instead of the right one."""


WELL = Behaviour()


class Asked(NamedTuple):
    """One question as it came."""

    transport: str
    identifier: bytes
    port: int
    """The asker's."""
    request_id: int = 0
    flags: int = 0
    hop_count: int = 0
    surplus: bytes = b""
    """Native: behind the type list."""
    target: str = ""
    """HTTP: path and query."""
    headers: tuple[tuple[str, str], ...] = ()
    """HTTP: names in lower case."""
