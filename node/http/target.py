"""Target: the request target, taken apart from its raw bytes and percent-decoded exactly once (RFC 9112 §3.2).

Identifiers contain ``%``, ``//``, ``..``, ``?`` and any UTF-8, so no library may tidy the path up first: what follows
the route's own prefix, up to the first ``?``, decoded once, is the identifier.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from protocols.errors import Malformed, TooLarge
from protocols.rest.json_reader import parse_json

MAX_QUERY_FIELDS = 4200
"""A DELETE may name every index of a record twice over; more is an attack on the parser."""
TRUE = frozenset({"", "true", "yes"})
"""What counts as true for flags (Handle.Net manual, REST API): present but empty, ``yes`` or ``true``."""

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNESCAPED = "/:@!$&'()*,;=~"
"""Characters of a path that stay themselves in links we write (RFC 3986 §3.3 pchar and ``/``, without ``+``)."""


class Target(NamedTuple):
    """A target's two halves, still percent-encoded."""

    path: bytes
    query: bytes


def split_target(raw: bytes) -> Target:
    """Origin form as it is; of absolute form (``http://host/path``) scheme and authority are dropped."""
    if not raw.startswith(b"/"):
        _, separator, rest = raw.partition(b"://")
        if separator:
            cut = re.search(rb"[/?]", rest)
            raw = rest[cut.start() :] if cut else b"/"
            raw = raw if raw.startswith(b"/") else b"/" + raw
    path, _, query = raw.partition(b"?")
    return Target(path, query)


def decode_path(raw: bytes) -> bytes:
    """Percent-decode once. Raises ``Malformed`` for a ``%`` that begins no escape."""
    if b"%" not in raw:
        return raw
    bad = _BAD_ESCAPE.search(raw)
    if bad:
        shown = raw[bad.start() : bad.start() + 3].decode("ascii", "replace")
        raise Malformed(
            f"path: {shown!r} is not an escape; write a percent sign as %25", bad.start()
        )
    return unquote_to_bytes(raw)


def encode_path(spelling: bytes) -> str:
    """The inverse of ``decode_path``: an identifier as it is written into links behind ``/``.

    Browsers tidy ``/../`` up and take ``//host`` for another site, so an identifier with such parts gets its slashes
    escaped too. (The two names "." and ".." alone cannot be linked to; no prefix is called so.)
    """
    tidied = b"//" in spelling or any(part in {b"", b".", b".."} for part in spelling.split(b"/"))
    return quote_from_bytes(spelling, safe=_UNESCAPED.replace("/", "") if tidied else _UNESCAPED)


class Parameters:
    """The fields of a query string or form, in order, names case-sensitive."""

    __slots__ = ("fields",)

    def __init__(self, fields: Sequence[tuple[str, str]] = ()) -> None:
        self.fields = list(fields)

    def __bool__(self) -> bool:
        return bool(self.fields)

    def all(self, name: str) -> list[str]:
        """Every value of a repeated parameter."""
        return [value for key, value in self.fields if key == name]

    def first(self, name: str) -> str | None:
        """The first value, None when the parameter is absent."""
        return next((value for key, value in self.fields if key == name), None)

    def flag(self, name: str) -> bool | None:
        """None when absent, else whether the value is one of ``TRUE``."""
        value = self.first(name)
        return None if value is None else value.lower() in TRUE


def read_parameters(query: bytes) -> Parameters:
    """Decode ``a=1&b=2``; ``+`` is a blank. Raises ``Malformed`` (escape, not UTF-8) or ``TooLarge``."""
    if not query:
        return Parameters()
    pieces = query.split(b"&")
    if len(pieces) > MAX_QUERY_FIELDS:
        raise TooLarge(f"query: {len(pieces)} parameters, at most {MAX_QUERY_FIELDS} allowed")
    fields = []
    for piece in pieces:
        if piece:
            name, _, value = piece.partition(b"=")
            fields.append((_read_text(name), _read_text(value)))
    return Parameters(fields)


def read_json_parameters(body: bytes) -> Parameters:
    """``{"index": [1, 2], "type": "URL", "auth": true}``. Raises ``Malformed`` or ``TooLarge``."""
    members = parse_json(body).value
    if not isinstance(members, dict):
        raise Malformed("body: a JSON object with the parameters expected")
    fields: list[tuple[str, str]] = []
    for name, value in members.items():
        several = value if isinstance(value, list) else [value]
        for one in several:
            if not isinstance(one, str | int):
                raise Malformed(f"body: {name[:20]!r} is neither text nor number", field=name[:20])
            fields.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    if len(fields) > MAX_QUERY_FIELDS:
        raise TooLarge(f"body: {len(fields)} parameters, at most {MAX_QUERY_FIELDS} allowed")
    return Parameters(fields)


def _read_text(raw: bytes) -> str:
    if _BAD_ESCAPE.search(raw):
        shown = raw[:40].decode("ascii", "replace")
        raise Malformed(f"query: {shown!r} has a % that begins no escape; write %25")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        shown = raw[:40].decode("ascii", "replace")
        raise Malformed(f"query: {shown!r} is not UTF-8") from None
