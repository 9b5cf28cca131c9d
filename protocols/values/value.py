"""Value: one typed, indexed element of a record (RFC 3651 §3.1), and its place on the wire.

====== =============================================================================
offset field
====== =============================================================================
0      i4 index (1 .. 2^31-1 for stored values)
4      i4 timestamp, seconds since 1970
8      i1 TTL type (0 relative seconds, 1 absolute time)
9      i4 TTL
13     i1 permissions (8 admin read, 4 admin write, 2 public read, 1 public write)
14     counted type (UTF-8) · counted data · i4 reference count · references
====== =============================================================================

A reference is a counted handle and an i4 index; as text it is ``index:handle``, e.g. ``300:0.NA/88.118``.
"""

import struct
from typing import NamedTuple

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed
from protocols.identifier import MAX_IDENTIFIER_BYTES, parse_identifier

DEFAULT_TTL_S = 86_400
MAX_INDEX = 2**31 - 1
"""An index is a signed i4 on the wire, and Java clients read it so (RFC 3651 §3.1)."""
_INDEX_DIGITS = 10
"""Looked at before the number is made: Python refuses those of thousands of digits with an error of its own."""
MAX_DATA_BYTES = 65_536
"""One value's data; a record is bounded besides (``value_list.MAX_RECORD_BYTES``)."""
MAX_TYPE_BYTES = 256
"""Longer than any registered type; IDIS caps types at 128 characters."""
MAX_REFERENCES = 256
"""Nobody uses references any more; a bound keeps one value from carrying thousands."""

ADMIN_READ, ADMIN_WRITE, PUBLIC_READ, PUBLIC_WRITE = 8, 4, 2, 1
DEFAULT_PERMISSIONS = ADMIN_READ | ADMIN_WRITE | PUBLIC_READ
SECRET_PERMISSIONS = ADMIN_READ | ADMIN_WRITE
TTL_RELATIVE, TTL_ABSOLUTE = 0, 1

FIXED = struct.Struct(">IIBIB")
"""index, timestamp, TTL type, TTL, permissions."""
LEAST_VALUE_BYTES = FIXED.size + 12


class Reference(NamedTuple):
    """A pointer to a value elsewhere: handle and index (index 0 = any)."""

    handle: str
    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here

    def __str__(self) -> str:
        """The inverse of ``parse_reference``."""
        return f"{self.index}:{self.handle}"


class NoReference(Malformed):
    """Text that is not ``index:handle`` at all; a handle that is none has the errors of ``parse_identifier``."""


class Value(NamedTuple):
    """One value. A NamedTuple because records of thousands are built on import (150 ns against 350 for a dataclass)."""

    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    type: str
    data: bytes
    ttl: int = DEFAULT_TTL_S
    """Seconds if ``ttl_type`` is relative, else seconds since 1970."""
    ttl_type: int = TTL_RELATIVE
    permissions: int = DEFAULT_PERMISSIONS
    timestamp: int = 0
    """Seconds since 1970 of the last change; 0 = not set, the registrar sets it."""
    references: tuple[Reference, ...] = ()

    @property
    def is_public(self) -> bool:
        """Whether anybody may read it."""
        return bool(self.permissions & PUBLIC_READ)

    def same_content(self, other: "Value") -> bool:
        """Equal but for the timestamp: rewriting it would change nothing."""
        return self._replace(timestamp=0) == other._replace(timestamp=0)


def read_value(reader: Reader) -> Value:
    """Raises ``Malformed`` or ``TooLarge``. Any index is accepted here; storing checks it."""
    index, timestamp, ttl_type, ttl, permissions = FIXED.unpack(
        reader.read_bytes(FIXED.size, "value")
    )
    type_ = reader.read_text("value type", MAX_TYPE_BYTES)
    data = reader.read_counted("value data", MAX_DATA_BYTES)
    count = reader.read_count("value references", 8, MAX_REFERENCES)
    references = tuple(read_reference(reader) for _ in range(count))
    return Value(index, type_, data, ttl, ttl_type, permissions, timestamp, references)


def write_value(writer: Writer, value: Value) -> None:
    """The inverse of ``read_value``."""
    writer.write_bytes(
        FIXED.pack(value.index, value.timestamp, value.ttl_type, value.ttl, value.permissions)
    )
    writer.write_text(value.type)
    writer.write_counted(value.data)
    writer.write_u32(len(value.references))
    for reference in value.references:
        write_reference(writer, reference)


def read_reference(reader: Reader) -> Reference:
    """Counted handle, i4 index. Raises ``Malformed`` or ``TooLarge``."""
    return Reference(
        reader.read_text("reference handle", MAX_IDENTIFIER_BYTES),
        reader.read_u32("reference index"),
    )


def write_reference(writer: Writer, reference: Reference) -> None:
    """The inverse of ``read_reference``."""
    writer.write_text(reference.handle)
    writer.write_u32(reference.index)


def parse_reference(text: str) -> Reference:
    """``300:0.NA/88.118``, cut at the first colon. Raises ``NoReference``, ``Malformed``, ``TooLarge``."""
    digits, colon, handle = text.partition(":")
    if not colon:
        raise NoReference(f"{text[:80]!r} is not INDEX:HANDLE")
    index = parse_index(digits)
    parse_identifier(handle)
    return Reference(handle, index)


def parse_index(text: str) -> int:
    """0 to ``MAX_INDEX`` in ASCII digits. Raises ``NoReference``."""
    if text.isascii() and text.isdigit() and len(text) <= _INDEX_DIGITS and int(text) <= MAX_INDEX:
        return int(text)
    raise NoReference(f"{text[:20]!r} is not an index from 0 to {MAX_INDEX}")
