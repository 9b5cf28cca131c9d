"""HS_VLIST data: a group of administrators, each named by handle and index (RFC 3651 §3.2.3).

::

    i4 count · count × (counted handle · i4 index)

A member may be another group.
"""

from collections.abc import Sequence

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed
from protocols.values.value import Reference, read_reference, write_reference

MAX_MEMBERS = 2048
"""As many as a record may have values; whoever needs more nests groups."""

_LEAST_MEMBER_BYTES = 8


def decode_vlist(data: bytes) -> tuple[Reference, ...]:
    """Raises ``Malformed`` or ``TooLarge``. Surplus bytes are ``Malformed``: a doubtful group grants nothing."""
    reader = Reader(data)
    count = reader.read_count("group members", _LEAST_MEMBER_BYTES, MAX_MEMBERS)
    members = tuple(read_reference(reader) for _ in range(count))
    if reader.remaining:
        raise Malformed("group: bytes left over", reader.offset)
    return members


def encode_vlist(members: Sequence[Reference]) -> bytes:
    """The exact inverse of ``decode_vlist``."""
    writer = Writer()
    writer.write_u32(len(members))
    for member in members:
        write_reference(writer, member)
    return writer.finish()
