"""Plain rows: the value lists of a load, checked where they lie.

A list is plain when nothing about it needs a second look: a few publicly readable values in order of their index, no
references, no predefined type whose data would have to decode. Anything else is for the rules. Rows of one file differ
in their data only, so the head of a value (everything up to its data) is checked once and then recognised.
"""

import re
import struct

from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.values.value import MAX_DATA_BYTES, TTL_ABSOLUTE, TTL_RELATIVE
from protocols.values.value_list import MAX_RECORD_BYTES, MAX_VALUES, decode_values
from registry.rules import CONTROL_BYTES
from registry.value_rules import flaw_of

MAX_HEADS = 4096
"""Heads remembered per load, twice the values of the widest record."""

_NO_TTL_S = 0xFFFFFFFF
_PREDEFINED = "HS_"
_PLAIN_SUFFIX = re.compile(rb"[ -~]+")
_U32 = struct.Struct(">I")
_NO_TIME = bytes(4)
_NO_REFERENCES = bytes(4)


def is_plain_suffix(suffix: bytes, identifier_bytes: int) -> bool:
    """Whether a suffix is sure to pass the rule on identifiers; others are for the rule itself."""
    if identifier_bytes > MAX_IDENTIFIER_BYTES:
        return False
    if _PLAIN_SUFFIX.fullmatch(suffix):
        return True
    try:
        return bool(suffix.decode()) and not CONTROL_BYTES.search(suffix)
    except UnicodeDecodeError:
        return False


class Shape:
    """One plain list. A plain slotted class: one is made per row."""

    __slots__ = ("_blob", "_now", "_offsets", "has_absolute_ttl", "least_ttl_s")

    def __init__(
        self,
        blob: bytes,
        now: bytes,
        offsets: list[int],
        least_ttl_s: int,
        has_absolute_ttl: bool,
    ) -> None:
        self._blob = blob
        self._now = now
        self._offsets = offsets
        self.least_ttl_s = least_ttl_s
        self.has_absolute_ttl = has_absolute_ttl

    @property
    def dated(self) -> bytes:
        """The list with every timestamp set."""
        dated, now = bytearray(self._blob), self._now
        for offset in self._offsets:
            dated[offset : offset + 4] = now
        return bytes(dated)

    def matches(self, public: bytes) -> bool:
        """Whether a stored list has the same content, that is, differs in timestamps at most."""
        if len(public) != len(self._blob):
            return False
        undated = bytearray(public)
        for offset in self._offsets:
            undated[offset : offset + 4] = _NO_TIME
        return undated == self._blob


class PlainRows:
    """Reads lists whose values all have one of ``indexes``; ``now_s`` is the timestamp they get."""

    __slots__ = ("_heads", "_indexes", "_now")

    def __init__(self, indexes: tuple[int, ...], now_s: int) -> None:
        self._indexes = frozenset(indexes)
        self._now = _U32.pack(now_s)
        self._heads: dict[bytes, tuple[int, int, bool]] = {}

    def read(self, blob: bytes) -> Shape | None:
        """The list's shape, None when it is not plain."""
        size = len(blob)
        if not 4 < size <= MAX_RECORD_BYTES:
            return None
        heads, u32 = self._heads, _U32.unpack_from
        (count,) = u32(blob)
        least_ttl_s, has_absolute_ttl, before = _NO_TTL_S, False, 0
        offsets = []
        start = 4
        try:
            for _ in range(count):
                data = start + 18 + u32(blob, start + 14)[0]
                head = heads.get(blob[start:data]) or self._check_head(blob[start:data])
                index, ttl_s, is_absolute = head
                end = data + 8 + u32(blob, data)[0]
                if index <= before or end > size or blob[end - 4 : end] != _NO_REFERENCES:
                    return None
                if end - data - 8 > MAX_DATA_BYTES:
                    return None
                least_ttl_s = min(least_ttl_s, ttl_s)
                has_absolute_ttl |= is_absolute
                offsets.append(start + 4)
                before, start = index, end
        except (struct.error, _NotPlain):
            return None
        if start != size or not 0 < count <= MAX_VALUES:
            return None
        return Shape(blob, self._now, offsets, least_ttl_s, has_absolute_ttl)

    def _check_head(self, head: bytes) -> tuple[int, int, bool]:
        """(index, relative TTL or none, whether the TTL is absolute) of a head seen for the first time."""
        try:
            (value,) = decode_values(_U32.pack(1) + head + bytes(8))
        except (ProtocolError, ValueError):
            raise _NotPlain from None
        is_plain = (
            flaw_of(value) is None
            and value.is_public
            and value.timestamp == 0
            and value.index in self._indexes
            and not value.type.upper().startswith(_PREDEFINED)
        )
        if not is_plain or len(self._heads) >= MAX_HEADS:
            raise _NotPlain
        ttl_s = value.ttl if value.ttl_type == TTL_RELATIVE else _NO_TTL_S
        known = (value.index, ttl_s, value.ttl_type == TTL_ABSOLUTE)
        self._heads[head] = known
        return known


class _NotPlain(Exception):
    """The list needs a second look."""
