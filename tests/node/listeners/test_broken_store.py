"""A store that cannot be read for a while: whoever asks is let go, the loop rests, and all is well when it is back."""

import asyncio
import socket

from node.follower import Follower
from node.listeners.native import NativeSpeaker
from node.native.office import make_office
from node.proving.authenticator import Authenticator
from registry.errors import StoreFailed
from registry.holdings import Holdings
from tests.node.parts import (
    PREFIX,
    SEALER,
    HandClock,
    NoWriter,
    Parts,
    ask,
    make_parts,
    tcp_node,
    udp_node,
)

QUESTION = ask(f"{PREFIX}/small")
MOST_FAILURES = 4
"""For one question; a loop that is woken for it again and again has thousands."""


class BreakableService(HandClock):
    """Its store can be broken."""

    is_broken = False
    failures = 0

    def refresh(self) -> None:
        if self.is_broken:
            self.failures += 1
            raise StoreFailed("no map of the store today")
        super().refresh()


def breakable_parts() -> tuple[Parts, BreakableService]:
    parts = make_parts()
    reader = parts.store.reader()
    holdings = Holdings(reader, SEALER)
    service = BreakableService(
        reader, holdings, NoWriter(), Follower(reader), Authenticator(holdings, lambda: 0.0)
    )  # type: ignore[arg-type]
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    return parts._replace(
        service=service,
        speaker=NativeSpeaker(service, parts.site, make_office(service, parts.site, None)),
    ), service


async def test_a_tcp_client_of_a_store_that_cannot_be_read_is_let_go() -> None:
    parts, service = breakable_parts()
    async with tcp_node(parts) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(QUESTION)
        await asyncio.wait_for(reader.readexactly(20), 5)
        service.is_broken = True
        writer.write(QUESTION)
        try:
            rest = await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            rest = b""
        assert len(rest) < 400, "what was left of the first answer, and nothing more"
        writer.close()
        await asyncio.sleep(0.1)
        assert service.failures <= MOST_FAILURES
        assert listener.slots.taken == 0
        service.is_broken = False
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(QUESTION)
        await asyncio.wait_for(reader.readexactly(20), 5)
        writer.close()


async def test_datagrams_that_find_a_store_that_cannot_be_read_are_lost() -> None:
    parts, service = breakable_parts()
    async with udp_node(parts) as (_, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            service.is_broken = True
            client.send(QUESTION)
            await asyncio.sleep(0.1)
            assert 1 <= service.failures <= MOST_FAILURES
            service.is_broken = False
            later = ask(f"{PREFIX}/small", request_id=8)
            client.send(later)
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65_536), 5)
            assert answer[8:12] == later[8:12]
