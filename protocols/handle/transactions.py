"""Replication between Handle.Net servers, ops 1000-1003, as far as it is known (Handle.Net manual).

* next transaction id 1000, answer: u64
* retrieve transactions 1001: from 2.9 u8 mark (1: counted JSON state, 0: u64 last id · u64 last date), before 2.9 the
  two u64 alone; then u8 hash type · i4 servers · i4 server number. Answer: u8 status, then a private stream.
* dump handles 1002: private, kept as bytes
"""

from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer

MAX_STATE_BYTES = 65_536
"""JSON replication state: a line for each server of a site."""

HAS_POSITION, HAS_STATE = 0, 1


class TransactionNumber(NamedTuple):
    """The id the next transaction will get."""

    number: int
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """number · surplus."""
        return cls(reader.read_u64("transaction id"), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_u64(self.number)
        writer.write_bytes(self.surplus)


class TransactionsRequest(NamedTuple):
    """Transactions after ``position`` or ``state``, whichever is there, for one server of a hashed site."""

    mark: int | None
    """As received (any non-zero means a state follows); None before 2.9."""
    state: bytes
    last_id: int
    last_date_ms: int
    hash_type: int
    server_count: int
    server_number: int
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """mark · state or position · share of the site · surplus."""
        mark = reader.read_u8("replication state mark")
        if mark == HAS_POSITION:
            return cls._read_from_position(reader, mark)
        state = reader.read_counted("replication state", MAX_STATE_BYTES)
        return cls(mark, state, 0, 0, *_read_share(reader), reader.read_rest())

    @classmethod
    def read_before_2_9(cls, reader: Reader) -> Self:
        """Position · share of the site · surplus."""
        return cls._read_from_position(reader, None)

    @classmethod
    def _read_from_position(cls, reader: Reader, mark: int | None) -> Self:
        last_id = reader.read_u64("last transaction id")
        last_date_ms = reader.read_u64("last transaction date")
        return cls(mark, b"", last_id, last_date_ms, *_read_share(reader), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        if self.mark is not None:
            writer.write_u8(self.mark)
        if self.mark:
            writer.write_counted(self.state)
        else:
            writer.write_u64(self.last_id)
            writer.write_u64(self.last_date_ms)
        writer.write_u8(self.hash_type)
        writer.write_u32(self.server_count)
        writer.write_u32(self.server_number)
        writer.write_bytes(self.surplus)


class Private(NamedTuple):
    """A body whose inside is not known here."""

    data: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """everything."""
        return cls(reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_bytes(self.data)


class TransactionsAnswer(NamedTuple):
    """``stream`` is the beginning of a private stream that goes on after the message."""

    status: int
    stream: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """status · stream to the end."""
        return cls(reader.read_u8("replication status"), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_u8(self.status)
        writer.write_bytes(self.stream)


def _read_share(reader: Reader) -> tuple[int, int, int]:
    hash_type = reader.read_u8("hash type")
    return hash_type, reader.read_u32("server count"), reader.read_u32("server number")
