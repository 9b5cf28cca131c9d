"""Reply: what a handler answers, and its bytes on the connection (RFC 9112 §4).

Header values are checked here, once for all handlers: whatever a registered value contains, it cannot end a line.
"""

import re
from http import HTTPStatus
from typing import NamedTuple

import orjson

JSON = "application/json;charset=UTF-8"
NDJSON = "application/x-ndjson"
HTML = "text/html; charset=utf-8"

_ALWAYS = "Server: biaojie\r\nX-Content-Type-Options: nosniff\r\n"
"""Nothing here is to be guessed: what is registered may look like HTML."""
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n{_ALWAYS}".encode()
    for status in HTTPStatus
}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
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

    ``date`` is a whole ``Date`` line, ``connection`` a whole ``Connection`` line or nothing; a stream has no length. Raises
    ``ValueError`` for a header value with a control character in it.
    """
    parts = [_STATUS_LINES[reply.status], date, connection]
    if is_stream:
        chunked = "Transfer-Encoding: chunked\r\n" if is_chunked else ""
        parts.append(f"Content-Type: {reply.content_type}\r\n{chunked}".encode())
    elif reply.status not in _NO_BODY:
        length = len(reply.body)
        parts.append(f"Content-Type: {reply.content_type}\r\nContent-Length: {length}\r\n".encode())
    for name, value in reply.headers:
        if _CONTROLS.search(value):
            raise ValueError(f"header {name}: control character in {value!r}")
        parts.append(f"{name}: {value}\r\n".encode("latin-1"))
    parts.append(b"\r\n")
    return b"".join(parts)
