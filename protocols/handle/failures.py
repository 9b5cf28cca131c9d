"""Error answers: any response code without a body of its own (RFC 3652 §3.3).

counted message, may be empty or missing · from DO-IRP 3.0 optionally i4 count, offending indexes
"""

from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer
from protocols.handle.fields import read_indexes, write_indexes

MAX_MESSAGE_TEXT_BYTES = 16_384
"""For people; longer ones help nobody."""


class ErrorAnswer(NamedTuple):
    """``message`` in UTF-8, None when the body was empty; ``indexes`` None when no list was sent."""

    message: bytes | None
    indexes: tuple[int, ...] | None = None
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """[message] · surplus."""
        return cls(_read_message(reader), None, reader.read_rest())

    @classmethod
    def read_with_indexes(cls, reader: Reader) -> Self:
        """The form of version 3.0."""
        message = _read_message(reader)
        indexes = read_indexes(reader) if reader.remaining else None
        return cls(message, indexes, reader.read_rest())

    @property
    def text(self) -> str:
        """The message for people; bytes that are no UTF-8 are replaced."""
        return (self.message or b"").decode(errors="replace")

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        if self.message is not None:
            writer.write_counted(self.message)
        if self.indexes is not None:
            write_indexes(writer, self.indexes)
        writer.write_bytes(self.surplus)


def _read_message(reader: Reader) -> bytes | None:
    if not reader.remaining:
        return None
    return reader.read_counted("error message", MAX_MESSAGE_TEXT_BYTES)
