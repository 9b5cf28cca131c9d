"""Envelope: the 20 bytes in front of every TCP message and in every UDP packet (RFC 3652 §2.2.1).

====== ==== ==================================================================================
offset size field
====== ==== ==================================================================================
0      1    major version
1      1    minor version
2      1    0x80 compressed · 0x40 encrypted · 0x20 truncated · low 5 bits: suggested major
3      1    suggested minor: with the suggested major, the highest version the sender speaks
4      4    session id; 0 = none; in a challenge, the id of the pending challenge
8      4    request id, chosen by the client and echoed
12     4    sequence: number of the packet within the message, from 0; 0 on TCP
16     4    length: bytes after the envelope of the whole message (encrypted: of IV and ciphertext)
====== ==== ==================================================================================
"""

import struct
from enum import Enum
from typing import NamedTuple

from protocols.errors import Malformed
from protocols.handle.codes import ResponseCode
from protocols.handle.versions import MAJORS, OLDEST, OWN, Version

COMPRESSED, ENCRYPTED, TRUNCATED = 0x80, 0x40, 0x20
FLAGS_MASK, SUGGESTED_MAJOR_MASK = 0xE0, 0x1F

LAYOUT = struct.Struct(">BBBBIIII")
ENVELOPE_BYTES = LAYOUT.size
HEADER_BYTES = 24
"""Declared here because a packet without a whole header cannot be answered."""
MAX_MESSAGE_BYTES = 262_144
"""After the envelope; what the reference decoders accept."""

_RESPONSE_CODE = struct.Struct(">24xI")


class Envelope(NamedTuple):
    """The fields in wire order. ``flags`` holds the top three bits of byte 2 only."""

    major: int = OWN[0]
    minor: int = OWN[1]
    flags: int = 0
    suggested_major: int = OWN[0]
    suggested_minor: int = OWN[1]
    session_id: int = 0
    request_id: int = 0
    sequence: int = 0
    length: int = 0

    @property
    def version(self) -> Version:
        """The version this message is in."""
        return self.major, self.minor

    @property
    def suggested(self) -> Version:
        """The highest version the sender speaks; major 0 = it does not say."""
        return self.suggested_major, self.suggested_minor


class Action(Enum):
    """What to do with a datagram before its body is looked at."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    """Answer with the verdict's response code, without decoding or keeping anything."""
    IGNORE = "ignore"
    """Silence: it is not a request, or answering could feed a loop or an amplification."""


class Verdict(NamedTuple):
    """The judgement on a datagram; ``response_code`` and ``reason`` are set when it is refused."""

    action: Action
    response_code: int = 0
    reason: str = ""


ACCEPT = Verdict(Action.ACCEPT)
IGNORE = Verdict(Action.IGNORE)


def decode_envelope(data: bytes) -> Envelope:
    """The first 20 bytes of ``data``. Raises ``Malformed`` when there are fewer."""
    if len(data) < ENVELOPE_BYTES:
        raise Malformed(f"envelope: {ENVELOPE_BYTES} bytes needed, {len(data)} there", len(data))
    major, minor, mixed, suggested_minor, session, request, sequence, length = LAYOUT.unpack_from(
        data
    )
    return Envelope(
        major, minor, mixed & FLAGS_MASK, mixed & SUGGESTED_MAJOR_MASK, suggested_minor,
        session, request, sequence, length,
    )  # fmt: skip


def encode_envelope(envelope: Envelope) -> bytes:
    """The inverse of ``decode_envelope``: 20 bytes."""
    return LAYOUT.pack(
        envelope.major,
        envelope.minor,
        envelope.flags | envelope.suggested_major,
        envelope.suggested_minor,
        envelope.session_id,
        envelope.request_id,
        envelope.sequence,
        envelope.length,
    )


def accept(datagram: bytes) -> Verdict:
    """Judge a datagram in the request direction by envelope and response code alone; never raises.

    Silence for what is no request: too short to carry a header, another protocol's major version, a later
    fragment, an answer (two servers would answer each other for ever).
    """
    if len(datagram) < ENVELOPE_BYTES + HEADER_BYTES:
        return IGNORE
    envelope = decode_envelope(datagram)
    if envelope.major not in MAJORS or envelope.sequence:
        return IGNORE
    # What stands there in an encrypted one is cipher text; answers are plain, so they cannot pass for that.
    (response_code,) = _RESPONSE_CODE.unpack_from(datagram)
    if response_code and not envelope.flags & ENCRYPTED:
        return IGNORE
    return _refusal(envelope, len(datagram) - ENVELOPE_BYTES) or ACCEPT


def _refusal(envelope: Envelope, received_bytes: int) -> Verdict | None:
    if envelope.version < OLDEST:
        return _refuse(
            ResponseCode.PROTOCOL_ERROR, "version 2.0 is not spoken here; use 2.1 to 2.11"
        )
    if envelope.flags & TRUNCATED:
        # RC 2 sends clients to TCP at once; nothing is kept for an address that may be forged.
        return _refuse(ResponseCode.ERROR, "requests in several packets: use TCP")
    if envelope.flags & COMPRESSED:
        return _refuse(ResponseCode.PROTOCOL_ERROR, "compressed messages are not supported")
    if envelope.length != received_bytes:
        reason = f"envelope says {envelope.length} bytes follow, {received_bytes} do"
        return _refuse(ResponseCode.PROTOCOL_ERROR, reason)
    return None


def _refuse(code: ResponseCode, reason: str) -> Verdict:
    return Verdict(Action.REFUSE, code, reason)
