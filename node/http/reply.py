"""Reply: what a handler answers, and its bytes on the connection (RFC 9112 §4).

Header values are checked here, once for all handlers: whatever a registered value contains, it cannot end a line.
"""

from http import HTTPStatus
from typing import NamedTuple

import orjson

JSON = "application/json;charset=UTF-8"
NDJSON = "application/x-ndjson"
HTML = "text/html; charset=utf-8"
XML = "application/xml; charset=utf-8"

_ALWAYS = "Server: biaojie\r\nX-Content-Type-Options: nosniff\r\n"
"""Nothing here is to be guessed: what is registered may look like HTML."""
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n{_ALWAYS}".encode()
    for status in HTTPStatus
}
_NO_BODY = frozenset({204, 304})


class Reply(NamedTuple):
    """A whole answer. ``headers`` beside content type and length, which follow from the body."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_reply(
    status: int,
    content: object,
    headers: tuple[tuple[str, str], ...] = (),
    *,
    is_pretty: bool = False,
) -> Reply:
    """A JSON answer; ``is_pretty`` indents it for people."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if is_pretty else 0)
    return Reply(status, orjson.dumps(content, option=option), JSON, headers)


def head_bytes(
    reply: Reply,
    date: bytes,
    connection: bytes = b"",
    *,
    is_stream: bool = False,
    is_chunked: bool = False,
) -> bytes:
    """Status line and header fields up to the empty line.

    ``date`` is a whole ``Date`` line, ``connection`` a whole ``Connection`` line or nothing; a stream has no length.
    Raises ``ValueError`` for a header value with a control character in it.
    """
    if is_stream:
        length = "Transfer-Encoding: chunked\r\n" if is_chunked else ""
        lines = [f"Content-Type: {reply.content_type}\r\n{length}"]
    elif reply.status in _NO_BODY:
        lines = []
    else:
        lines = [f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"]
    for name, value in reply.headers:
        if (
            not value.isprintable()
        ):  # C code; a control character in a header ends it and begins the next
            raise ValueError(f"header {name}: control character in {value!r}")
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    rest = "".join(lines).encode("latin-1")
    return b"%b%b%b%b" % (_STATUS_LINES[reply.status], date, connection, rest)
