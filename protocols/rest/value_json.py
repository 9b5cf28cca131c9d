"""A value as JSON (Handle.Net manual, JSON API)::

    {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://…"}, "ttl": 86400,
     "timestamp": "2025-08-16T03:06:24Z",                  (left out when not set)
     "permissions": "1100",                                (admin read, admin write, public read, public write;
                                                            left out when 1110)
     "references": [{"handle": "88.118/a", "index": 1}]}   (left out when empty)

``ttl`` is a number of seconds, or a date when the time to live ends at a fixed time.
"""

from collections.abc import Sequence

from protocols.errors import Malformed
from protocols.rest.data_json import (
    data_to_json,
    read_data,
    read_reference_json,
    reference_to_json,
)
from protocols.rest.dates import format_date, parse_date
from protocols.rest.json_reader import JsonReader
from protocols.values.value import (
    DEFAULT_PERMISSIONS,
    DEFAULT_TTL_S,
    MAX_INDEX,
    MAX_REFERENCES,
    MAX_TYPE_BYTES,
    TTL_ABSOLUTE,
    TTL_RELATIVE,
    Value,
)
from protocols.values.value_list import MAX_VALUES

PERMISSION_MASK = 0xF
"""The other four bits of the byte have no meaning."""
_MAX_DATE_BYTES = 64


def value_to_json(value: Value) -> dict[str, object]:
    """The JSON object of a value; any value off the wire has one."""
    document: dict[str, object] = {
        "index": value.index,
        "type": value.type,
        "data": data_to_json(value.type, value.data),
        "ttl": format_date(value.ttl) if value.ttl_type == TTL_ABSOLUTE else value.ttl,
    }
    if value.timestamp:
        document["timestamp"] = format_date(value.timestamp)
    permissions = value.permissions & PERMISSION_MASK
    if permissions != DEFAULT_PERMISSIONS:
        document["permissions"] = format(permissions, "04b")
    if value.references:
        document["references"] = [reference_to_json(item) for item in value.references]
    return document


def read_value_json(reader: JsonReader) -> Value:
    """The inverse of ``value_to_json``. Raises ``Malformed`` or ``TooLarge`` with the path in ``field``."""
    index = reader.need("index").read_int(1, MAX_INDEX)
    type_ = reader.need("type")
    name = type_.read_text(MAX_TYPE_BYTES)
    if not name:
        type_.refuse("empty")
    ttl_type, ttl = _read_ttl(reader.get("ttl"))
    timestamp, permissions = reader.get("timestamp"), reader.get("permissions")
    references = reader.get("references")
    return Value(
        index,
        name,
        read_data(reader.need("data")),
        ttl,
        ttl_type,
        DEFAULT_PERMISSIONS if permissions is None else _read_permissions(permissions),
        0 if timestamp is None else _read_date(timestamp),
        ()
        if references is None
        else tuple(read_reference_json(item) for item in references.items(MAX_REFERENCES)),
    )


def read_values_json(reader: JsonReader) -> tuple[Value, ...]:
    """An array of values, in the order given."""
    return tuple(read_value_json(item) for item in reader.items(MAX_VALUES))


def values_to_json(values: Sequence[Value]) -> list[dict[str, object]]:
    """The inverse of ``read_values_json``."""
    return [value_to_json(value) for value in values]


def _read_ttl(reader: JsonReader | None) -> tuple[int, int]:
    if reader is None:
        return TTL_RELATIVE, DEFAULT_TTL_S
    if isinstance(reader.value, str) and not reader.value.isdigit():
        return TTL_ABSOLUTE, _read_date(reader)
    return TTL_RELATIVE, reader.read_int()


def _read_date(reader: JsonReader) -> int:
    try:
        return parse_date(reader.read_text(_MAX_DATE_BYTES))
    except Malformed as error:
        raise error if error.field else reader.locate(error) from None


def _read_permissions(reader: JsonReader) -> int:
    text = reader.value
    if not isinstance(text, str) or len(text) != 4 or text.strip("01"):
        reader.refuse("four digits 0 or 1 expected, e.g. 1110")
    return int(text, 2)
