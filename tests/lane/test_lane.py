"""The lane of one listener: whoever it lets in is let out once, whatever fails on the way."""

import asyncio
import socket
from contextlib import suppress

import pytest

from node.lane.extension import load
from node.lane.streams import Handed, Lane, Streams, make_lane

pytestmark = pytest.mark.skipif(load() is None, reason="the compiled part is not built")


class Broken(asyncio.Protocol):
    """Fails with the first word."""

    def data_received(self, data: bytes) -> None:
        raise LookupError(data)


class Door:
    """Counts; nothing is plain to it."""

    def __init__(self) -> None:
        self.inside = 0

    def let_in(self, _address: str) -> bytes | None:
        self.inside += 1
        return None

    def let_out(self, _address: str) -> None:
        self.inside -= 1

    def introduce(self, address: str, _port: int) -> tuple[object, int]:
        return address, 0

    def serve_lane(self, streams: Streams) -> Handed:
        return streams.serve_http({}, lambda _target: None, lambda *_: None, 0.0)

    def make_protocol(self) -> asyncio.Protocol:
        return Broken()


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        return client, listening.accept()[0]


async def test_a_protocol_that_fails_with_what_it_is_handed_costs_its_connection_and_no_more():
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    door = Door()
    lane = make_lane(door, lambda: 0.0)
    assert lane is not None
    lane.start(())
    client, server = pair()
    lane.adopt(server)
    client.setblocking(False)
    await loop.sock_sendall(client, b"word")
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(loop.sock_recv(client, 1), 5) == b""
    client.close()
    await lane.close()
    assert (door.inside, [repr(one) for one in told]) == (0, ["LookupError(b'word')"])


async def test_a_connection_that_cannot_be_watched_is_closed_and_let_out():
    class Full:
        """In place of streams of a system that watches no more descriptors (epoll(7), ENOSPC)."""

        def add(self, *_: object) -> None:
            raise OSError(28, "no more watches")

    door = Door()
    client, server = pair()
    lane = Lane(Full(), door, lambda: 0.0)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no more watches"):
        lane.adopt(server)
    assert (door.inside, lane.present, server.fileno()) == (0, (), -1)
    client.close()
