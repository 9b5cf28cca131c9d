"""Stream: a TCP byte stream cut into messages, sans IO.

Feed it what the socket gave; it hands back whole messages. Its buffer holds bytes that have arrived and nothing else:
a length field is only ever compared, never allocated by. The first violation ends the stream; what came whole
before it is still delivered.
"""

from collections.abc import Mapping

from protocols.errors import Malformed, ProtocolError, TooLarge, Unsupported
from protocols.handle.codec import Head, decode_head
from protocols.handle.codes import OpCode
from protocols.handle.envelope import (
    ENCRYPTED,
    ENVELOPE_BYTES,
    HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    Envelope,
    decode_envelope,
)
from protocols.handle.versions import MAJORS

MAX_QUESTION_BYTES = 8192
"""After the envelope. The longest handle, a hundred types and an SDK token fit; nobody asks more to resolve."""

REQUEST_LIMITS: Mapping[int, int] = {
    OpCode.RESOLVE: MAX_QUESTION_BYTES,
    OpCode.GET_SITE_INFO: MAX_QUESTION_BYTES,
}
"""Bytes after the envelope by op code; other operations may use ``MAX_MESSAGE_BYTES``."""

_LEAST_ENCRYPTED_BYTES = 32
"""An IV and one block of AES."""


class MessageStream:
    """One direction of one connection. ``failure`` is None until the peer breaks the format or a limit."""

    __slots__ = ("_buffer", "_limits", "_max_bytes", "failed_head", "failure")

    def __init__(
        self, limits: Mapping[int, int] = REQUEST_LIMITS, max_bytes: int = MAX_MESSAGE_BYTES
    ) -> None:
        """``limits``: bytes after the envelope by op code, ``{}`` for the answers a client reads."""
        self._buffer = bytearray()
        self._limits = limits
        self._max_bytes = max_bytes
        self.failure: ProtocolError | None = None
        self.failed_head: Head | None = None
        """Envelope and header of the offending message, when enough came to answer it with an error."""

    @property
    def buffered_bytes(self) -> int:
        """Bytes of a message that is not whole yet; counts against the node's budget for partial frames."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[bytes]:
        """The messages, envelope included, that ``data`` completes. Look at ``failure`` afterwards."""
        if self.failure is not None:
            return []
        self._buffer += data
        messages, start = [], 0
        try:
            while (end := self._end_of_message(start)) and end <= len(self._buffer):
                messages.append(bytes(self._buffer[start:end]))
                start = end
        except ProtocolError as error:
            self.failure = error
            self.failed_head = self._head_at(start)
            self._buffer.clear()
        else:
            del self._buffer[:start]
        return messages

    def _end_of_message(self, start: int) -> int:
        """Where the message at ``start`` ends, 0 when its envelope is not whole yet."""
        if len(self._buffer) - start < ENVELOPE_BYTES:
            return 0
        envelope = decode_envelope(bytes(self._buffer[start : start + ENVELOPE_BYTES]))
        self._check_envelope(envelope)
        op_code_at = start + ENVELOPE_BYTES
        if len(self._buffer) >= op_code_at + HEADER_BYTES and not envelope.flags & ENCRYPTED:
            op_code = int.from_bytes(self._buffer[op_code_at : op_code_at + 4])
            limit = self._limits.get(op_code, self._max_bytes)
            if envelope.length > limit:
                raise TooLarge(f"message: {envelope.length} bytes, at most {limit} allowed", 16)
        return start + ENVELOPE_BYTES + envelope.length

    def _check_envelope(self, envelope: Envelope) -> None:
        if envelope.major not in MAJORS:
            raise Unsupported(f"version {envelope.major}.{envelope.minor}", 0)
        if envelope.length > self._max_bytes:
            reason = f"message: {envelope.length} bytes, at most {self._max_bytes} allowed"
            raise TooLarge(reason, 16)
        is_encrypted = envelope.flags & ENCRYPTED
        if envelope.length < (_LEAST_ENCRYPTED_BYTES if is_encrypted else HEADER_BYTES):
            raise Malformed(f"message: {envelope.length} bytes cannot hold a header", 16)

    def _head_at(self, start: int) -> Head | None:
        try:
            return decode_head(bytes(self._buffer[start : start + ENVELOPE_BYTES + HEADER_BYTES]))
        except ProtocolError:
            return None
