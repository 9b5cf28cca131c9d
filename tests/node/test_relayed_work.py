"""Lists and changes that go by another worker: told in parts, in the client's time, and what is said when one ends."""

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from conformance.native_messages import Exchange, read_answer, request_bytes
from node.listeners.native import MAY_BE_DONE, Relayed
from node.mailbox import GONE, Mailbox, make_mailbox, send
from node.native.link import Link
from node.native.office import CUT, MOST_LISTED_BYTES
from node.relay import ANSWER_S, TAKEN_S, Relay
from protocols.handle.administration import HandleRequest
from protocols.handle.authentication import LoginRequest
from protocols.handle.codec import Message, decode
from protocols.handle.codes import CERT, CONT, DEFAULT_REQUEST_FLAGS, OpCode, ResponseCode
from protocols.handle.encryption import encrypt
from protocols.handle.resolution import ResolveRequest
from protocols.handle.signing import mac_is_right
from protocols.message import Answer
from protocols.values.value import Value
from resolver.source import Peer
from tests.node.native.room import (
    ADMIN,
    KEYED,
    MOST,
    OWN,
    PREFIX,
    TCP_PEER,
    Room,
    answer_to,
    make_room,
    make_store,
    url,
)
from tests.node.native.test_pipelined import talking
from tests.node.native.test_sessions import NEW, Client

