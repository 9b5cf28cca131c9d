"""Answers that wait for other nodes: order on TCP, bounds, clients that leave, the same words on the hot path."""

import asyncio
import socket
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config_check import MAX_WAITING_DATAGRAMS
from node.config_sections import MIB
from node.listeners.native import USE_TCP, Asked
from node.listeners.tcp import TcpListener
from node.listeners.tcp_connection import MOST_BEHIND_BYTES, MOST_OWED, Connection
from node.listeners.udp import UdpListener
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import AUTH, CACR, DEFAULT_REQUEST_FLAGS, DNRF, KPAL, PUBL, RECU
from protocols.handle.envelope import Envelope
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import Header
from protocols.handle.replies import error_reply
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.via import read_trail, write_via
from protocols.identifier import read_identifier
from protocols.message import Operation, Outcome
from protocols.trail import Verdict
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from resolver.asking import Trouble
from resolver.cache import Rank
from resolver.limits import Limits
from resolver.source import Peer
from tests.node.foreign import (
    DELEGATED,
    DELEGATED_SITE,
    NODE_ID,
    URL,
    ForeignParts,
    make_foreign_parts,
)
from tests.node.listeners.test_tcp import Wire, read_answer
from tests.node.parts import PREFIX, ask, make_config, put, tcp_node, udp_node

FOREIGN = "99.1/a"


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


# ------------------------------------------------------------------------------------------------ TCP


async def test_a_slow_foreign_question_in_front_keeps_fast_answers_behind_it_in_order() -> None:
    foreign = make_foreign_parts()
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        handles = [FOREIGN, f"{PREFIX}/small", f"{PREFIX}/absent", "99.1/b", f"{PREFIX}/mixed", "0"]
        writer.write(b"".join(ask(h, request_id=n) for n, h in enumerate(handles)))
        await foreign.network.asked(2)
        foreign.network.reply("99.1/b", outcome=Outcome.NOT_FOUND)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
        foreign.network.reply(FOREIGN)
        answers = [await read_answer(reader) for _ in handles]
        assert [a.envelope.request_id for a in answers] == list(range(len(handles)))
        assert [a.header.response_code for a in answers] == [1, 1, 100, 100, 1, 100]
        assert isinstance(answers[0].body, ResolveAnswer)
        assert answers[0].body.values == (URL,)
        writer.write(ask(f"{PREFIX}/small"))
        assert (await read_answer(reader)).header.response_code == 1
        writer.close()


async def test_few_questions_of_a_connection_are_under_way_at_a_time_and_all_are_answered() -> None:
    foreign = make_foreign_parts()
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        names = [f"99.1/{n}" for n in range(3 * MOST_OWED)]
        writer.write(b"".join(ask(name, request_id=n) for n, name in enumerate(names)))
        for n, name in enumerate(names):
            await foreign.network.asked(min(n + MOST_OWED, len(names)))
            await asyncio.sleep(0)
            assert len(foreign.network.sent) <= n + MOST_OWED
            foreign.network.reply(name)
        answers = [await read_answer(reader) for _ in names]
        assert [a.envelope.request_id for a in answers] == list(range(len(names)))
        writer.close()


async def test_a_client_that_leaves_is_forgotten_and_its_answer_remembered() -> None:
    foreign = make_foreign_parts()
    async with tcp_node(foreign.parts) as (_, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(FOREIGN))
        await foreign.network.asked()
        assert foreign.driver.waiting_count == 1
        # With a reset: an end alone may be that of a client that still reads.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        await until(lambda: foreign.driver.waiting_count == 0)
        foreign.network.reply(FOREIGN)
        await until(lambda: foreign.driver.forwarder.cache.count == 1)


async def test_a_client_that_says_it_is_through_still_gets_its_answer_and_then_the_end() -> None:
    foreign = make_foreign_parts()
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(FOREIGN))
        writer.write_eof()
        await foreign.network.asked()
        foreign.network.reply(FOREIGN)
        assert (await read_answer(reader)).header.response_code == 1
        assert await reader.read() == b""
        writer.close()


async def test_a_response_behind_a_waiting_question_ends_the_connection_after_the_answer() -> None:
    foreign = make_foreign_parts()
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        playing = encode(error_reply(decode(ask("x")), 2, "x", serial=1, expiration_s=1))
        writer.write(ask(FOREIGN) + playing + ask(f"{PREFIX}/small"))
        await foreign.network.asked()
        foreign.network.reply(FOREIGN)
        assert (await read_answer(reader)).header.response_code == 1
        assert await reader.read() == b""
        writer.close()


