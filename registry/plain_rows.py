"""Plain rows: the value lists of a load, checked, dated, compared and merged where they lie, as bytes.

A list is plain when nothing about it needs a second look: a few publicly readable values in order of their index, no
references, no predefined type whose data would have to decode. Anything else is for the rules. Rows of one file differ
in their data only, so the head of a value (everything up to its data) is checked once and then recognised.
"""

import re
import struct
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.values.value import MAX_DATA_BYTES, TTL_ABSOLUTE, TTL_RELATIVE
from protocols.values.value_list import MAX_RECORD_BYTES, MAX_VALUES, decode_values
from registry.rules import CONTROL_BYTES
from registry.sealing import end_of_value
from registry.value_rules import flaw_of

MAX_HEADS = 4096
"""Heads remembered per load, twice the values of the widest record."""

NO_TTL_S = 0xFFFFFFFF
"""Stands for "no relative TTL" in a record's least TTL."""

_PREDEFINED = "HS_"
_PLAIN_SUFFIX = re.compile(rb"[ -~]+")
_U32 = struct.Struct(">I")
_NO_TIME = bytes(4)
_NO_REFERENCES = bytes(4)
_TYPE_OFFSET = 14
_TTL_TYPE_OFFSET = 8


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


class Head(NamedTuple):
    """What is known of a value by its head, everything up to its data."""

    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    ttl_s: int
    is_absolute: bool


class NotPlain(Exception):
    """The list needs a second look."""


def check_head(head: bytes) -> Head:
    """What there is to know of a head seen for the first time. Raises ``NotPlain``."""
    try:
        (value,) = decode_values(_U32.pack(1) + head + bytes(8))
    except (ProtocolError, ValueError):
        raise NotPlain from None
    is_plain = (
        flaw_of(value) is None
        and value.is_public
        and value.timestamp == 0
        and not value.type.upper().startswith(_PREDEFINED)
    )
    if not is_plain:
        raise NotPlain
    ttl_s = value.ttl if value.ttl_type == TTL_RELATIVE else NO_TTL_S
    return Head(value.index, ttl_s, value.ttl_type == TTL_ABSOLUTE)


class PlainList:
    """The values of one row, read. A plain slotted class: one is made per row."""

    __slots__ = ("blob", "has_absolute_ttl", "least_ttl_s", "starts")

    def __init__(
        self, blob: bytes, starts: list[int], least_ttl_s: int, has_absolute_ttl: bool
    ) -> None:
        self.blob = blob
        self.starts = starts
        """Where each value begins."""
        self.least_ttl_s = least_ttl_s
        self.has_absolute_ttl = has_absolute_ttl

    def dated(self, time: bytes) -> bytes:
        """The list as a new record keeps it, with every timestamp set to ``time`` (u32)."""
        return self._stamped(self.blob, time)

    def matches(self, public: bytes) -> bool:
        """Whether a stored list has the same content, that is, differs in timestamps at most."""
        return len(public) == len(self.blob) and self._stamped(public, _NO_TIME) == self.blob

    def _stamped(self, values: bytes, time: bytes) -> bytes:
        stamped = bytearray(values)
        for start in self.starts:
            stamped[start + 4 : start + 8] = time
        return bytes(stamped)


class PlainRows:
    """Reads and merges lists whose values all have one of ``indexes``; ``now_s`` is the timestamp of what is new."""

    __slots__ = ("_heads", "_indexes", "now")

    def __init__(self, indexes: tuple[int, ...], now_s: int) -> None:
        self._indexes = frozenset(indexes)
        self.now = _U32.pack(now_s)
        """The timestamp of what is new, as it lies in a value."""
        self._heads: dict[bytes, Head] = {}

    def read(self, blob: bytes) -> PlainList | None:
        """None when the list is not plain."""
        size = len(blob)
        if not 4 < size <= MAX_RECORD_BYTES:
            return None
        heads, u32 = self._heads, _U32.unpack_from
        least_ttl_s, has_absolute_ttl, before = NO_TTL_S, False, 0
        starts = []
        start = 4
        try:
            while start < size:
                data = start + 18 + u32(blob, start + _TYPE_OFFSET)[0]
                head = blob[start:data]
                index, ttl_s, is_absolute = heads.get(head) or self._learn(head)
                data_bytes = u32(blob, data)[0]
                end = data + 8 + data_bytes
                if index <= before or data_bytes > MAX_DATA_BYTES:
                    return None
                if blob[end - 4 : end] != _NO_REFERENCES:
                    return None
                if ttl_s < least_ttl_s:  # noqa: PLR1730  (min() costs a call, here in the loop)
                    least_ttl_s = ttl_s
                if is_absolute:
                    has_absolute_ttl = True
                starts.append(start)
                before, start = index, end
        except (struct.error, NotPlain):
            return None
        if start != size or not u32(blob)[0] == len(starts) <= MAX_VALUES:
            return None
        return PlainList(blob, starts, least_ttl_s, has_absolute_ttl)

    def merged(self, fresh: PlainList, public: bytes) -> "Merged | None":
        """The list that replaces a stored one, None when it would be too large.

        Stored values whose index is not mapped stay; one whose content stays keeps its time.
        """
        kept, before = self._split(public)
        blob = fresh.blob
        ends = [*fresh.starts[1:], len(blob)]
        values = []
        for start, end in zip(fresh.starts, ends, strict=True):
            undated = blob[start:end]
            old = before.get(undated)
            values.append((undated, old or undated[:4] + self.now + undated[8:]))
        values = sorted((*kept, *values))  # by index: a value begins with it
        merged = Merged([undated for undated, _ in values], [dated for _, dated in values])
        is_too_large = len(values) > MAX_VALUES or len(merged.public) > MAX_RECORD_BYTES
        return None if is_too_large else merged

    def _split(self, public: bytes) -> tuple[list[tuple[bytes, bytes]], dict[bytes, bytes]]:
        """(undated, dated) of the stored values that stay; undated -> dated of those the file maps."""
        kept, mapped = [], {}
        start = 4
        while start < len(public):
            end = end_of_value(public, start)
            dated = public[start:end]
            undated = dated[:4] + _NO_TIME + dated[8:]
            if _U32.unpack_from(dated)[0] in self._indexes:
                mapped[undated] = dated
            else:
                kept.append((undated, dated))
            start = end
        return kept, mapped

    def _learn(self, head: bytes) -> Head:
        known = check_head(head)
        if known.index not in self._indexes or len(self._heads) >= MAX_HEADS:
            raise NotPlain
        self._heads[head] = known
        return known


class Merged:
    """A merged list: as it is stored, and without times, as its digest is made."""

    __slots__ = ("_undated", "public", "undated")

    def __init__(self, undated: list[bytes], dated: list[bytes]) -> None:
        count = _U32.pack(len(dated))
        self._undated = undated
        self.public = count + b"".join(dated)
        self.undated = count + b"".join(undated)

    @property
    def least_ttl_s(self) -> int:
        """Least relative TTL of the values."""
        return min((ttl for kind, ttl in self._ttls() if kind == TTL_RELATIVE), default=NO_TTL_S)

    @property
    def has_absolute_ttl(self) -> bool:
        """Whether any value ends at a date."""
        return any(kind == TTL_ABSOLUTE for kind, _ in self._ttls())

    def _ttls(self) -> list[tuple[int, int]]:
        return [
            (value[_TTL_TYPE_OFFSET], _U32.unpack_from(value, _TTL_TYPE_OFFSET + 1)[0])
            for value in self._undated
        ]