LIST = request_bytes(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
LONG_NAMES = {f"{PREFIX}/{number:0400}".encode() for number in range(400)}
assert sum(map(len, LONG_NAMES)) > MOST_LISTED_BYTES


class Reader:
    """The client of one connection: takes parts while ``may_take`` is set."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.link = Link(self.send_part)

    async def send_part(self, part: bytes) -> None:
        self.parts.append(part)
        await self.may_take.wait()


@dataclass
class Worker:
    room: Room
    relay: Relay
    mailbox: Mailbox

    def begin(
        self, message: bytes, link: Link, peer: Peer = TCP_PEER
    ) -> tuple["asyncio.Future[bytes | None]", Callable[[], None]]:
        """Have it answered by the other; returns the last message of the answer, and how to leave."""
        now = self.room.service.now()
        asked = self.room.speaker.answer(message, peer, now, MOST, link)
        assert isinstance(asked, Relayed)
        told: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

        def tell(answer: Answer | None) -> None:
            assert answer is not None
            told.set_result(self.room.speaker.finish(asked, answer, now, MOST))

        return told, self.room.speaker.ask(asked, now, tell)

    async def say(self, message: bytes, reader: Reader | None = None) -> list[Message]:
        """All messages of the answer."""
        reader = reader or Reader()
        told, _ = self.begin(message, reader.link)
        last = await asyncio.wait_for(told, 10)
        assert last is not None
        return [decode(part) for part in (*reader.parts, last)]

    async def say_again(self, message: bytes) -> Message:
        """Until the other has answered in time."""
        async with asyncio.timeout(10):
            while True:
                (told,) = await self.say(message)
                if told.header.response_code != ResponseCode.ERROR:
                    return told

    @property
    def is_idle(self) -> bool:
        """Nothing waits here, for anybody."""
        return not (self.relay._waiting or self.relay._parts or self.room.speaker._deeds._tasks)


@contextlib.asynccontextmanager
async def workers(
    answer_s: float = ANSWER_S, taken_s: float = TAKEN_S
) -> AsyncIterator[tuple[Worker, Worker]]:
    """The one that has the connections, and the owner of everything, which has long lists."""
    store = make_store()
    pairs = [make_mailbox(), make_mailbox()]
    boxes = {slot: writing for slot, (_, writing) in enumerate(pairs)}
    made = []
    for slot, (reading, _) in enumerate(pairs):
        room = make_room(store, slot)
        relay = Relay(slot, boxes, room.speaker, room.service, [], answer_s, taken_s)
        room.speaker.siblings = relay
        worker = Worker(room, relay, Mailbox(reading, relay.receivers))
        relay.start()
        worker.mailbox.start()
        made.append(worker)
    try:
        yield made[0], made[1]
    finally:
        for worker in made:
            await worker.room.speaker.drain(5)
            await until(lambda worker=worker: not worker.relay._late)
            worker.mailbox.stop()
            with contextlib.suppress(ValueError, OSError):  # it ended in the middle
                worker.relay.stop()
        for sock in (sock for pair in pairs for sock in pair):
            sock.close()


def with_long_list(owner: Worker) -> None:
    for name in LONG_NAMES:
        owner.room.put(name.decode(), url("https://a/"))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def challenged(owner: Worker, peer: Peer = TCP_PEER) -> bytes:
    """The answer to a challenge to list, which the owner has sent."""
    asked = await owner.room.say(LIST, peer)
    assert asked is not None
    return request_bytes(*answer_to(Exchange(LIST, read_answer(asked), asked), ADMIN))


async def in_session(owner: Worker) -> Client:
    client = Client(owner.room)
    await client.open()
    await client.log_in()
    return client


def names_of(told: list[Message]) -> list[bytes]:
    assert {one.header.response_code for one in told} == {ResponseCode.SUCCESS}
    assert [bool(one.header.op_flags & CONT) for one in told] == [True] * (len(told) - 1) + [False]
    return [name for one in told for name in one.body.names]


async def names_told(reader, told):
    """All names of a list: of the parts that were taken and of the last message."""
    last = await asyncio.wait_for(told, 10)
    return names_of([decode(part) for part in (*reader.parts, last)])


async def test_a_list_of_any_length_is_whole_over_a_challenge_of_another_worker():
    async with workers() as (first, owner):
        with_long_list(owner)
        names = names_of(await first.say(await challenged(owner)))
        assert len(names) == len(set(names))
        assert set(names) > LONG_NAMES
        await until(lambda: first.is_idle and owner.is_idle)


async def test_every_part_of_a_list_has_the_mac_of_the_session_whose_owner_made_it():
    async with workers() as (first, owner):
        with_long_list(owner)
        client = await in_session(owner)
        flags = DEFAULT_REQUEST_FLAGS | CERT
        message = client.message(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()), flags)
        told = await first.say(message)
        assert set(names_of(told)) > LONG_NAMES
        for one in told:
            assert mac_is_right(one.credential, client.key, one.envelope, one.received)


async def test_requests_behind_a_list_are_answered_behind_it():
    async with workers() as (first, owner), talking(first.room) as talk:
        with_long_list(owner)
        peer = Peer("127.0.0.1", 1, "tcp", is_loopback=True)
        question = request_bytes(OpCode.RESOLVE, ResolveRequest(f"{PREFIX}/small".encode()))
        said = [await challenged(owner, peer), question, await challenged(owner, peer), question]
        told = await talk.say_all(*said)
        assert [len(answer) for answer in told] == [9, 1, 9, 1]
        for request, answer in zip(said, told, strict=True):
            ids = {one.envelope.request_id for one in answer}
            assert ids == {decode(request).envelope.request_id}
        assert set(names_of(told[0])) == set(names_of(told[2])) > LONG_NAMES


async def test_no_part_is_made_before_the_client_has_taken_the_one_before():
    async with workers() as (first, owner):
        with_long_list(owner)
        reader = Reader()
        reader.may_take.clear()
        told, _ = first.begin(await challenged(owner), reader.link)
        await until(lambda: reader.parts)
        others = await in_session(owner)  # goes on meanwhile, and gives the owner many turns
        assert (
            decode(
                await first.begin(others.message(OpCode.DELETE, HandleRequest(NEW.handle)), Link())[
                    0
                ]
            ).header.response_code
            == 1
        )
        assert len(reader.parts) == len(owner.relay._parts) == 1
        assert not told.done()
        reader.may_take.set()
        assert set(await names_told(reader, told)) > LONG_NAMES


async def test_a_client_may_take_longer_for_a_part_than_the_owner_for_the_next():
    async with workers(answer_s=0.4) as (first, owner):
        with_long_list(owner)
        client, reader = await in_session(owner), Reader()
        reader.may_take.clear()
        told, _ = first.begin(await challenged(owner), reader.link)
        await until(lambda: reader.parts)
        owner.mailbox.stop()
        await first.say(client.message(OpCode.DELETE, HandleRequest(NEW.handle)))  # nobody answers
        owner.mailbox.start()
        assert not told.done()
        reader.may_take.set()
        assert set(await names_told(reader, told)) > LONG_NAMES


async def test_a_part_that_finds_a_full_mailbox_comes_later():
    async with workers() as (first, owner):
        with_long_list(owner)
        message, reader = await challenged(owner), Reader()
        first.relay._answers.stop()
        while send(first.relay._back, b"?", bytes(1000)):
            pass
        told, _ = first.begin(message, reader.link)
        await until(lambda: owner.relay._parts)
        first.relay.start()
        assert set(await names_told(reader, told)) > LONG_NAMES


async def test_a_list_of_a_session_is_not_told_again_by_its_end():
    async with workers() as (first, owner):
        with_long_list(owner)
        client = await in_session(owner)
        message = client.message(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
        assert set(names_of(await first.say(message))) > LONG_NAMES
        (again,) = await first.say(message)
        assert again.header.response_code == ResponseCode.SESSION_MESSAGE_REJECTED


async def test_a_client_that_leaves_in_the_middle_ends_the_work_of_the_owner_at_once():
    async with workers() as (first, owner):
        with_long_list(owner)
        reader = Reader()
        reader.may_take.clear()
        told, leave = first.begin(await challenged(owner), reader.link)
        await until(lambda: reader.parts)
        assert not owner.is_idle
        leave()
        await until(lambda: first.is_idle and owner.is_idle)
        assert len(reader.parts) == 1
        assert not told.done()


async def test_whoever_leaves_when_he_has_just_taken_a_part_is_told_nothing_later():
    async with workers(answer_s=0.4) as (first, owner):
        with_long_list(owner)
        leaving: list[Callable[[], None]] = []

        async def leave_behind(_: bytes) -> None:
            asyncio.get_running_loop().call_soon(leaving[0])

        client = await in_session(owner)
        listing = client.message(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
        told, leave = first.begin(listing, Link(leave_behind))
        leaving.append(leave)
        await until(lambda: first.is_idle and owner.is_idle)
        message = client.message(OpCode.DELETE, HandleRequest(NEW.handle))
        owner.mailbox.stop()
        await first.say(message)  # told that nobody answers, later than the other would be
        assert not told.done()
        owner.mailbox.start()


async def test_a_part_for_a_client_that_has_left_ends_the_work_of_the_owner_at_once():
    async with workers() as (first, owner):
        with_long_list(owner)
        message, reader = await challenged(owner), Reader()
        _, leave = first.begin(message, reader.link)
        leave()
        await until(lambda: first.is_idle and owner.is_idle)
        assert owner.room.speaker._deeds._tasks == set()
        assert reader.parts == []


async def test_a_connection_that_breaks_while_a_part_is_sent_ends_the_work_of_the_owner():
    async def broken(_: bytes) -> None:
        raise ConnectionResetError

    async with workers() as (first, owner):
        with_long_list(owner)
        told, _ = first.begin(await challenged(owner), Link(broken))
        assert decode(await told).header.response_code == ResponseCode.TOO_BUSY  # to nobody
        await until(lambda: first.is_idle and owner.is_idle)


async def test_a_client_too_slow_for_its_list_is_told_that_it_was_cut():
    async with workers(taken_s=0.05) as (first, owner):
        with_long_list(owner)
        reader = Reader()
        reader.may_take.clear()
        told, _ = first.begin(await challenged(owner), reader.link)
        last = decode(await asyncio.wait_for(told, 10))
        assert last.header.response_code == ResponseCode.TOO_BUSY
        assert last.body.message == CUT.encode()
        assert not last.header.op_flags & CONT
        await until(lambda: first.is_idle and owner.is_idle)


async def test_an_owner_that_ends_in_the_middle_of_a_list_ends_the_list_with_an_error():
    async with workers(answer_s=0.4, taken_s=0.8) as (first, owner):
        with_long_list(owner)
        client, reader = await in_session(owner), Reader()
        reader.may_take.clear()
        message = client.message(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
        told, _ = first.begin(message, reader.link)
        await until(lambda: reader.parts)
        owner.mailbox.stop()
        owner.relay.stop()
        reader.may_take.set()
        last = decode(await asyncio.wait_for(told, 10))
        assert last.header.response_code == ResponseCode.SESSION_TIMEOUT
        assert last.envelope.request_id == decode(reader.parts[0]).envelope.request_id
        assert not last.header.op_flags & CONT
        owner.mailbox.start()


async def test_whoever_waits_for_a_worker_that_was_buried_hears_so_at_once_and_nobody_else():
    async with workers(answer_s=60) as (first, owner):
        with_long_list(owner)
        reader = Reader()
        reader.may_take.clear()
        listed, _ = first.begin(await challenged(owner), reader.link)
        await until(lambda: reader.parts)
        client = await in_session(owner)
        owner.mailbox.stop()
        asked, _ = first.begin(
            client.message(OpCode.LIST_HANDLES, HandleRequest(OWN.encode())), Link()
        )
        for slot in (2, 1):
            is_told = [listed.done(), asked.done()]
            assert is_told == [False, False], "of another slot nobody waits here"
            send(first.relay._boxes[0], GONE, slot)
            await until(lambda: not select.select([first.mailbox._box], [], [], 0)[0])
        codes = [
            decode(await asyncio.wait_for(one, 1)).header.response_code for one in (listed, asked)
        ]
        assert codes == [ResponseCode.ERROR, ResponseCode.SESSION_TIMEOUT]
        assert not first.relay._waiting
        owner.mailbox.start()
        await until(lambda: first.is_idle and owner.is_idle)
        assert len(reader.parts) == 1


async def test_work_for_a_client_whose_worker_was_buried_ends_at_once():
    async with workers() as (first, owner):
        with_long_list(owner)
        reader = Reader()
        reader.may_take.clear()
        first.begin(await challenged(owner), reader.link)
        await until(lambda: reader.parts)
        send(owner.relay._boxes[1], GONE, 2)
        await until(lambda: not select.select([owner.mailbox._box], [], [], 0)[0])
        assert not owner.is_idle, "that was another one"
        send(owner.relay._boxes[1], GONE, 0)
        await until(lambda: owner.is_idle)
        assert len(reader.parts) == 1


async def test_nobody_logs_in_on_a_connection_of_another_worker():
    async with workers() as (first, owner):
        client = await in_session(owner)
        message = client.message(OpCode.SDK_LOGIN, LoginRequest(KEYED.handle, KEYED.index))
        (told,) = await first.say(message)
        assert told.header.response_code == ResponseCode.NOT_SUPPORTED


async def test_a_change_without_an_answer_in_time_may_be_done_and_its_repetition_says_so():
    async with workers(answer_s=0.05) as (first, owner):
        client = await in_session(owner)
        count = owner.room.writer.count
        owner.room.writer.may_commit.clear()
        message = client.message(OpCode.DELETE, HandleRequest(NEW.handle))
        (late,) = await first.say(message)
        assert late.header.response_code == ResponseCode.ERROR, "500 would make clients repeat it"
        assert late.body.message == MAY_BE_DONE.encode()
        owner.room.writer.may_commit.set()
        await until(lambda: owner.is_idle)
        owner.room.service.monotonic_s += 59
        for _ in range(2):
            again = await first.say_again(message)
            assert (again.header.op_code, again.header.response_code) == (OpCode.DELETE, 1)
        owner.room.service.monotonic_s += 2
        replayed = await first.say_again(message)
        assert replayed.header.response_code == ResponseCode.SESSION_MESSAGE_REJECTED
        assert owner.room.writer.count == count + 1


async def test_a_challenged_change_without_an_answer_in_time_is_told_to_who_answers_again():
    async with workers(answer_s=0.05) as (first, owner):
        asked = request_bytes(OpCode.CREATE, NEW)
        raw = await owner.room.say(asked)
        message = request_bytes(*answer_to(Exchange(asked, read_answer(raw), raw), ADMIN))
        owner.room.writer.may_commit.clear()
        (late,) = await first.say(message)
        assert late.header.response_code == ResponseCode.ERROR
        assert late.body.message == MAY_BE_DONE.encode()
        owner.room.writer.may_commit.set()
        await until(lambda: owner.is_idle)
        again = await first.say_again(message)
        assert (again.header.op_code, again.header.response_code) == (OpCode.CREATE, 1)
        assert owner.room.writer.count == 1


async def test_of_an_encrypted_message_nobody_else_knows_whether_it_changes_something():
    async with workers(answer_s=0.05) as (first, owner):
        client = await in_session(owner)
        owner.mailbox.stop()
        plain = client.message(OpCode.DELETE, HandleRequest(NEW.handle))
        (told,) = await first.say(encrypt(plain, client.key, bytes(16)))
        assert told.header.op_code == OpCode.RESOLVE, "what cannot be read is not repeated"
        assert told.header.response_code == ResponseCode.ERROR
        assert told.body.message == MAY_BE_DONE.encode()
        owner.mailbox.start()


async def test_answers_that_find_a_full_mailbox_come_later_and_none_is_lost():
    async with workers() as (first, owner):
        owner.room.put(f"{PREFIX}/large", Value(1, "A", bytes(60_000)))
        client = await in_session(owner)
        first.relay._answers.stop()  # nobody takes what comes back, till there is too much of it
        question = ResolveRequest(f"{PREFIX}/large".encode())
        told = [first.begin(client.message(OpCode.RESOLVE, question), Link())[0] for _ in range(16)]
        await until(lambda: owner.relay._late)
        first.relay.start()
        answers = await asyncio.wait_for(asyncio.gather(*told), 10)
        assert {decode(one).header.response_code for one in answers} == {ResponseCode.SUCCESS}
