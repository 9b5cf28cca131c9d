"""Header: the 24 bytes after the envelope (RFC 3652 §2.2.2).

====== ==== =========================================================================
offset size field
====== ==== =========================================================================
0      4    op code; answers repeat the request's
4      4    response code; 0 in requests
8      4    op flags
12     2    site info serial: clients 0xFFFF = unknown, servers that of their HS_SITE
14     1    recursion count
15     1    reserved
16     4    expiration, seconds since 1970; in answers it must lie in the future
20     4    body length; kept out of ``Header``, the codec counts it
====== ==== =========================================================================
"""

import struct
from typing import NamedTuple

from protocols.errors import Malformed
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS, RRDG, ResponseCode
from protocols.handle.envelope import HEADER_BYTES

LAYOUT = struct.Struct(">IIIHBBII")

UNKNOWN_SERIAL = 0xFFFF
DEFAULT_EXPIRATION_S = 43_200
"""Answers are valid for 12 hours, the reference's default; an expired answer is dropped by Java clients."""


class Header(NamedTuple):
    """The fields in wire order, without the body length."""

    op_code: int
    response_code: int = ResponseCode.REQUEST
    op_flags: int = DEFAULT_REQUEST_FLAGS
    site_serial: int = UNKNOWN_SERIAL
    recursion_count: int = 0
    reserved: int = 0
    expiration_s: int = 0

    @property
    def is_request(self) -> bool:
        """Response code 0."""
        return self.response_code == ResponseCode.REQUEST

    @property
    def carries_digest(self) -> bool:
        """Answers begin with the request's digest when RRDG is set; a challenge always does."""
        if self.is_request:
            return False
        return bool(self.op_flags & RRDG) or (
            self.response_code == ResponseCode.AUTHENTICATION_NEEDED
        )


def decode_header(data: bytes, offset: int = 0) -> tuple[Header, int]:
    """The header at ``offset`` and the body length it declares. Raises ``Malformed`` when it is cut off."""
    if len(data) - offset < HEADER_BYTES:
        left = max(0, len(data) - offset)
        raise Malformed(f"header: {HEADER_BYTES} bytes needed, {left} there", len(data))
    *fields, body_length = LAYOUT.unpack_from(data, offset)
    return Header(*fields), body_length


def encode_header(header: Header, body_length: int) -> bytes:
    """24 bytes; ``body_length`` is what follows them, without the credential."""
    return LAYOUT.pack(*header, body_length)
