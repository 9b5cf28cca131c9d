"""Administration: create 100, delete 101, add 102, remove 103, modify 104, and all requests that only name a handle.

RFC 3652 §3.4-3.8.

* create, add, modify: counted handle · value list
* remove: counted handle · i4 count, indexes
* delete, get-site-info, list, home, unhome, terminate session, next transaction, backup: counted handle
  (``/`` where none is meant)
* answers are empty; that to create has the counted handle since Handle.Net 8
"""

from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer
from protocols.handle.fields import read_handle, read_indexes, write_indexes
from protocols.values.value import Value
from protocols.values.value_list import read_values, write_values

NO_HANDLE = b"/"
"""What requests about a server rather than a handle carry."""


class HandleRequest(NamedTuple):
    """A request that says nothing but a handle."""

    handle: bytes = NO_HANDLE
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """handle · surplus."""
        return cls(read_handle(reader), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.handle)
        writer.write_bytes(self.surplus)


class ValuesRequest(NamedTuple):
    """Create, add or modify. With MINT the handle is a prefix and the server makes the suffix."""

    handle: bytes
    values: tuple[Value, ...]
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """handle · value list · surplus."""
        return cls(read_handle(reader), read_values(reader), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.handle)
        write_values(writer, self.values)
        writer.write_bytes(self.surplus)


class RemoveRequest(NamedTuple):
    """Remove the values at ``indexes``."""

    handle: bytes
    indexes: tuple[int, ...]
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """handle · index list · surplus."""
        return cls(read_handle(reader), read_indexes(reader), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.handle)
        write_indexes(writer, self.indexes)
        writer.write_bytes(self.surplus)


class CreateAnswer(NamedTuple):
    """``handle`` is what was created, None from servers before Handle.Net 8, which send nothing."""

    handle: bytes | None
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """[handle] · surplus."""
        handle = read_handle(reader) if reader.remaining else None
        return cls(handle, reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        if self.handle is not None:
            writer.write_counted(self.handle)
        writer.write_bytes(self.surplus)


class Done(NamedTuple):
    """Success, and nothing more to say."""

    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """surplus alone."""
        return cls(reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_bytes(self.surplus)
