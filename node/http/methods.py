"""Methods: which are known, and telling an unknown one from bytes that are no request (RFC 9110 §9.1, RFC 9112 §3)."""

import re
from typing import Final

METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"}
)
"""Known methods get 405 where they do not apply, unknown ones 501."""

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}) [/*h][!-~]{0,16384} HTTP/1\.[01]\r\n"
)
"""Whole, or it is for aiohttp to judge: who speaks another protocol or version does not begin like that. A method is
any token (RFC 9110 §5.6.2).
"""


def is_unknown_method(data: bytes) -> bool:
    """Whether a request begins here whose method nobody knows: aiohttp would call it malformed."""
    found = _REQUEST_LINE.match(data)
    return found is not None and found[1].decode() not in METHODS
