"""HS_ADMIN data: who administers a record or prefix, and what they may do (RFC 3651 §3.2.1).

::

    i2 permission bits · counted admin handle (UTF-8) · i4 admin index (0 = any index) [· 2 spare zero bytes]

Handle.Net up to 7.3 wrote the two spare bytes; they are accepted and kept, so that a record travels unchanged.
"""

from typing import NamedTuple

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed
from protocols.identifier import MAX_IDENTIFIER_BYTES

ADD_HANDLE = 0x001
DELETE_HANDLE = 0x002
ADD_DERIVED_PREFIX = 0x004
DELETE_DERIVED_PREFIX = 0x008
MODIFY_VALUE = 0x010
REMOVE_VALUE = 0x020
ADD_VALUE = 0x040
MODIFY_ADMIN = 0x080
REMOVE_ADMIN = 0x100
ADD_ADMIN = 0x200
AUTHORIZED_READ = 0x400
LIST_HANDLES = 0x800
LIST_DERIVED_PREFIXES = 0x1000
"""DO-IRP 3.0 only; the older protocol has no such bit."""

ALL_PERMISSIONS = 0x0FFF
"""Every bit of protocol 2: what ``*`` and ``true`` mean in JSON."""

PERMISSION_NAMES: dict[str, int] = {
    "add_handle": ADD_HANDLE,
    "delete_handle": DELETE_HANDLE,
    "add_derived_prefix": ADD_DERIVED_PREFIX,
    "delete_derived_prefix": DELETE_DERIVED_PREFIX,
    "modify_value": MODIFY_VALUE,
    "remove_value": REMOVE_VALUE,
    "add_value": ADD_VALUE,
    "modify_admin": MODIFY_ADMIN,
    "remove_admin": REMOVE_ADMIN,
    "add_admin": ADD_ADMIN,
    "authorized_read": AUTHORIZED_READ,
    "list_handles": LIST_HANDLES,
    "list_derived_prefixes": LIST_DERIVED_PREFIXES,
}
"""Bits by name, least significant first."""

SPARE_BYTES = b"\0\0"
_PERMISSION_DIGITS = 12
_MAX_PERMISSION_DIGITS = 16


class Admin(NamedTuple):
    """One administrator reference."""

    handle: str
    """The administrator's own identifier, or that of a group (HS_VLIST)."""
    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    """Index of the key or group at ``handle``; 0 = any."""
    permissions: int = ALL_PERMISSIONS
    """Bits above; all 16 are kept as they came."""
    spare: bytes = b""
    """``SPARE_BYTES`` or nothing, as received."""


def decode_admin(data: bytes) -> Admin:
    """Raises ``Malformed`` or ``TooLarge``."""
    reader = Reader(data)
    permissions = reader.read_u16("admin permissions")
    handle = reader.read_text("admin handle", MAX_IDENTIFIER_BYTES)
    index = reader.read_u32("admin index")
    at, spare = reader.offset, reader.read_rest()
    if spare not in (b"", SPARE_BYTES):
        raise Malformed("admin: bytes left over", at)
    return Admin(handle, index, permissions, spare)


def encode_admin(admin: Admin) -> bytes:
    """The exact inverse of ``decode_admin``."""
    writer = Writer()
    writer.write_u16(admin.permissions)
    writer.write_text(admin.handle)
    writer.write_u32(admin.index)
    writer.write_bytes(admin.spare)
    return writer.finish()


def format_permissions(permissions: int) -> str:
    """Binary digits, most significant first: 0x7F3 -> ``011111110011`` (the order of the JSON API)."""
    return format(permissions, f"0{_PERMISSION_DIGITS}b")


def parse_permissions(text: str) -> int:
    """The inverse of ``format_permissions``; ``*`` means all. Raises ``Malformed``."""
    if text == "*":
        return ALL_PERMISSIONS
    if not 0 < len(text) <= _MAX_PERMISSION_DIGITS or text.strip("01"):
        raise Malformed("admin permissions: up to 16 binary digits or * expected")
    return int(text, 2)
