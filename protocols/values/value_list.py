"""Value list: i4 count and the values back to back (RFC 3652 §3.2.2), and the choice of values from it.

A stored public list is answered as it lies: sorted by index, so that a public answer is concatenation.
"""

from collections.abc import Iterable, Iterator, Sequence, Set

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed
from protocols.values.value import (
    LEAST_VALUE_BYTES,
    TTL_RELATIVE,
    Value,
    read_value,
    write_value,
)

MAX_VALUES = 2048
"""Values in one record; what the reference decoders accept in one answer."""
MAX_RECORD_BYTES = 250_000
"""A whole record must fit one native message (262,144 bytes) beside header and handle."""


def read_values(reader: Reader) -> tuple[Value, ...]:
    """Raises ``Malformed`` or ``TooLarge``."""
    count = reader.read_count("value list", LEAST_VALUE_BYTES, MAX_VALUES)
    return tuple(read_value(reader) for _ in range(count))


def write_values(writer: Writer, values: Sequence[Value]) -> None:
    """The inverse of ``read_values``, in the order given."""
    writer.write_u32(len(values))
    for value in values:
        write_value(writer, value)


def encode_values(values: Sequence[Value]) -> bytes:
    """A whole value list as bytes."""
    writer = Writer()
    write_values(writer, values)
    return writer.finish()


def decode_values(data: bytes) -> tuple[Value, ...]:
    """The exact inverse of ``encode_values``: surplus bytes are ``Malformed``."""
    reader = Reader(data)
    values = read_values(reader)
    if reader.remaining:
        raise Malformed("value list: bytes left over", reader.offset)
    return values


def select(values: Iterable[Value], indexes: Sequence[int], types: Sequence[str]) -> list[Value]:
    """The values a query asks for: index listed **or** type listed; both lists empty = all (RFC 3652 §3.2.1).

    Types match without case; a type ending in ``.`` also matches every subtype (``URL.`` -> ``URL``, ``URL.shop``).
    """
    if not indexes and not types:
        return list(values)
    # Sets, since a question may list as many as a record has: one look-up for each value, not one for each pair.
    numbers, names = frozenset(indexes), {type_.upper() for type_ in types}
    families = {name for name in names if name.endswith(".")}
    names |= {family[:-1] for family in families}
    return [v for v in values if v.index in numbers or _is_named(v.type.upper(), names, families)]


def _is_named(type_: str, names: Set[str], families: Set[str]) -> bool:
    if type_ in names:
        return True
    return bool(families) and not families.isdisjoint(_families_of(type_))


def _families_of(type_: str) -> Iterator[str]:
    """``A.B.C`` -> ``A.``, ``A.B.``."""
    return (type_[: dot + 1] for dot, letter in enumerate(type_) if letter == ".")


def least_ttl_s(values: Iterable[Value]) -> int:
    """The least relative TTL in seconds, 0xFFFFFFFF when no value has one."""
    return min((v.ttl for v in values if v.ttl_type == TTL_RELATIVE), default=0xFFFFFFFF)
