"""Plain heads: which header fields of a ``GET`` or ``HEAD`` leave it a plain one, and what an answer depends on.

A head is everything behind the target of a request: `` HTTP/1.1 CRLF``, the fields, an empty line. Clients send the
same ones again and again, so each is read once and remembered. It is read strictly (RFC 9112 §3, §5): what is in any
way odd, or named in ``ASIDE``, is None here and for aiohttp to judge.
"""

import re
from collections.abc import Mapping

from node.config_check import MAX_HEADS_BYTES
from node.http.asked import read_etags
from node.http.pages import accepted_language

END_OF_TARGET = b" HTTP/1.1\r\n"
MAX_HEAD_BYTES = 4096
"""A browser sends about 800 bytes, with many cookies 3,000; longer ones are not worth remembering."""
MAX_FIELDS = 64
"""Browsers send about 20; aiohttp refuses more than 100."""
_HEAD_OBJECT_BYTES = 1000
"""What is kept of a head beside its bytes."""

ASIDE = frozenset(
    {
        b"authorization", b"proxy-authorization",  # nobody who logs in gets a shared answer
        b"content-length", b"content-encoding", b"transfer-encoding", b"trailer", b"expect",  # there may be a body
        b"upgrade", b"http2-settings", b"sec-websocket-key1",  # another protocol is wanted
        b"proxy-connection",  # aiohttp's parser takes it for ``Connection``
    }
)  # fmt: skip
"""Fields with which a request is not plain."""
_CONNECTION = (b"connection", b"keep-alive")
"""The one value of that field with which a connection lives on and nothing else is meant."""
_HOST = b"host"
"""Needed, once (RFC 9112 §3.2)."""
READ: Mapping[bytes, str] = {
    name.lower().encode(): name
    for name in (
        "Accept",  # whether trouble is told as a page
        "Accept-Language",  # in which language a page is
        "Cache-Control",  # no-cache: not what is remembered of another node
        "CDN-Loop",  # by which nodes the question has come
        "If-None-Match",  # 304
        "X-Forwarded-For", "X-Forwarded-Proto",  # who asks, when a trusted proxy says it
        "X-Requested-With",  # whether a browser may show its log-in window
    )
}  # fmt: skip
"""Every field that reading a record or being redirected looks at, beside those above. All others mean nothing here."""
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}):[ \t]*([\x20-\x7e\t]*)")


class Head:
    """What an answer depends on."""

    __slots__ = ("etags", "headers", "is_forwarded", "language", "takes_remembered")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        """Those of ``READ`` that were sent, by the names there."""
        tags = headers.get("If-None-Match")
        self.etags = None if tags is None else frozenset(read_etags(tags))
        """Of entities that the client has; None = it did not say."""
        self.language = accepted_language(headers.get("Accept-Language", "")).encode()
        """Of pages."""
        self.is_forwarded = "X-Forwarded-For" in headers
        is_fresh_wanted = "no-cache" in headers.get("Cache-Control", "").lower()
        self.takes_remembered = not is_fresh_wanted and "CDN-Loop" not in headers
        """Whether an answer that was made for another client may be one of another node."""


def read_head(head: bytes) -> Head | None:
    """Read it, from `` HTTP/1.1`` to the empty line. None = not plain."""
    if len(head) > MAX_HEAD_BYTES or not head.startswith(END_OF_TARGET):
        return None
    lines = head.split(b"\r\n")
    if len(lines) > MAX_FIELDS + 3 or lines[-2:] != [b"", b""]:
        return None
    seen: set[bytes] = set()
    headers: dict[str, str] = {}
    for line in lines[1:-2]:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name, value = field[1].lower(), field[2].rstrip(b" \t")
        if name in seen or name in ASIDE:
            return None
        if name == _CONNECTION[0] and value.lower() != _CONNECTION[1]:
            return None
        seen.add(name)
        if name in READ:
            headers[READ[name]] = value.decode("ascii")
    return Head(headers) if _HOST in seen else None


class Heads:
    """The heads of late, within ``MAX_HEADS_BYTES``. Where each request has one of its own, to be traced by, all are
    forgotten now and then, and nothing is gained or lost.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}
        """Those that are plain."""
        self.mean_nothing: dict[bytes, bool] = {}
        """Those of them with which a ``GET`` gets what everybody gets who asks for a record of this node: True."""
        self._used_bytes = 0

    def read(self, head: bytes) -> Head | None:
        """What an answer depends on; None = not plain, and not remembered: it may hold a password."""
        found = self.known.get(head)
        if found is not None:
            return found
        found = read_head(head)
        if found is not None:
            cost_bytes = len(head) + _HEAD_OBJECT_BYTES
            if self._used_bytes + cost_bytes > MAX_HEADS_BYTES:
                self.known.clear()
                self.mean_nothing.clear()
                self._used_bytes = 0
            self._used_bytes += cost_bytes
            self.known[head] = found
            if found.etags is None:
                self.mean_nothing[head] = True
        return found
