"""Stream: an answer of unknown length, written piece by piece (RFC 9112 §7.1)."""

from node.http.reply import Reply, head_bytes
from node.http.request import Connection


class Stream:
    """Chunked for HTTP/1.1; for HTTP/1.0 the end of the connection is the end of the answer."""

    def __init__(self, connection: Connection, *, is_chunked: bool) -> None:
        self.connection = connection
        self.is_chunked = is_chunked

    def begin(self, reply: Reply, date: bytes, connection_line: bytes) -> None:
        """Status and header fields."""
        self.connection.write(
            head_bytes(reply, date, connection_line, is_stream=True, is_chunked=self.is_chunked)
        )

    async def write(self, data: bytes) -> None:
        """One piece, not empty; waits while the client does not read. Raises ``ConnectionResetError``."""
        assert data
        self.connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self.is_chunked else data)
        await self.connection.drain()

    def end(self) -> None:
        """No more pieces."""
        if self.is_chunked:
            self.connection.write(b"0\r\n\r\n")
