"""Fragments: a message in several UDP packets (RFC 3652 §2.3).

Each packet has the envelope with its own sequence number, the truncated flag, and the length of the whole message;
all but the last carry 492 bytes. Handle.Net servers leave the flag out of answers, so only lengths count here.
For a client: a server refuses requests in several packets, statelessly (``envelope.accept``).
"""

from protocols.errors import Malformed, TooLarge
from protocols.handle.envelope import (
    ENVELOPE_BYTES,
    HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    TRUNCATED,
    Envelope,
    decode_envelope,
    encode_envelope,
)

MAX_DATAGRAM_BYTES = 512
"""What every Handle client and server can receive."""
PIECE_BYTES = MAX_DATAGRAM_BYTES - ENVELOPE_BYTES


def split(message: bytes) -> list[bytes]:
    """The datagrams that carry a whole message; one, unchanged, when it fits."""
    if len(message) <= MAX_DATAGRAM_BYTES:
        return [message]
    envelope = decode_envelope(message)
    envelope = envelope._replace(flags=envelope.flags | TRUNCATED)
    pieces = range(ENVELOPE_BYTES, len(message), PIECE_BYTES)
    return [
        encode_envelope(envelope._replace(sequence=number)) + message[at : at + PIECE_BYTES]
        for number, at in enumerate(pieces)
    ]


class Reassembly:
    """Collects the packets of one answer, in any order; packets of other requests are passed over.

    Memory: at most the announced message, which is at most ``max_bytes``, and only pieces that came.
    """

    __slots__ = ("_first", "_max_bytes", "_pieces", "request_id")

    def __init__(self, request_id: int, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.request_id = request_id
        self._max_bytes = max_bytes
        self._first: Envelope | None = None
        self._pieces: dict[int, bytes] = {}

    def receive(self, datagram: bytes) -> bytes | None:
        """The whole message once its last missing piece is there, else None.

        Raises ``Malformed`` (piece of a wrong size or place, lengths that differ) and ``TooLarge``.
        """
        envelope = decode_envelope(datagram)
        if envelope.request_id != self.request_id:
            return None
        if envelope.length < HEADER_BYTES:
            raise Malformed(f"message: {envelope.length} bytes cannot hold a header", 16)
        if envelope.length > self._max_bytes:
            reason = f"message: {envelope.length} bytes, at most {self._max_bytes} allowed"
            raise TooLarge(reason, 16)
        self._check_same_message(envelope)
        piece = bytes(datagram[ENVELOPE_BYTES:])
        if len(piece) == envelope.length and envelope.sequence == 0:
            return (
                encode_envelope(_whole(envelope)) + piece
            )  # an answer above 512 bytes in one packet
        count = -(-envelope.length // PIECE_BYTES)
        self._check_piece(envelope, len(piece), count)
        self._pieces.setdefault(envelope.sequence, piece)
        if len(self._pieces) < count:
            return None
        return encode_envelope(_whole(envelope)) + b"".join(
            self._pieces[number] for number in range(count)
        )

    def _check_same_message(self, envelope: Envelope) -> None:
        whole = _whole(envelope)
        if self._first is None:
            self._first = whole
        elif whole != self._first:
            raise Malformed("packets of one request with different envelopes", 0)

    def _check_piece(self, envelope: Envelope, size: int, count: int) -> None:
        if envelope.sequence >= count:
            raise Malformed(f"packet {envelope.sequence} of a message of {count} packets", 12)
        is_last = envelope.sequence == count - 1
        expected = envelope.length - PIECE_BYTES * (count - 1) if is_last else PIECE_BYTES
        if size != expected:
            reason = f"packet {envelope.sequence} carries {size} bytes instead of {expected}"
            raise Malformed(reason, ENVELOPE_BYTES)


def _whole(envelope: Envelope) -> Envelope:
    return envelope._replace(flags=envelope.flags & ~TRUNCATED, sequence=0)