async def test_a_draining_listener_waits_for_answers_of_others() -> None:
    foreign = make_foreign_parts()
    async with tcp_node(foreign.parts) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(FOREIGN))
        await foreign.network.asked()
        stopping = asyncio.create_task(listener.stop(5.0))
        await asyncio.sleep(0.05)
        assert not stopping.done()
        foreign.network.reply(FOREIGN)
        assert (await read_answer(reader)).header.response_code == 1
        async with asyncio.timeout(2):
            await stopping
        writer.close()


def connected(foreign: ForeignParts) -> tuple[TcpListener, Connection, Wire]:
    parts = foreign.parts
    listener = TcpListener(parts.service, parts.speaker, parts.site, parts.proven, parts.config)
    wire = Wire()
    connection = wire.protocol = Connection(listener)
    connection.connection_made(wire)  # type: ignore[arg-type]
    return listener, connection, wire


async def test_who_sends_much_behind_a_waiting_question_is_not_read_from_until_it_is_answered() -> (
    None
):
    foreign = make_foreign_parts()
    listener, connection, wire = connected(foreign)
    many = 500
    connection.data_received(ask(FOREIGN) + ask(f"{PREFIX}/small") * many)
    assert not wire.is_reading
    assert listener.partial.used_bytes > MOST_BEHIND_BYTES
    await foreign.network.asked()
    assert not wire.taken
    foreign.network.reply(FOREIGN)
    await until(lambda: wire.taken)
    assert wire.is_reading
    assert listener.partial.used_bytes == 0
    assert len(split(wire.taken)) == many + 1
    connection.connection_lost(None)


async def test_requests_waiting_behind_others_count_in_the_budget_of_unfinished_ones() -> None:
    foreign = make_foreign_parts()
    listener, connection, wire = connected(foreign)
    listener.partial.most_bytes = MIB
    connection.data_received(ask(FOREIGN) + ask(f"{PREFIX}/small") * 20_000)
    assert not wire.is_open, "two megabytes of requests behind one question"
    connection.connection_lost(None)
    assert listener.partial.used_bytes == 0
    assert foreign.driver.waiting_count == 0


async def test_a_client_that_takes_nothing_keeps_late_answers_here_until_it_does() -> None:
    foreign = make_foreign_parts()
    _, connection, wire = connected(foreign)
    connection.data_received(ask(FOREIGN))
    await foreign.network.asked()
    connection.pause_writing()
    foreign.network.reply(FOREIGN)
    await until(lambda: foreign.driver.waiting_count == 0)
    assert not wire.taken
    assert connection.unread_bytes > 0
    connection.resume_writing()
    assert len(split(wire.taken)) == 1
    connection.connection_lost(None)


def split(data: bytes | bytearray) -> list[Message]:
    """Whole messages, back to back."""
    messages, rest = [], bytes(data)
    while rest:
        size = 20 + int.from_bytes(rest[16:20])
        messages.append(decode(rest[:size]))
        rest = rest[size:]
    return messages


# ------------------------------------------------------------------------------------------------ UDP


async def answered(sock: socket.socket) -> Message:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        return decode(await loop.sock_recv(sock, 65_536))


