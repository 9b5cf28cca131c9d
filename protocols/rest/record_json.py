"""Whole documents of the JSON API: a record asked for, a record to be written, a listing, an error.

::

    {"responseCode": 1, "handle": as asked, "values": [...]}
    {"responseCode": 100, "handle": as asked, "message": …, "field": "values[2].data.value"}
    {"responseCode": 1, "prefix": …, "totalCount": "12", "page": 0, "pageSize": 10, "handles": [...]}

``handle`` comes back byte for byte as it was asked; ``totalCount`` is a string, as the reference server writes it.
"""

from collections.abc import Sequence

import orjson

from protocols.errors import ProtocolError
from protocols.identifier import Identifier, parse_identifier
from protocols.message import Outcome
from protocols.rest.codes import response_code
from protocols.rest.json_reader import JsonReader, parse_json
from protocols.rest.value_json import read_value_json, read_values_json, values_to_json
from protocols.values.value import Value

_MAX_HANDLE_BYTES = 4096
"""More than an identifier may have, so that a long one is called too long by ``parse_identifier``."""


def render_record(handle: bytes, values: Sequence[Value]) -> bytes:
    """A successful answer. ``handle`` is UTF-8 as asked."""
    return orjson.dumps(
        {
            "responseCode": response_code(Outcome.SUCCESS),
            "handle": handle.decode(),
            "values": values_to_json(values),
        }
    )


def render_no_values(handle: bytes) -> bytes:
    """The record exists, but has no value of those asked for."""
    document = {
        "responseCode": response_code(Outcome.VALUES_NOT_FOUND),
        "handle": handle.decode(),
        "values": [],
    }
    return orjson.dumps(document)


def render_outcome(
    outcome: Outcome, handle: bytes = b"", reason: str = "", field: str = ""
) -> bytes:
    """A receipt or an error; empty parts are left out."""
    document: dict[str, object] = {"responseCode": response_code(outcome)}
    if handle:
        document["handle"] = handle.decode(errors="replace")
    if reason:
        document["message"] = reason
    if field:
        document["field"] = field
    return orjson.dumps(document)


def render_listing(
    prefix: str, total_count: int, page: int, page_size: int, handles: Sequence[str]
) -> bytes:
    """One page of the identifiers below a prefix; pages count from 0."""
    document = {
        "responseCode": response_code(Outcome.SUCCESS),
        "prefix": prefix,
        "totalCount": str(total_count),
        "page": page,
        "pageSize": page_size,
        "handles": list(handles),
    }
    return orjson.dumps(document)


def prettify(body: bytes) -> bytes:
    """The same document indented, for ``?pretty``."""
    return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def parse_put_body(body: bytes, identifier: Identifier) -> tuple[Value, ...]:
    """The values of a PUT: an array, ``{"values": [...]}`` with an optional matching ``handle``, or one value.

    Raises ``Malformed``, ``TooLarge`` or ``Unsupported`` with the path in ``field``.
    """
    return read_record(parse_json(body), identifier)


def read_record(reader: JsonReader, identifier: Identifier) -> tuple[Value, ...]:
    """``parse_put_body`` for JSON already parsed, e.g. one row of a batch."""
    if reader.is_list:
        return read_values_json(reader)
    if not reader.is_object:
        reader.refuse("an array of values or an object expected")
    values = reader.get("values")
    if values is None:
        return (read_value_json(reader),)
    handle = reader.get("handle")
    if handle is not None:
        _check_handle(handle, identifier)
    return read_values_json(values)


def _check_handle(reader: JsonReader, identifier: Identifier) -> None:
    """Both name one record. Case is left to the address: only the registrar knows whether the prefix minds it."""
    text = reader.read_text(_MAX_HANDLE_BYTES)
    try:
        named = parse_identifier(text)
    except ProtocolError as error:
        raise reader.locate(error) from None
    if named.folded() != identifier.folded():
        reader.refuse("names another record than the address of the request")
