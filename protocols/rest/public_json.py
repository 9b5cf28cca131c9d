"""Public records as JSON straight from their stored bytes: the fast path of ``record_json.render_record``.

A stored public value list lies as it goes on the native wire (``values/value.py``). Text values are copied from it
into the answer without building a ``Value``; other types, references and whatever looks unusual take the slow path,
value by value. Both paths give the same bytes; a property test holds them to it.
"""

import struct
from functools import lru_cache

import orjson

from protocols.cursor import Reader
from protocols.rest.dates import format_date_bytes
from protocols.rest.record_json import render_record
from protocols.rest.value_json import PERMISSION_MASK, value_to_json
from protocols.values.data import TEXT_FORMAT, data_type_of
from protocols.values.value import DEFAULT_PERMISSIONS, TTL_ABSOLUTE, read_value
from protocols.values.value_list import decode_values

_INDEX_AND_TYPE_SIZE = struct.Struct(">I10xI")
"""A value's beginning; the ten bytes left out are timestamp, TTL type, TTL and permissions."""
_TAIL = struct.Struct(">IBIB")
_U32 = struct.Struct(">I")
_NO_REFERENCES = bytes(4)
_CACHED_OPENINGS = 1024
"""Indexes and types in use on one node are a few dozen; the bound keeps invented ones from filling memory."""
_CACHED_TAILS = 4096
"""The values of one record mostly share time and TTL, and so do the records of one import."""


def render_public(handle: bytes, public: bytes) -> bytes:
    """The JSON answer for ``handle`` (UTF-8 as asked) and a stored public value list.

    Raises ``Malformed`` or ``TooLarge`` when ``public`` is damaged.
    """
    try:
        return _render(handle, public)
    except (struct.error, UnicodeDecodeError, _Unusual):
        return render_record(handle, decode_values(public))


class _Unusual(Exception):
    """The list does not end where its lengths say."""


def _render(handle: bytes, public: bytes) -> bytes:
    (count,) = _U32.unpack_from(public)
    parts = [b'{"responseCode":1,"handle":', orjson.dumps(handle.decode()), b',"values":[']
    offset = 4
    for at in range(count):
        index, type_size = _INDEX_AND_TYPE_SIZE.unpack_from(public, offset)
        data_at = offset + 22 + type_size
        (size,) = _U32.unpack_from(public, data_at - 4)
        end = data_at + size
        opening = _opening(index, public[offset + 18 : data_at - 4])
        if opening is None or public[end : end + 4] != _NO_REFERENCES:
            opening, rest, offset = _render_slowly(public, offset)
            parts += (opening if at else opening[1:], rest)
        else:
            text = orjson.dumps(public[data_at:end].decode())
            tail = _tail(public[offset + 4 : offset + 14])
            parts += (opening if at else opening[1:], text, tail)
            offset = end + 4
    if offset != len(public):
        raise _Unusual
    parts.append(b"]}")
    return b"".join(parts)


def _render_slowly(public: bytes, offset: int) -> tuple[bytes, bytes, int]:
    reader = Reader(public, offset)
    return b",", orjson.dumps(value_to_json(read_value(reader))), reader.offset


@lru_cache(maxsize=_CACHED_OPENINGS)
def _opening(index: int, type_: bytes) -> bytes | None:
    """What stands before the text of a value, from the comma on; None when data of this type is not plain."""
    name = type_.decode()
    data_type = data_type_of(name)
    if data_type is not None and data_type.format != TEXT_FORMAT:
        return None
    return b',{"index":%d,"type":%b,"data":{"format":"string","value":' % (
        index,
        orjson.dumps(name),
    )


@lru_cache(maxsize=_CACHED_TAILS)
def _tail(fixed: bytes) -> bytes:
    """What stands behind the text, to the end of the value."""
    timestamp, ttl_type, ttl, permissions = _TAIL.unpack(fixed)
    ttl_text = b'"%b"' % format_date_bytes(ttl) if ttl_type == TTL_ABSOLUTE else b"%d" % ttl
    time_text = b',"timestamp":"%b"' % format_date_bytes(timestamp) if timestamp else b""
    bits = permissions & PERMISSION_MASK
    bits_text = (
        b""
        if bits == DEFAULT_PERMISSIONS
        else b',"permissions":"%b"' % format(bits, "04b").encode()
    )
    return b'},"ttl":%b%b%b}' % (ttl_text, time_text, bits_text)