def udp_client(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.connect(("127.0.0.1", port))
    return sock


async def test_udp_answers_later_when_another_node_must_be_asked() -> None:
    foreign = make_foreign_parts()
    async with udp_node(foreign.parts) as (listener, port):
        with udp_client(port) as sock:
            sock.send(ask(FOREIGN, request_id=77))
            sock.send(ask(f"{PREFIX}/small", request_id=78))
            assert (await answered(sock)).envelope.request_id == 78
            await foreign.network.asked()
            foreign.network.reply(FOREIGN)
            answer = await answered(sock)
            assert (answer.envelope.request_id, answer.header.response_code) == (77, 1)
            assert not answer.header.op_flags & AUTH
            assert answer.header.op_flags & RECU
            for request_id in (79, 80):  # the first look-up encodes it, the second is hot
                sock.send(ask(FOREIGN, request_id=request_id))
                assert (await answered(sock)).envelope.request_id == request_id
            assert listener.remembered == 1
            assert len(foreign.network.sent) == 1


async def test_what_an_address_may_get_is_decided_when_the_answer_leaves() -> None:
    foreign = make_foreign_parts()
    large = Value(1, "TEXT", b"x" * 300)
    async with udp_node(foreign.parts) as (_, port):
        with udp_client(port) as sock:
            sock.send(ask(FOREIGN))
            await foreign.network.asked(1)
            foreign.network.reply(FOREIGN, large)
            unproved = await answered(sock)
            assert unproved.body == ErrorAnswer(USE_TCP.encode())
            sock.send(ask("99.1/other"))
            await foreign.network.asked(2)
            foreign.parts.proven.prove("127.0.0.1", foreign.parts.service.monotonic_s)
            foreign.network.reply("99.1/other", large)
            assert (await answered(sock)).header.response_code == 1


async def test_a_remembered_answer_is_no_amplifier_either() -> None:
    foreign = make_foreign_parts()
    remember(foreign, FOREIGN, Value(1, "TEXT", b"x" * 300, ttl=60))
    listener = udp_listener(foreign)
    question = ask(FOREIGN)
    for _ in range(3):
        ((answer, _),) = listener._answers([(question, ("192.0.2.9", 5353))])
        assert len(answer) <= 3 * len(question)
    assert listener.remembered == 0


async def test_an_answer_too_late_for_udp_is_not_sent() -> None:
    foreign = make_foreign_parts()
    async with udp_node(foreign.parts) as (listener, port):
        with udp_client(port) as sock:
            sock.send(ask(FOREIGN))
            await foreign.network.asked()
            foreign.parts.service.monotonic_s += 2.0
            foreign.network.reply(FOREIGN)
            await until(lambda: not listener._late)
            sock.send(ask("0", request_id=99))
            assert (await answered(sock)).envelope.request_id == 99


async def test_datagrams_that_wait_are_bounded_and_more_are_told_busy() -> None:
    plenty = Limits(waiters=20_000, waiting_per_source=20_000)
    foreign = make_foreign_parts(limits=plenty)
    listener = udp_listener(foreign)
    question = ask(FOREIGN)
    asked = [(question, ("127.0.0.1", port)) for port in range(1, MAX_WAITING_DATAGRAMS + 4)]
    answers = listener._answers(asked)
    assert [decode(answer).header.response_code for answer, _ in answers] == [3, 3, 3]
    await listener.drain(0.0)
    assert foreign.driver.waiting_count == 0


async def test_a_stopped_udp_listener_gives_the_answers_it_owes() -> None:
    foreign = make_foreign_parts()
    async with udp_node(foreign.parts) as (listener, port):
        with udp_client(port) as sock:
            sock.send(ask(FOREIGN))
            await foreign.network.asked()
            listener.stop()
            draining = asyncio.create_task(listener.drain(5.0))
            await asyncio.sleep(0.01)
            assert not draining.done()
            foreign.network.reply(FOREIGN)
            assert (await answered(sock)).header.response_code == 1
            async with asyncio.timeout(2):
                await draining
            listener.start()  # so that it can be stopped as usual


# ------------------------------------------------------------------------------------------------ who gets what


def udp_listener(foreign: ForeignParts) -> UdpListener:
    parts = foreign.parts
    return UdpListener(
        None, parts.service, parts.speaker, parts.site, parts.proven, parts.rate, parts.config.limits,  # type: ignore[arg-type]
    )  # fmt: skip


def remember(foreign: ForeignParts, spelling: str, *values: Value) -> None:
    """As if another node had told it a moment ago."""
    now = foreign.parts.service.now()
    identifier = read_identifier(spelling.encode())
    kept = foreign.driver.forwarder.cache.put(
        identifier, Outcome.SUCCESS, values or (URL,), Rank.TCP, now
    )
    assert kept is not None


def one(foreign: ForeignParts, request: bytes, address: str = "192.0.2.9") -> Message:
    """The answer at hand, over TCP's size."""
    peer = Peer(address, 5353, "tcp", is_loopback=False)
    parts = foreign.parts
    answer = parts.speaker.answer(request, peer, parts.service.now(), 262_164)
    assert isinstance(answer, bytes)
    return decode(answer)


async def test_without_recu_a_delegated_prefix_is_a_referral_to_its_servers() -> None:
    foreign = make_foreign_parts()
    answer = one(foreign, ask(f"{DELEGATED}/x", flags=PUBL | CACR))
    assert answer.header.response_code == 302
    assert isinstance(answer.body, Referral)
    assert answer.body.handle == b""
    assert [v.data for v in answer.body.values or ()] == [DELEGATED_SITE]
    refused = one(foreign, ask(f"{DELEGATED}/x", flags=PUBL | DNRF))
    assert refused.header.response_code == 301
    assert not foreign.network.sent


async def test_the_record_of_a_delegated_prefix_is_answered_in_both_spellings() -> None:
    foreign = make_foreign_parts()
    for spelling in (DELEGATED, f"0.NA/{DELEGATED}"):
        body = one(foreign, ask(spelling)).body
        assert isinstance(body, ResolveAnswer)
        assert [value.data for value in body.values] == [DELEGATED_SITE]


async def test_strangers_get_own_delegated_prefixes_resolved_and_nothing_else() -> None:
    foreign = make_foreign_parts(recursion=("127.0.0.0/8",))
    parts = foreign.parts
    remember(foreign, FOREIGN)
    assert one(foreign, ask(FOREIGN), "127.0.0.1").header.response_code == 1
    assert one(foreign, ask(FOREIGN)).header.response_code == 301
    listener = udp_listener(foreign)
    for address, code in (("127.0.0.1", 1), ("192.0.2.9", 301)):
        ((answer, _),) = listener._answers([(ask(FOREIGN), (address, 5353))])
        assert decode(answer).header.response_code == code
    assert listener.remembered == 1
    stranger = Peer("192.0.2.9", 1, "tcp", is_loopback=False)
    later = parts.speaker.answer(ask(f"{DELEGATED}/x"), stranger, parts.service.now(), 9999)
    assert isinstance(later, Asked)


async def test_a_question_that_was_here_before_is_a_loop_and_one_forwarded_too_often_ends() -> None:
    foreign = make_foreign_parts()
    here = ResolveRequest(FOREIGN.encode(), surplus=write_via((NODE_ID,), wants_trail=False))
    assert one(foreign, ask("", body=here)).header.response_code == 6
    tired = decode(ask(FOREIGN))
    tired = tired._replace(header=tired.header._replace(recursion_count=4))
    assert one(foreign, encode(tired)).header.response_code == 6


async def test_what_was_forwarded_to_us_is_forwarded_with_its_way_and_one_hop_more() -> None:
    foreign = make_foreign_parts()
    before = write_via(("aa", "bb"), wants_trail=True)
    message = Message(
        Envelope(request_id=5),
        Header(1, recursion_count=2),
        ResolveRequest(FOREIGN.encode(), surplus=before),
    )
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(encode(message))
        (send,) = await foreign.network.asked()
        assert send.question.hop_count == 3
        assert send.question.via == ("aa", "bb", NODE_ID)
        assert send.question.may_recurse
        assert send.question.wants_trail
        foreign.network.reply(FOREIGN)
        body = (await read_answer(reader)).body
        assert isinstance(body, ResolveAnswer)
        trail = read_trail(body.surplus)
        assert trail is not None
        assert (trail.node, trail.verdict, trail.legs[0].said) == (PREFIX, Verdict.ASKED, "success")
        writer.close()


async def test_a_trail_is_told_to_who_may_ask_through_us_and_left_out_where_it_does_not_fit() -> (
    None
):
    foreign = make_foreign_parts(recursion=("127.0.0.0/8",))
    wish = write_via((), wants_trail=True)
    question = ask("", body=ResolveRequest(f"{PREFIX}/small".encode(), surplus=wish))
    told = one(foreign, question, "127.0.0.1").body
    assert isinstance(told, ResolveAnswer)
    assert read_trail(told.surplus) is not None
    untold = one(foreign, question).body
    assert isinstance(untold, ResolveAnswer)
    assert untold.surplus == b""
    parts = foreign.parts
    local = Peer("127.0.0.1", 1, "udp", is_loopback=True)
    size = len(encode(one(foreign, question)))
    tight = parts.speaker.answer(question, local, parts.service.now(), size)
    assert isinstance(tight, bytes)
    assert decode(tight).body == untold


async def test_an_authoritative_question_is_asked_again_and_trouble_is_an_error() -> None:
    foreign = make_foreign_parts()
    remember(foreign, FOREIGN)
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(FOREIGN, flags=DEFAULT_REQUEST_FLAGS | AUTH))
        (send,) = await foreign.network.asked()
        assert send.question.authoritative
        foreign.network.fail(FOREIGN, Trouble.UNTRUSTED)
        answer = await read_answer(reader)
        assert answer.header.response_code == 2
        assert not answer.header.op_flags & AUTH
        writer.close()


