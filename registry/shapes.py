"""Shapes: what the value lists of many rows have in common, checked once and filled with each row's data.

The head of a value is everything in front of its data's length (``protocols.values.value``): index, timestamp, TTL,
permissions and type. A shape is the heads of all values of a row.
"""

from collections.abc import Sequence

from protocols.values.value_list import MAX_VALUES
from registry.plain_rows import NO_TTL_S, NotPlain, check_head

_NO_REFERENCES = bytes(4)


class Shape:
    """A plain list without its data: publicly readable values in order of their index, of no predefined type."""

    __slots__ = ("_dated", "_undated", "has_absolute_ttl", "least_ttl_s")

    def __init__(
        self, heads: Sequence[bytes], time: bytes, least_ttl_s: int, *, has_absolute_ttl: bool
    ) -> None:
        self._undated = [part for front in _fronts(heads) for part in (front, b"")]
        self._dated = _fronts([head[:4] + time + head[8:] for head in heads])
        self.least_ttl_s = least_ttl_s
        self.has_absolute_ttl = has_absolute_ttl

    def write(self, data: Sequence[bytes]) -> tuple[bytes, bytes]:
        """The list with no time, and with the time of the shape. ``ValueError`` when there is not one datum a value."""
        parts = list(self._undated)
        parts[1::2] = [len(one).to_bytes(4) + one for one in data]  # as many as there are values
        undated = b"".join(parts) + _NO_REFERENCES
        parts[::2] = self._dated
        return undated, b"".join(parts) + _NO_REFERENCES

    @staticmethod
    def list_of(heads: Sequence[bytes], data: Sequence[bytes]) -> bytes:
        """The list of any heads, plain or not."""
        values = [
            head + len(one).to_bytes(4) + one + _NO_REFERENCES
            for head, one in zip(heads, data, strict=True)
        ]
        return len(values).to_bytes(4) + b"".join(values)


def read_shape(heads: Sequence[bytes], time: bytes) -> Shape | None:
    """None when such a list is not plain. ``time`` is the timestamp (u32) of what is new."""
    if not 1 <= len(heads) <= MAX_VALUES:
        return None
    before, least_ttl_s, has_absolute_ttl = 0, NO_TTL_S, False
    try:
        for head in heads:
            index, ttl_s, is_absolute = check_head(head)
            if index <= before:
                return None
            before = index
            least_ttl_s = min(least_ttl_s, ttl_s)
            has_absolute_ttl = has_absolute_ttl or is_absolute
    except NotPlain:
        return None
    return Shape(heads, time, least_ttl_s, has_absolute_ttl=has_absolute_ttl)


def _fronts(heads: Sequence[bytes]) -> list[bytes]:
    """What stands in front of each value's counted data: the count or the end of the value before, and the head."""
    count = len(heads).to_bytes(4)
    return [(_NO_REFERENCES if at else count) + head for at, head in enumerate(heads)]
