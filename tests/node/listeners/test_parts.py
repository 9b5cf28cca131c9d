"""Parts of a long answer on one connection: in its turn, when the client takes them, and never to nobody."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from node.driver import Then
from node.listeners.tcp import TcpListener
from node.listeners.tcp_connection import Connection
from node.native.asked import Asked, Question, Relayed
from node.native.link import Link
from protocols.handle.codec import decode
from protocols.identifier import parse_identifier
from protocols.message import Answer, Outcome, Query
from resolver.source import Now, Peer
from tests.node.parts import PREFIX, ask, make_parts

FOREIGN, LIST = "99.1/a", f"0.NA/{PREFIX}"
DONE = Answer(Outcome.SUCCESS)


class Begun(NamedTuple):
    asked: Asked
    then: Then
    link: Link


class Speaker:
    """Has others asked, and other workers; what they say is the test's to say."""

    def __init__(self) -> None:
        self.begun: list[Begun] = []
        self.forgotten: list[Asked] = []

    def answer(self, message: bytes, peer: Peer, _: Now, __: int, link: Link) -> Asked:
        self.link = link
        request = decode(message)
        if request.body.handle == FOREIGN.encode():
            return Question(request, Query(parse_identifier(FOREIGN)), peer)
        return Relayed(message, 1, peer, link.send_part)

    def ask(self, asked: Asked, _: Now, then: Then) -> Callable[[], None]:
        self.begun.append(Begun(asked, then, self.link))
        return lambda: self.forgotten.append(asked)

    def finish(self, asked: Asked, _: Answer, __: Now, ___: int) -> bytes:
        return b"the list's end." if isinstance(asked, Relayed) else b"the foreign answer."


class Transport(asyncio.Transport):
    """Keeps what is written; the client takes it when the test says so."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711)})
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Talk:
    """One connection on which these handles were asked for, in one piece."""

    def __init__(self, *handles: str) -> None:
        parts, self.speaker, self.transport = make_parts(), Speaker(), Transport()
        listener = TcpListener(
            parts.service, self.speaker, parts.site, parts.proven, parts.config  # type: ignore[arg-type]
        )  # fmt: skip
        self.connection = Connection(listener)
        self.connection.connection_made(self.transport)
        self.connection.data_received(b"".join(ask(handle, flags=0) for handle in handles))

    def send(self, part: bytes) -> "asyncio.Task[None]":
        """A part of the list that was begun last."""
        send_part = self.speaker.begun[-1].link.send_part
        assert send_part is not None
        return asyncio.get_running_loop().create_task(send_part(part))


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_parts_wait_for_what_others_are_asked_in_front_and_what_is_asked_behind_waits_for_them():
    talk = Talk(FOREIGN, LIST, FOREIGN)
    foreign, listed = talk.speaker.begun
    sending = talk.send(b"a part.")
    await some_turns()
    assert not sending.done()
    assert talk.transport.written == b""
    foreign.then(DONE)
    await sending
    assert talk.transport.written == b"the foreign answer.a part."
    assert len(talk.speaker.begun) == 2
    listed.then(DONE)
    talk.speaker.begun[2].then(DONE)
    assert talk.transport.written.endswith(b"a part.the list's end.the foreign answer.")


async def test_a_client_that_does_not_read_gets_no_further_part_until_it_does():
    talk = Talk(LIST)
    await talk.send(b"first.")
    talk.connection.pause_writing()
    sending = talk.send(b"second.")
    await some_turns()
    assert not sending.done()
    assert talk.transport.written == b"first."
    talk.connection.resume_writing()
    await sending
    assert talk.transport.written == b"first.second."


async def test_a_part_that_waits_for_a_client_that_leaves_is_told_so():
    talk = Talk(LIST)
    talk.connection.pause_writing()
    sending = talk.send(b"first.")
    await some_turns()
    talk.connection.connection_lost(None)
    for waiting in (sending, talk.send(b"second.")):
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(1):
                await waiting
    assert talk.transport.written == b""
    assert talk.speaker.forgotten == [talk.speaker.begun[0].asked]