BELIEVING = make_config()
BELIEVING = replace(BELIEVING, access=replace(BELIEVING.access, proven_networks=("0.0.0.0/0",)))
HOT = make_foreign_parts(BELIEVING)
HOT_NAMES = ["99.1/hot", "99.1/HOT", "98.2/two", "99.1/ж"]
for _name in HOT_NAMES:
    remember(HOT, _name, URL, Value(2, "EMAIL", b"a@example.org", ttl=90, ttl_type=0))


@given(
    st.sampled_from([*HOT_NAMES, "99.1/hOt", f"{PREFIX}/small", f"{PREFIX}/absent"]),
    st.lists(st.sampled_from([RECU, RECU, AUTH, CACR, KPAL, DNRF]), max_size=4),
    st.sampled_from([0, 0, 0, 1, 4]),
    st.integers(0, 60),
    st.sampled_from(["127.0.0.1", "192.0.2.8", "203.0.113.9"]),
)
def test_a_remembered_answer_is_the_same_by_the_hot_path_and_the_long_way(
    handle: str, flags: list[int], hops: int, age_s: int, address: str
) -> None:
    question = decode(ask(handle, flags=PUBL | sum(set(flags))))
    request = encode(question._replace(header=question.header._replace(recursion_count=hops)))
    parts = HOT.parts
    parts.service.monotonic_s = 100.0 + age_s
    parts.proven.prove(address, parts.service.monotonic_s)
    peer = Peer(address, 5353, "udp", is_loopback=False)
    # The long way first: it also makes the encoded form, so that the other is hot where it may be.
    slow = parts.speaker.answer(request, peer, parts.service.now(), 512)
    if isinstance(slow, Asked):
        return
    listener = udp_listener(HOT)
    ((hot, _),) = listener._answers([(request, (address, 5353))])
    assert undated(hot) == undated(slow)
    may = {RECU} <= {*flags} and AUTH not in flags and not hops and not address.startswith("203")
    assert listener.remembered == (handle in HOT_NAMES and may)
    _, connection, wire = connected(HOT)
    wire.get_extra_info = lambda _: (address, 5353)  # type: ignore[method-assign]
    connection.connection_made(wire)  # type: ignore[arg-type]
    connection.data_received(request)
    assert undated(bytes(wire.taken)) == undated(slow)


