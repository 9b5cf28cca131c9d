"""Requests sent without waiting for the answers before them: each meets the world as the one before has left it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from conformance.native_messages import Exchange, read_answer, request_bytes
from node.listeners.limits import ProvenAddresses
from node.listeners.tcp import TcpListener
from node.site import SiteInfo
from protocols.handle.administration import HandleRequest, ValuesRequest
from protocols.handle.authentication import LoginRequest
from protocols.handle.codec import Message
from protocols.handle.codes import CONT, OpCode
from protocols.handle.resolution import ResolveRequest
from tests.node.native.room import KEYED, PREFIX, Room, answer_to, make_room, url
from tests.node.native.test_sdk_login import LOGIN, PLAIN
from tests.node.native.test_sessions import Client
from tests.node.parts import make_config

NAME = f"{PREFIX}/new".encode()
NEW = ValuesRequest(NAME, (url("https://a/"),))
OTHER = ValuesRequest(NAME, (url("https://b/"),))


class Talk:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *messages: bytes) -> list[Message]:
        """In one piece; as many answers."""
        self.writer.write(b"".join(messages))
        return [read_answer(await self._next()) for _ in messages]

    async def say_all(self, *messages: bytes) -> list[list[Message]]:
        """The same where an answer may be many messages."""
        self.writer.write(b"".join(messages))
        answers: list[list[Message]] = []
        for _ in messages:
            answers.append([read_answer(await self._next())])
            while answers[-1][-1].header.op_flags & CONT:
                answers[-1].append(read_answer(await self._next()))
        return answers

    async def _next(self) -> bytes:
        async with asyncio.timeout(10):
            head = await self.reader.readexactly(20)
            return head + await self.reader.readexactly(int.from_bytes(head[16:20]))


@contextlib.asynccontextmanager
async def talking(room: Room) -> AsyncIterator[Talk]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    sock.setblocking(False)
    config = make_config()
    proven = ProvenAddresses((), config.limits.proven_s, 64)
    site = SiteInfo(room.service.reader, PREFIX)
    listener = TcpListener(room.service, room.speaker, site, proven, config)
    await listener.start([sock])
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()
        await listener.stop(0.0)


def codes(answers: list[Message]) -> list[int]:
    return [answer.header.response_code for answer in answers]


RESOLVE = request_bytes(OpCode.RESOLVE, ResolveRequest(NAME))


async def test_what_follows_a_login_is_done_by_whoever_has_logged_in():
    room = make_room()
    async with talking(room) as talk:
        sent = request_bytes(OpCode.SDK_LOGIN, LoginRequest(KEYED.handle, KEYED.index), LOGIN)
        (asked,) = await talk.say(sent)
        op_code, body, fields = answer_to(Exchange(sent, asked, b""), KEYED)
        answers = await talk.say(
            request_bytes(op_code, body, fields._replace(flags=LOGIN.flags)),
            request_bytes(OpCode.CREATE, NEW, PLAIN),
            RESOLVE,
            request_bytes(OpCode.DELETE, HandleRequest(NAME), PLAIN),
            RESOLVE,
        )
        assert codes(answers) == [1, 1, 1, 1, 100]


async def test_a_login_that_begins_behind_another_ends_by_itself():
    """The end of the first must not take the challenge of the second away."""
    room = make_room()
    async with talking(room) as talk:
        sent = request_bytes(OpCode.SDK_LOGIN, LoginRequest(KEYED.handle, KEYED.index), LOGIN)
        (asked,) = await talk.say(sent)
        op_code, body, fields = answer_to(Exchange(sent, asked, b""), KEYED)
        done, again = await talk.say(
            request_bytes(op_code, body, fields._replace(flags=LOGIN.flags)), sent
        )
        assert codes([done, again]) == [1, 402]
        op_code, body, fields = answer_to(Exchange(sent, again, b""), KEYED)
        answers = await talk.say(
            request_bytes(op_code, body, fields._replace(flags=LOGIN.flags)),
            request_bytes(OpCode.CREATE, NEW, PLAIN),
        )
        assert codes(answers) == [1, 1]


async def test_a_session_reads_what_it_wrote():
    room = make_room()
    client = Client(room)
    await client.open()
    await client.log_in()
    async with talking(room) as talk:
        answers = await talk.say(
            client.message(OpCode.MODIFY_VALUE, OTHER),
            client.message(OpCode.RESOLVE, ResolveRequest(NAME)),
            RESOLVE,
            client.message(OpCode.SESSION_TERMINATE, HandleRequest()),
            client.message(OpCode.RESOLVE, ResolveRequest(NAME)),
        )
    assert codes(answers) == [1, 1, 1, 1, 500]
    assert {answer.body.values[0].data for answer in answers[1:3]} == {b"https://b/"}


async def test_a_connection_has_one_request_worked_at_at_a_time():
    """So that nobody fills the room for work with requests that wait for each other."""
    room = make_room()
    client = Client(room)
    await client.open()
    await client.log_in()
    async with talking(room) as talk:
        name = [
            client.message(OpCode.ADD_VALUE, ValuesRequest(NAME, (url("x", n),)))
            for n in range(2, 40)
        ]
        assert codes(await talk.say(*name)) == [1] * len(name)
