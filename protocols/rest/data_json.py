"""A value's data as JSON, ``{"format": …, "value": …}``, by the value's type (Handle.Net manual, JSON API).

========  =====================================================  ==========================
format    value                                                  written for
========  =====================================================  ==========================
string    text                                                   anything that is UTF-8
base64    text                                                   other bytes
hex       text                                                   read only
admin     {handle, index, permissions}                           HS_ADMIN
vlist     [{handle, index}]                                      HS_VLIST
site      ``site_json.py``                                       HS_SITE and its relatives
key       JSON Web Key                                           HS_PUBKEY
========  =====================================================  ==========================

On input a bare string stands for format string. JSON tells the meaning, not the padding: spare zero bytes behind an
administrator or key are not in it.
"""

from collections.abc import Callable, Sequence

from protocols.errors import ProtocolError, TooLarge
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.rest.json_reader import JsonReader
from protocols.rest.key_json import KEY_FORMATS, key_data_to_json, read_formatted
from protocols.rest.plain_json import PLAIN_FORMATS, binary_to_json, plain_to_json
from protocols.rest.site_json import read_site, site_to_json
from protocols.values.admin import (
    ALL_PERMISSIONS,
    PERMISSION_NAMES,
    Admin,
    decode_admin,
    encode_admin,
    format_permissions,
    parse_permissions,
)
from protocols.values.data import data_type_of
from protocols.values.site import decode_site, encode_site
from protocols.values.value import MAX_DATA_BYTES, Reference
from protocols.values.vlist import MAX_MEMBERS, decode_vlist, encode_vlist

_MAX_NAMES = 64
_MAX_NAME_BYTES = 64
_OLD_NAMES = {"add_na": "add_derived_prefix", "delete_na": "delete_derived_prefix"}
"""What the older protocol calls a derived prefix: a naming authority."""


def data_to_json(type_: str, data: bytes) -> dict[str, object]:
    """The ``data`` object. Data that is not what its type promises is written as text or base64, never refused."""
    data_type = data_type_of(type_)
    write = _WRITERS.get(data_type.format) if data_type else None
    if write is None:
        return plain_to_json(data)
    try:
        return write(data)
    except ProtocolError:
        return binary_to_json(data)


def read_data(reader: JsonReader) -> bytes:
    """The inverse, with all formats for all types. Raises ``Malformed`` or ``TooLarge`` with the path."""
    if not reader.is_object:
        return PLAIN_FORMATS["string"](reader)
    data = read_formatted(reader, _FORMATS)
    if len(data) > MAX_DATA_BYTES:
        error = TooLarge(f"{len(data)} bytes when encoded, at most {MAX_DATA_BYTES} allowed")
        raise reader.locate(error)
    return data


def reference_to_json(reference: Reference) -> dict[str, object]:
    """``{"handle": …, "index": …}``."""
    return {"handle": reference.handle, "index": reference.index}


def read_reference_json(reader: JsonReader) -> Reference:
    """The inverse of ``reference_to_json``."""
    return Reference(
        reader.need("handle").read_text(MAX_IDENTIFIER_BYTES), reader.need("index").read_int()
    )


def _write_admin(data: bytes) -> dict[str, object]:
    admin = decode_admin(data)
    value = {
        "handle": admin.handle,
        "index": admin.index,
        "permissions": format_permissions(admin.permissions),
    }
    return {"format": "admin", "value": value}


def _read_admin(reader: JsonReader) -> bytes:
    handle = reader.need("handle").read_text(MAX_IDENTIFIER_BYTES)
    index = reader.need("index").read_int()
    return encode_admin(Admin(handle, index, _read_permissions(reader.need("permissions"))))


def _read_permissions(reader: JsonReader) -> int:
    """Digits, ``*``, a number, a list of names, or true (all) and false (none)."""
    if isinstance(reader.value, bool):
        return ALL_PERMISSIONS if reader.value else 0
    if isinstance(reader.value, list):
        permissions = 0
        for item in reader.items(_MAX_NAMES):
            permissions |= _read_permission_name(item)
        return permissions
    if isinstance(reader.value, str):
        try:
            return parse_permissions(reader.value)
        except ProtocolError:
            reader.refuse("up to 16 binary digits or * expected")
    return reader.read_int(0, 0xFFFF)


def _read_permission_name(reader: JsonReader) -> int:
    name = reader.read_text(_MAX_NAME_BYTES).lower().replace("-", "_").replace(" ", "_")
    bit = PERMISSION_NAMES.get(_OLD_NAMES.get(name, name))
    if bit is None:
        reader.refuse(f"one of {', '.join(PERMISSION_NAMES)} expected")
    return bit


def _write_vlist(data: bytes) -> dict[str, object]:
    members = [reference_to_json(member) for member in decode_vlist(data)]
    return {"format": "vlist", "value": members}


def _read_vlist(reader: JsonReader) -> bytes:
    members: Sequence[Reference] = [read_reference_json(item) for item in reader.items(MAX_MEMBERS)]
    return encode_vlist(members)


def _write_site(data: bytes) -> dict[str, object]:
    return {"format": "site", "value": site_to_json(decode_site(data))}


def _read_site(reader: JsonReader) -> bytes:
    return encode_site(read_site(reader))


_WRITERS: dict[str, Callable[[bytes], dict[str, object]]] = {
    "admin": _write_admin,
    "vlist": _write_vlist,
    "site": _write_site,
    "key": key_data_to_json,
}
_FORMATS: dict[str, Callable[[JsonReader], bytes]] = {
    "admin": _read_admin,
    "vlist": _read_vlist,
    "site": _read_site,
    **KEY_FORMATS,
}
