"""Native answers out of a TCP stream, in any pieces, with bounded memory (RFC 3652 §2.2.1). Pure."""

from protocols.handle.envelope import ENVELOPE_BYTES, HEADER_BYTES, MAX_MESSAGE_BYTES

_LENGTH = slice(16, ENVELOPE_BYTES)


class BadStream(ValueError):
    """An envelope that cannot be true."""


class NativeReader:
    """The messages of one connection."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The whole messages, envelope included, that ``data`` completes. Raises ``BadStream``."""
        buffer = self._rest + data if self._rest else data
        messages = []
        while len(buffer) >= ENVELOPE_BYTES:
            length = int.from_bytes(buffer[_LENGTH])
            if not HEADER_BYTES <= length <= MAX_MESSAGE_BYTES:
                raise BadStream(f"length {length}")
            end = ENVELOPE_BYTES + length
            if len(buffer) < end:
                break
            messages.append(buffer[:end])
            buffer = buffer[end:]
        self._rest = buffer
        return messages
