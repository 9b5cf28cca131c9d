"""Answers to list handles 105, list derived prefixes 106, list homed prefixes 302: i4 count · counted names.

At most 50 names a message, the op flag CONT on all but the last; TCP only (Handle.Net manual).
"""

from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer
from protocols.handle.fields import read_handle

NAMES_PER_MESSAGE = 50
"""What servers put into one message."""
MAX_NAMES = 4096
"""What we accept in one: far above what servers send, far below what 262,144 bytes of empty names would be."""


class NamesAnswer(NamedTuple):
    """Handles or prefixes, as spelled by the server."""

    names: tuple[bytes, ...]
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """name list · surplus."""
        count = reader.read_count("name list", 4, MAX_NAMES)
        names = tuple(read_handle(reader, "name") for _ in range(count))
        return cls(names, reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_u32(len(self.names))
        for name in self.names:
            writer.write_counted(name)
        writer.write_bytes(self.surplus)
