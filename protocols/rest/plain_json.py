"""Data that has no structure of its own as JSON: ``{"format": "string" | "base64" | "hex", "value": text}``.

Written as a string when the bytes are UTF-8, else as base64; read in all three.
"""

import binascii
from base64 import b64encode
from collections.abc import Callable

from protocols.errors import TooLarge
from protocols.rest.json_reader import JsonReader
from protocols.values.value import MAX_DATA_BYTES

_MAX_BASE64_CHARS = (MAX_DATA_BYTES + 2) // 3 * 4
_MAX_HEX_CHARS = MAX_DATA_BYTES * 2


def plain_to_json(data: bytes) -> dict[str, object]:
    """The ``data`` object of any bytes."""
    try:
        return {"format": "string", "value": data.decode()}
    except UnicodeDecodeError:
        return binary_to_json(data)


def binary_to_json(data: bytes) -> dict[str, object]:
    """The ``data`` object of bytes that are not text."""
    return {"format": "base64", "value": b64encode(data).decode()}


def read_string(reader: JsonReader) -> bytes:
    """A JSON string as UTF-8."""
    return reader.read_text(MAX_DATA_BYTES).encode()


def read_base64(reader: JsonReader) -> bytes:
    """Standard base64 with padding (RFC 4648 §4)."""
    text = reader.read_text(_MAX_BASE64_CHARS)
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        reader.refuse(f"not base64: {error}")
    return _bounded(data, reader)


def read_hex(reader: JsonReader) -> bytes:
    """Two hexadecimal digits a byte, nothing between them."""
    text = reader.read_text(_MAX_HEX_CHARS)
    try:
        return binascii.unhexlify(text)
    except ValueError as error:
        reader.refuse(f"not hexadecimal: {error}")


PLAIN_FORMATS: dict[str, Callable[[JsonReader], bytes]] = {
    "string": read_string,
    "base64": read_base64,
    "hex": read_hex,
}
"""Readers of ``value`` by ``format``."""


def _bounded(data: bytes, reader: JsonReader) -> bytes:
    if len(data) > MAX_DATA_BYTES:
        error = TooLarge(f"{len(data)} bytes, at most {MAX_DATA_BYTES} allowed")
        raise reader.locate(error)
    return data
