"""Fields that several message bodies share: handles, index lists, type lists (RFC 3652 §2.1)."""

from collections.abc import Sequence

from protocols.cursor import Reader, Writer
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.values.value import MAX_TYPE_BYTES
from protocols.values.value_list import MAX_VALUES

MAX_SELECTED = MAX_VALUES
"""Indexes or types in one request: nobody can mean more than a record may have values."""


def read_handle(reader: Reader, field: str = "handle") -> bytes:
    """A counted handle as spelled; whether it is a good identifier is for ``read_identifier`` to say."""
    return reader.read_counted(field, MAX_IDENTIFIER_BYTES)


def read_indexes(reader: Reader) -> tuple[int, ...]:
    """i4 count · indexes. Raises ``TooLarge`` above ``MAX_SELECTED``."""
    count = reader.read_count("index list", 4, MAX_SELECTED)
    return tuple(reader.read_u32("index") for _ in range(count))


def write_indexes(writer: Writer, indexes: Sequence[int]) -> None:
    """The inverse of ``read_indexes``."""
    writer.write_u32(len(indexes))
    for index in indexes:
        writer.write_u32(index)


def read_types(reader: Reader) -> tuple[str, ...]:
    """i4 count · counted types. Raises ``TooLarge`` above ``MAX_SELECTED``."""
    count = reader.read_count("type list", 4, MAX_SELECTED)
    return tuple(reader.read_text("type", MAX_TYPE_BYTES) for _ in range(count))


def write_types(writer: Writer, types: Sequence[str]) -> None:
    """The inverse of ``read_types``."""
    writer.write_u32(len(types))
    for type_ in types:
        writer.write_text(type_)
