"""Request: what a handler sees of one HTTP request, and the connection it came on."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Protocol

from aiohttp.streams import StreamReader

from node.http.reply import Reply
from node.http.sessions import State
from node.http.target import Parameters, Target, read_json_parameters, read_parameters
from protocols.errors import Malformed, TooLarge, Unsupported
from resolver.source import Peer

MAX_BODY_BYTES = 1_048_576
"""A record of 250,000 bytes fits, base64 and escapes included; a batch has no limit but its lines do."""


def _no_session() -> None:
    """Nobody keeps sessions here."""


class Connection(Protocol):
    """What the front of a connection offers to the handler of its present request."""

    peer: Peer
    is_tls: bool
    is_bulk: bool
    """Set while a body may take as long as it makes progress."""
    on_gone: Callable[[], None] | None
    """Called when the client leaves; set while a handler waits for other nodes on its behalf."""

    @property
    def certificate(self) -> bytes:
        """The certificate that the client has shown at the handshake (DER); b"" = none."""

    @property
    def is_draining(self) -> bool:
        """The node stops: this answer is the connection's last."""

    def write(self, data: bytes) -> None:
        """Send bytes; raises ``ConnectionResetError`` when nobody is there."""

    async def drain(self) -> None:
        """Wait until the client has taken what was written."""


class Stream(Protocol):
    """An answer of unknown length (``node/http/stream.py``)."""

    async def write(self, data: bytes) -> None:
        """One piece, not empty; waits while the client does not read. Raises ``ConnectionResetError``."""

    def end(self) -> None:
        """No more pieces."""


class Request:
    """One request. ``path`` and ``query`` are the raw target's; nothing has been decoded yet."""

    def __init__(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        connection: Connection,
        payload: StreamReader,
        open_stream: Callable[[Reply], "Stream"],
    ) -> None:
        self.method = method
        self.path = target.path
        self.query = target.query
        self.headers = headers
        self.connection = connection
        self.payload = payload
        self.peer = connection.peer
        self.is_secure = connection.is_tls or connection.peer.is_loopback
        """Whether a password may travel on this connection: TLS, or it never left the machine."""
        self.suffix = b""
        """What follows the route's own path, raw: the percent-encoded identifier."""
        self.form = Parameters()
        """Parameters that came in a POST body."""
        self.session: State | None = None
        """The client's session, as far as this request has to do with one."""
        self.server_proof = b""
        """This node's signature over both nonces, when the client asked for it."""
        self.open_session: Callable[[], State | None] = _no_session
        """Begins one; None when there is no room."""
        self.open_stream = open_stream
        """Begins an answer of unknown length, whose content type and headers are those of the reply."""

    @cached_property
    def parameters(self) -> Parameters:
        """Query and form fields. Raises ``Malformed`` or ``TooLarge``."""
        if not self.form:
            return read_parameters(self.query)
        return Parameters([*read_parameters(self.query).fields, *self.form.fields])

    @property
    def is_pretty(self) -> bool:
        """Whether the asker wants to read the JSON with his own eyes."""
        return bool(self.query or self.form) and self.parameters.flag("pretty") is True

    def media_type(self) -> str:
        """The body's content type without parameters, lower-case."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def expect_plain_body(self) -> None:
        """Invite the body (``Expect: 100-continue``). Raises ``Unsupported`` when it is compressed."""
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding != "identity":
            raise Unsupported(f"Content-Encoding {encoding[:40]!r}: send the body uncompressed")
        if self.headers.get("Expect", "").lower() == "100-continue" and not self.payload.is_eof():
            self.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def read_body(self, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
        """The whole body. Raises ``TooLarge``, or ``Unsupported`` when it is compressed."""
        declared = self.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared) > limit_bytes:
            raise TooLarge(f"body: {declared} bytes, at most {limit_bytes} allowed")
        self.expect_plain_body()
        parts: list[bytes] = []
        size = 0
        while piece := await self.payload.readany():
            size += len(piece)
            if size > limit_bytes:
                raise TooLarge(f"body: more than {limit_bytes} bytes")
            parts.append(piece)
        return b"".join(parts)

    async def read_form(self) -> None:
        """Take the parameters of a POST whose body stands for a query string. Raises ``Malformed`` or ``TooLarge``.

        A JSON object does as well, with a list for a parameter that comes again (Handle.Net manual, JSON API).
        """
        match self.media_type():
            case "application/x-www-form-urlencoded":
                self.form = read_parameters(await self.read_body())
            case "application/json":
                self.form = read_json_parameters(await self.read_body())
            case _:
                raise Malformed("Content-Type: application/x-www-form-urlencoded is needed here")
