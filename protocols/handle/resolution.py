"""Resolve, op 1 (RFC 3652 §3.2), and referrals, RC 302 and 303 (§3.3).

* request: counted handle · i4 count, indexes · i4 count, types. The national SDK appends a counted, normally empty
  token, which ends up in ``surplus``.
* answer: counted handle as requested · value list
* referral: counted handle (empty when values are given) · optional value list
"""

from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer
from protocols.handle.fields import (
    read_handle,
    read_indexes,
    read_types,
    write_indexes,
    write_types,
)
from protocols.values.value import Value
from protocols.values.value_list import read_values, write_values


class ResolveRequest(NamedTuple):
    """Values whose index or type is listed are wanted; both lists empty = all."""

    handle: bytes
    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """handle · index list · type list · surplus."""
        return cls(
            read_handle(reader), read_indexes(reader), read_types(reader), reader.read_rest()
        )

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.handle)
        write_indexes(writer, self.indexes)
        write_types(writer, self.types)
        writer.write_bytes(self.surplus)


class ResolveAnswer(NamedTuple):
    """``handle`` is the spelling that was asked; values are sorted by index."""

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


class Referral(NamedTuple):
    """Ask the service that ``handle`` or, when it is empty, ``values`` describe. None = no list was sent."""

    handle: bytes
    values: tuple[Value, ...] | None = None
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """handle [· value list] · surplus."""
        handle = read_handle(reader)
        values = read_values(reader) if reader.remaining else None
        return cls(handle, values, reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.handle)
        if self.values is not None:
            write_values(writer, self.values)
        writer.write_bytes(self.surplus)
