"""Server hash: which server of a site holds an identifier (RFC 3652 §2.3, Handle.Net manual).

The chosen part of the identifier (prefix, suffix or whole), ASCII letters upper-cased, is hashed with MD5; the
absolute value of the last four bytes, read as a signed integer, modulo the number of servers, is the position of
the server in the site's list. A name without ``/`` has the prefix ``0.NA``; its suffix and its whole are itself.
"""

import hashlib

from protocols.identifier import PREFIX_AUTHORITY
from protocols.values.site import BY_PREFIX, BY_SUFFIX, Server, Site


def hash_of(identifier: bytes, hash_option: int) -> int:
    """0 .. 2^31 for an identifier as UTF-8, by ``BY_PREFIX``, ``BY_SUFFIX`` or ``BY_WHOLE``."""
    part = _hashed_part(identifier, hash_option).upper()
    return hash_of_digest(hashlib.md5(part, usedforsecurity=False).digest())


def hash_of_digest(digest: bytes) -> int:
    """The number in an MD5 digest.

    -2^31 becomes 2^31, where Java's absolute value stays negative and finds no server at all.
    """
    return abs(int.from_bytes(digest[-4:], signed=True))


def server_for(site: Site, identifier: bytes) -> Server | None:
    """The server responsible for ``identifier``; None when the site lists no server."""
    if not site.servers:
        return None
    return site.servers[hash_of(identifier, site.hash_option) % len(site.servers)]


def _hashed_part(identifier: bytes, hash_option: int) -> bytes:
    prefix, slash, suffix = identifier.partition(b"/")
    if hash_option == BY_PREFIX:
        return prefix if slash else PREFIX_AUTHORITY
    if hash_option == BY_SUFFIX:
        return suffix if slash else identifier
    return identifier
