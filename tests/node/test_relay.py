"""What workers pass to each other, over real mailboxes between workers of one process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from unittest.mock import ANY

from node.listeners.native import NativeSpeaker, Relayed
from node.mailbox import Mailbox, make_mailbox
from node.native.office import make_office
from node.proving.guessing import MAX_DELAY_S
from node.relay import ANSWER_S, MOST_WAITING, Relay
from node.slots import new_id
from node.writer import PATIENCE_S
from protocols.handle.codec import decode, encode
from protocols.handle.codes import ResponseCode
from protocols.handle.replies import error_reply
from protocols.message import Answer
from resolver.source import Peer
from tests.node.parts import PREFIX, Parts, ask, make_parts

MOST = 262_164
FAR = Peer("192.0.2.9", 4711, "tcp", is_loopback=False)


class Worker:
    """As much of a worker as takes part."""

    def __init__(self, slot: int, boxes: dict[int, socket.socket], reading: socket.socket) -> None:
        self.parts: Parts = make_parts()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.speaker = NativeSpeaker(
            self.parts.service,
            self.parts.site,
            make_office(self.parts.service, self.parts.site, None),
        )
        self.relay = Relay(slot, boxes, self.speaker, self.parts.service, [self.udp])
        self.speaker.siblings = self.relay
        self.mailbox = Mailbox(reading, self.relay.receivers)
        self.relay.start()

    def answer(self, message: bytes, peer: Peer = FAR) -> object:
        return self.speaker.answer(message, peer, self.parts.service.now(), MOST)

    async def answer_later(self, message: bytes, peer: Peer = FAR) -> bytes | None:
        asked = self.answer(message, peer)
        assert isinstance(asked, Relayed)
        told: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        now = self.parts.service.now()
        self.speaker.ask(asked, now, told.set_result)
        answer = await told
        assert answer is not None
        return self.speaker.finish(asked, answer, now, MOST)


@contextlib.asynccontextmanager
async def workers() -> AsyncIterator[tuple[Worker, Worker]]:
    pairs = [make_mailbox(), make_mailbox()]
    boxes = {slot: writing for slot, (_, writing) in enumerate(pairs)}
    first, second = (Worker(slot, boxes, reading) for slot, (reading, _) in enumerate(pairs))
    try:
        yield first, second
    finally:
        for worker in (first, second):
            worker.mailbox.stop()
            worker.relay.stop()
            worker.udp.close()
        for reading, writing in pairs:
            reading.close()
            writing.close()


def in_session(handle: str, session_id: int, request_id: int = 7) -> bytes:
    return ask(handle, session_id=session_id, request_id=request_id)


async def test_over_tcp_the_answer_of_the_owner_comes_back() -> None:
    async with workers() as (first, second):
        second.mailbox.start()
        message = in_session(f"{PREFIX}/small", new_id(1))
        passed = await first.answer_later(message)
        assert passed == second.answer(message), "as if the client had reached the owner"
        large = await first.answer_later(in_session(f"{PREFIX}/large", new_id(1)))
        assert large is not None
        assert len(large) > 120_000


async def test_over_udp_the_owner_answers_the_client_from_its_own_socket() -> None:
    async with workers() as (first, second):
        second.mailbox.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            client.setblocking(False)
            peer = Peer(*client.getsockname(), "udp", is_loopback=True)
            message = in_session(f"{PREFIX}/small", new_id(1))
            assert first.answer(message, peer) is None
            loop = asyncio.get_running_loop()
            answer, address = await asyncio.wait_for(loop.sock_recvfrom(client, 65_536), 10)
        assert address == second.udp.getsockname()
        assert decode(answer).header.response_code == ResponseCode.SUCCESS


async def test_an_owner_may_not_answer_a_stranger_with_more_than_was_allowed() -> None:
    async with workers() as (first, second):
        second.mailbox.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            client.setblocking(False)
            peer = Peer(*client.getsockname(), "udp", is_loopback=True)
            message = in_session(f"{PREFIX}/large", new_id(1))
            now = first.parts.service.now()
            assert first.speaker.answer(message, peer, now, 512) is None
            loop = asyncio.get_running_loop()
            answer, _ = await asyncio.wait_for(loop.sock_recvfrom(client, 65_536), 10)
        assert len(answer) <= 512
        assert decode(answer).header.response_code == ResponseCode.ERROR, "use TCP"


async def test_what_was_passed_on_is_never_passed_on_again() -> None:
    async with workers() as (first, second):
        # Both believe that the other one owns it, as after a change in the number of workers.
        second.relay._slot = 7
        second.mailbox.start()
        first.mailbox.start()
        answer = await first.answer_later(in_session(f"{PREFIX}/small", new_id(1)))
        assert answer is not None
        assert decode(answer).header.response_code == ResponseCode.SUCCESS
        assert second.relay._waiting == {}


async def test_own_sessions_unknown_slots_and_ids_of_clients_stay_here() -> None:
    async with workers() as (first, _):
        for session_id in (new_id(0), new_id(2), 10_001, 0):
            assert first.answer(in_session(f"{PREFIX}/small", session_id)) == ANY
            assert isinstance(first.answer(in_session(f"{PREFIX}/small", session_id)), bytes)


async def test_what_is_no_request_is_nobodys_and_ends_here() -> None:
    async with workers() as (first, _):
        request = in_session(f"{PREFIX}/small", new_id(1))
        response = encode(error_reply(decode(request), 2, "x", serial=1, expiration_s=1))
        for message in (response, request[:30]):
            assert first.answer(message) is None, "there is nothing that could be said to it"


async def test_messages_that_wait_are_bounded_and_more_is_busy() -> None:
    async with workers() as (first, second):
        now, codes = first.parts.service.now(), []

        def ask_one(number: int) -> None:
            asked = first.answer(in_session(f"{PREFIX}/small", new_id(1), number))
            assert isinstance(asked, Relayed)

            def tell(answer: Answer | None) -> None:
                assert answer is not None
                encoded = first.speaker.finish(asked, answer, now, MOST)
                assert encoded is not None
                told = decode(encoded)
                assert told.envelope.request_id == number
                codes.append(told.header.response_code)

            first.speaker.ask(asked, now, tell)

        for number in range(MOST_WAITING + 10):
            ask_one(number)
        # What the kernel does not keep is refused, too (net.unix.max_dgram_qlen, 512 or 10 as a rule).
        assert len(codes) >= 10
        assert set(codes) == {ResponseCode.TOO_BUSY}
        refused = len(codes)
        second.mailbox.start()
        async with asyncio.timeout(10):
            while len(codes) < MOST_WAITING + 10:
                await asyncio.sleep(0.01)
        assert set(codes[refused:]) == {ResponseCode.SUCCESS}


async def test_whoever_forgets_its_question_is_not_told() -> None:
    async with workers() as (first, second):
        asked = first.answer(in_session(f"{PREFIX}/small", new_id(1)))
        assert isinstance(asked, Relayed)
        told: list[Answer | None] = []
        forget = first.speaker.ask(asked, first.parts.service.now(), told.append)
        forget()
        second.mailbox.start()
        await first.answer_later(in_session(f"{PREFIX}/small", new_id(1)))
        assert told == []


def test_an_owner_that_slows_a_guess_or_waits_for_the_registrar_is_not_taken_for_gone() -> None:
    assert ANSWER_S > MAX_DELAY_S + 1
    assert ANSWER_S > PATIENCE_S + 1