def undated(answer: bytes) -> bytes:
    """Without the expiration second, which may turn between two calls."""
    assert isinstance(answer, bytes)
    return answer[:36] + answer[40:]


async def test_a_change_in_the_feed_ends_what_is_remembered_in_every_spelling() -> None:
    foreign = make_foreign_parts()
    forwarder = foreign.driver.forwarder
    for name in ("99.1/a", "99.1/A", "99.1/b"):
        remember(foreign, name)
        one(foreign, ask(name))
        assert forwarder.answers.get(name.encode(), 100.0)
    forwarder.drop(b"99.1/A")
    assert [forwarder.answers.get(n, 100.0) is None for n in (b"99.1/a", b"99.1/A", b"99.1/b")] == [
        True, True, False,
    ]  # fmt: skip
    forwarder.drop(b"0.NA/99")
    assert forwarder.answers.get(b"99.1/b", 100.0) is None
    assert forwarder.cache.count == 0


# ------------------------------------------------------------------------------------------------ changes


def given_to_others(foreign: ForeignParts) -> None:
    """The prefix goes to another server, and nobody has told this worker yet."""
    other = encode_site(Site((Server(1, "192.0.2.8", (Interface(TCP, 2641),)),), serial=4))
    prefix_record = f"0.NA/{DELEGATED}"
    put(foreign.parts.store, prefix_record, [Value(1, "HS_SITE", other)], Operation.DELEGATE)


def forgetful_parts() -> ForeignParts:
    foreign = make_foreign_parts()
    foreign.follower.listen(
        lambda changes: [foreign.driver.forwarder.drop(change.key) for change in changes]
    )
    return foreign


async def test_the_next_datagram_after_a_change_is_not_answered_with_what_was_told_before() -> None:
    foreign, handle = forgetful_parts(), f"{DELEGATED}/a"
    async with udp_node(foreign.parts) as (listener, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", port))
            client.send(ask(handle))
            await foreign.network.asked()
            foreign.network.reply(handle)
            for count in (0, 1):  # the first from the cache, the second from the encoded answers
                client.send(ask(handle))
                await until(lambda count=count: listener.remembered == count)
            given_to_others(foreign)
            client.send(ask(handle))
            sent = await foreign.network.asked(2)
            assert sent[1].target.address == "192.0.2.8"


async def test_the_next_question_by_tcp_after_a_change_goes_to_the_new_server() -> None:
    foreign, handle = forgetful_parts(), f"{DELEGATED}/a"
    async with tcp_node(foreign.parts) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(handle))
        await foreign.network.asked()
        foreign.network.reply(handle)
        await read_answer(reader)
        for _ in range(2):
            writer.write(ask(handle))
            await read_answer(reader)
        assert listener.remembered == 1
        given_to_others(foreign)
        writer.write(ask(handle))
        sent = await foreign.network.asked(2)
        assert sent[1].target.address == "192.0.2.8"
        writer.close()
