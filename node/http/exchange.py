"""Exchange: hands aiohttp's parsed requests to the routes and writes their replies, nothing else.

aiohttp's ``RequestHandler`` parses, queues pipelined requests and answers one at a time. Replies are written here as
one piece of bytes; what aiohttp gets back is only the news that it is done, and whether the connection lives on.
"""

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import LineTooLong

from node.http.dates import DateLine
from node.http.errors import http_trouble
from node.http.reply import Reply, head_bytes
from node.http.request import Connection, Request
from node.http.router import Router
from node.http.stream import Stream
from node.http.target import split_target

KEEP_ALIVE_10 = b"Connection: keep-alive\r\n"
CLOSE = b"Connection: close\r\n"


class Sent(web.StreamResponse):
    """Tells aiohttp that the answer is on its way already."""

    def __init__(self, *, is_last: bool) -> None:
        super().__init__()
        self._keeps = not is_last

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may serve another request."""
        return self._keeps

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing is left to do."""
        return None  # the type wants it said

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to do."""
        return


SENT = Sent(is_last=False)
SENT_LAST = Sent(is_last=True)


class Exchange:
    """Answers every request of every connection of one listener."""

    def __init__(self, router: Router, dates: DateLine) -> None:
        self.router = router
        self.dates = dates

    async def answer(self, connection: Connection, asked: web.BaseRequest) -> web.StreamResponse:
        """Answer one parsed request on its connection."""
        message = asked._message  # noqa: SLF001  # the raw target, before yarl tidies it up
        is_old = message.version < (1, 1)
        # aiohttp loses what a client sends behind an upgrade it does not know; the client may begin anew.
        is_upgrade = message.method == "CONNECT" or "Upgrade" in message.headers
        is_last = message.should_close or connection.is_draining or is_upgrade
        line = CLOSE if is_last else KEEP_ALIVE_10 if is_old else b""

        def open_stream(reply: Reply) -> Stream:
            stream = Stream(connection, is_chunked=not is_old)
            stream.begin(reply, self.dates.line, CLOSE if is_old else line)
            return stream

        request = Request(
            message.method,
            split_target(message.path.encode("utf-8", "surrogateescape")),
            message.headers,
            connection,
            asked.content,
            open_stream,
        )
        reply = await self.router.answer(request)
        if reply is None:  # the handler has streamed it
            return SENT_LAST if is_last or is_old else SENT
        self.send(connection, reply, line, is_head=message.method == "HEAD")
        await connection.drain()
        return SENT_LAST if is_last else SENT

    def send(
        self, connection: Connection, reply: Reply, line: bytes = b"", *, is_head: bool = False
    ) -> None:
        """Write a whole reply in one piece."""
        head = head_bytes(reply, self.dates.line, line)
        connection.write(head if is_head else head + reply.body)

    def refuse(self, connection: Connection, status: int, error: BaseException | None) -> Sent:
        """Answer what aiohttp could not parse, and close."""
        if isinstance(error, LineTooLong):
            status = 431
        self.send(connection, http_trouble(status), CLOSE)
        return SENT_LAST
