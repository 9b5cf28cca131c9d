"""What one value must be like to be stored, whoever sends it and by whatever way: an ordered table of checks.

Whatever passes here can be served on every protocol: it encodes, and the data of the predefined types decodes.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.values.data import TEXT_FORMAT, data_type_of
from protocols.values.value import (
    MAX_DATA_BYTES,
    MAX_INDEX,
    MAX_REFERENCES,
    MAX_TYPE_BYTES,
    TTL_ABSOLUTE,
    TTL_RELATIVE,
    Value,
)

MAX_RELATIVE_TTL_S = 2**31 - 1
"""Clients read the field as a signed i4."""
MAX_TIME_S = 2**32 - 1
"""Timestamps and absolute TTLs are unsigned seconds since 1970."""
MAX_PERMISSIONS = 15
"""Four bits; the others have no meaning."""

SECRET_KEY_TYPE = "HS_SECKEY"  # noqa: S105  (the name of a value type)
CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f]")
"""Invisible in every list and log, and never part of a real name (RFC 3651 §2 wants printable characters)."""


class Flaw(NamedTuple):
    """What is wrong with a value: which of its fields, and why."""

    field: str
    reason: str


def flaw_of(value: Value) -> Flaw | None:
    """The first thing wrong with the value, None when it may be stored."""
    for check in CHECKS:
        flaw = check(value)
        if flaw is not None:
            return flaw
    return None


def _index(value: Value) -> Flaw | None:
    """Only positive ones are stored (RFC 3651 §3.1)."""
    if 1 <= value.index <= MAX_INDEX:
        return None
    return Flaw("index", f"index {value.index} is not between 1 and {MAX_INDEX}")


def _type(value: Value) -> Flaw | None:
    try:
        size = len(value.type.encode())
    except UnicodeEncodeError:
        return Flaw("type", "the type is not encodable as UTF-8")
    if not size:
        return Flaw("type", "the type is empty")
    if size > MAX_TYPE_BYTES:
        return Flaw("type", f"the type has {size} bytes, at most {MAX_TYPE_BYTES} are allowed")
    if CONTROL_CHARACTERS.search(value.type):
        return Flaw("type", "the type contains a control character")
    return None


def _data_size(value: Value) -> Flaw | None:
    if len(value.data) <= MAX_DATA_BYTES:
        return None
    return Flaw("data", f"{len(value.data)} bytes of data, at most {MAX_DATA_BYTES} are allowed")


def _ttl(value: Value) -> Flaw | None:
    if value.ttl_type == TTL_RELATIVE:
        if 0 <= value.ttl <= MAX_RELATIVE_TTL_S:
            return None
        return Flaw("ttl", f"TTL {value.ttl} is not between 0 and {MAX_RELATIVE_TTL_S} seconds")
    if value.ttl_type == TTL_ABSOLUTE:
        if 0 <= value.ttl <= MAX_TIME_S:
            return None
        return Flaw("ttl", f"absolute TTL {value.ttl} is not between 0 and {MAX_TIME_S}")
    return Flaw("ttl", f"TTL type {value.ttl_type} is neither 0 (relative) nor 1 (absolute)")


def _permissions(value: Value) -> Flaw | None:
    if 0 <= value.permissions <= MAX_PERMISSIONS:
        return None
    return Flaw("permissions", f"permissions {value.permissions} are not between 0 and 15")


def _timestamp(value: Value) -> Flaw | None:
    if 0 <= value.timestamp <= MAX_TIME_S:
        return None
    return Flaw("timestamp", f"timestamp {value.timestamp} is not between 0 and {MAX_TIME_S}")


def _references(value: Value) -> Flaw | None:
    if len(value.references) > MAX_REFERENCES:
        count = len(value.references)
        return Flaw("references", f"{count} references, at most {MAX_REFERENCES} are allowed")
    for at, reference in enumerate(value.references):
        try:
            size = len(reference.handle.encode())
        except UnicodeEncodeError:
            return Flaw(f"references[{at}].handle", "the handle is not encodable as UTF-8")
        if size > MAX_IDENTIFIER_BYTES:
            reason = f"the handle has {size} bytes, at most {MAX_IDENTIFIER_BYTES} are allowed"
            return Flaw(f"references[{at}].handle", reason)
        if not 0 <= reference.index <= MAX_INDEX:
            reason = f"index {reference.index} is not between 0 and {MAX_INDEX}"
            return Flaw(f"references[{at}].index", reason)
    return None


def _predefined_data(value: Value) -> Flaw | None:
    data_type = data_type_of(value.type)
    if data_type is None or data_type.format == TEXT_FORMAT:
        return None  # text in another encoding is still somebody's text, and is served as the bytes it is
    try:
        data_type.decode(value.data)
    except ProtocolError as error:
        return Flaw("data", f"not the data of {value.type}: {error}")
    return None


def _secret_key(value: Value) -> Flaw | None:
    if value.type.upper() != SECRET_KEY_TYPE:
        return None
    if value.is_public:
        return Flaw(
            "permissions", f"{SECRET_KEY_TYPE} is a secret and must not be publicly readable"
        )
    if not value.data:
        return Flaw("data", f"{SECRET_KEY_TYPE} is empty, which would let anybody in")
    return None


CHECKS: tuple[Callable[[Value], Flaw | None], ...] = (
    _index,
    _type,
    _data_size,
    _ttl,
    _permissions,
    _timestamp,
    _references,
    _predefined_data,
    _secret_key,
)
