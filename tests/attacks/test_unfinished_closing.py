"""Connections that we close while the client takes nothing: closing waits for it, so it needs an end of its own.

Below the high-water mark nobody is called slow; a client that leaves just so many bytes unread once kept its slot for
ever. The transport here is closed and keeps its bytes until it is aborted, as a kernel with a full window does.
"""

from typing import Any

from node.http.reply import Reply
from node.listeners.http_front import STALLED_READER_S, Front
from node.listeners.tcp import TcpListener
from node.listeners.tcp_connection import STALLED_S, Connection
from tests.node.parts import PREFIX, ask, make_config, make_parts


class StuckTransport:
    """Sends nothing. ``is_reading`` stays true after ``close``, as it does under TLS."""

    def __init__(self) -> None:
        self.unread = 0
        self.state = "open"

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.7", 5353) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write(self, data: bytes) -> None:
        assert self.state == "open", "bytes written to a transport that is closed"
        self.unread += len(data)

    def is_reading(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.state != "open"

    def close(self) -> None:
        if self.state == "open":
            self.state = "closing"

    def abort(self) -> None:
        self.state = "aborted"


def native_connection() -> tuple[TcpListener, Connection, StuckTransport]:
    parts = make_parts(make_config(idle_s=600.0))
    listener = TcpListener(parts.service, parts.speaker, parts.site, parts.proven, parts.config)
    transport = StuckTransport()
    connection = Connection(listener)
    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.data_received(ask(f"{PREFIX}/small"))
    assert transport.unread
    return listener, connection, transport


def test_a_native_connection_closed_with_bytes_unread_ends_when_none_of_them_moves():
    listener, _, transport = native_connection()
    listener.look(1000.0)
    assert transport.state == "closing"
    listener.look(1000.25)
    listener.look(1000.25 + STALLED_S - 0.1)
    assert transport.state == "closing"
    listener.look(1000.25 + STALLED_S)
    assert transport.state == "aborted"


def test_a_native_connection_closed_with_bytes_unread_may_take_them_slowly():
    listener, _, transport = native_connection()
    now_s = 1000.0
    while transport.unread > 10:
        listener.look(now_s)
        now_s += STALLED_S * 0.7
        transport.unread -= 10
        assert transport.state != "aborted"


class Hall:
    """The listener of one front, on a clock the test moves."""

    request_s = 10.0
    unread_bytes = 65_536

    def __init__(self) -> None:
        self.now_s = 100.0
        self.exchange = self

    def plain(self) -> None:
        return None

    def read_clock(self) -> float:
        return self.now_s

    def admit(self, front: Front) -> Reply | None:
        return None

    def forget(self, front: Front) -> None:
        pass

    def make_parser(self, front: Front) -> "Hall":
        return self

    def connection_made(self, transport: StuckTransport) -> None:
        pass

    def data_received(self, data: bytes) -> None:
        pass

    def refuse(self, front: Front, status: int, error: BaseException | None) -> None:
        front.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")


def web_connection() -> tuple[Hall, Front, StuckTransport]:
    hall, transport = Hall(), StuckTransport()
    front = Front(hall)  # type: ignore[arg-type]
    front.connection_made(transport)  # type: ignore[arg-type]
    return hall, front, transport


def test_a_web_connection_closed_with_bytes_unread_ends_when_none_of_them_moves():
    _, front, transport = web_connection()
    transport.unread = 5000
    front.look(1000.0, 600.0)
    assert transport.state == "closing"
    front.look(1000.25, 600.0)
    front.look(1000.25 + STALLED_READER_S - 0.1, 600.0)
    assert transport.state == "closing"
    front.look(1000.25 + STALLED_READER_S, 600.0)
    assert transport.state == "aborted"


def test_a_request_given_up_is_told_so_once_and_looked_at_without_harm_until_it_is_gone():
    hall, front, transport = web_connection()
    front.data_received(b"GET /never HTTP/1.1\r\nHost")
    front.look(hall.now_s + 10.0, 600.0)
    assert transport.state == "closing"
    told = transport.unread
    for later_s in range(30):  # a raise here would end the deadlines of all connections
        front.look(hall.now_s + 10.25 + later_s, 600.0)
        assert transport.unread == told
    assert transport.state == "aborted"


def test_a_request_counted_here_and_never_seen_by_the_parser_does_not_hold_its_slot():
    hall, front, transport = web_connection()
    front.data_received(b"GET /lost HTTP/1.1\r\nHost: a\r\n\r\n")
    front.look(hall.now_s + 9.9, 600.0)
    assert transport.state == "open"
    front.look(hall.now_s + 10.0, 600.0)
    assert transport.state == "aborted"
