"""A loop that comes late: hits are answered as ever, other nodes are not asked, what nobody waits for is dropped."""

import asyncio
import contextlib
import socket
import time

import pytest

from node.listeners.stale import BATCH, MOST_BATCHES, MUCH_BYTES, Room, receive_fresh
from node.overload import MOST_WAIT_S, SHED_ABOVE_S, WINDOW, Overload, Work
from protocols.handle.failures import ErrorAnswer
from protocols.message import Outcome
from tests.node.foreign import make_foreign_parts
from tests.node.listeners.test_tcp import read_answer
from tests.node.listeners.test_udp import exchange
from tests.node.parts import PREFIX, ask, make_config, make_parts, tcp_node, udp_node

FOREIGN = "99.1/a"
MOMENT_S = 0.001


def be_late(overload: Overload, lag_s: float) -> None:
    for _ in range(WINDOW):
        overload.saw(lag_s, turn_s=lag_s)


async def test_an_overloaded_node_says_busy_over_udp_where_it_would_have_to_ask() -> None:
    foreign = make_foreign_parts()
    be_late(foreign.parts.service.overload, 0.2)
    async with udp_node(foreign.parts) as (_, port):
        asked = [ask(f"{PREFIX}/small", request_id=1), ask(FOREIGN, request_id=2)]
        answers = await exchange(port, *asked)
    local, other = sorted(answers, key=lambda answer: answer.envelope.request_id)
    assert (local.envelope.request_id, local.header.response_code) == (1, 1)
    assert (other.envelope.request_id, other.header.response_code) == (2, 3)
    assert isinstance(other.body, ErrorAnswer)
    assert foreign.network.sent == []
    assert foreign.parts.service.overload.refused[Work.FORWARD] == 1


async def test_an_overloaded_node_says_busy_over_tcp_and_keeps_the_order() -> None:
    foreign = make_foreign_parts()
    be_late(foreign.parts.service.overload, 0.2)
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        handles = [FOREIGN, f"{PREFIX}/small", "99.1/b"]
        writer.write(b"".join(ask(h, request_id=n) for n, h in enumerate(handles)))
        answers = [await read_answer(reader) for _ in handles]
        assert [(a.envelope.request_id, a.header.response_code) for a in answers] == [
            (0, 3), (1, 1), (2, 3),
        ]  # fmt: skip
        writer.close()
    assert foreign.network.sent == []


async def test_what_was_remembered_is_answered_in_overload() -> None:
    foreign = make_foreign_parts()
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(FOREIGN))
        await foreign.network.asked()
        foreign.network.reply(FOREIGN)
        assert (await read_answer(reader)).header.response_code == 1
        be_late(foreign.parts.service.overload, 10.0)
        writer.write(ask(FOREIGN))
        assert (await read_answer(reader)).header.response_code == 1
        writer.close()


async def test_a_loop_that_is_in_time_again_asks_again() -> None:
    foreign = make_foreign_parts()
    overload = foreign.parts.service.overload
    be_late(overload, SHED_ABOVE_S[Work.FORWARD] * 2)
    overload.saw(0.0, turn_s=0.0)
    async with tcp_node(foreign.parts) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(FOREIGN))
        await foreign.network.asked()
        foreign.network.reply(FOREIGN, outcome=Outcome.NOT_FOUND)
        assert (await read_answer(reader)).header.response_code == 100
        writer.close()


async def test_a_late_loop_answers_a_long_queue_at_a_time_and_all_of_it() -> None:
    parts = make_parts()
    be_late(parts.service.overload, 1.0)
    async with udp_node(parts) as (_, port):
        asked = [ask(f"{PREFIX}/small", request_id=n) for n in range(3 * BATCH // 2)]
        answers = await exchange(port, *asked)
    assert [answer.envelope.request_id for answer in answers] == list(range(len(asked)))
    assert parts.service.overload.stale == 0


async def test_a_queue_that_is_fresh_is_answered_in_order_although_there_is_one() -> None:
    parts = make_parts()
    async with udp_node(parts) as (listener, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", port))
            for n in range(250):  # while this test runs, the listener does not
                sock.send(ask(f"{PREFIX}/small", request_id=n))
            listener.look()
            ids = []
            async with asyncio.timeout(5):
                while len(ids) < 250:
                    answer = await asyncio.get_running_loop().sock_recv(sock, 65_536)
                    ids.append(int.from_bytes(answer[8:12]))
    assert ids == list(range(250))
    assert parts.service.overload.stale == 0


async def test_a_queue_that_is_old_is_dropped_and_what_comes_then_is_answered(queue) -> None:
    parts = make_parts()
    loop = asyncio.get_running_loop()
    async with udp_node(parts) as (listener, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", port))
            for began_id in (0, 1000):  # the first time the kernel begins to keep times
                for n in range(250):
                    sock.send(ask(f"{PREFIX}/small", request_id=began_id + n))
                listener.look()
                wait(2 * MOST_WAIT_S)
                # Its turn comes now: the queue of the second time is older than anybody waits.
                await asyncio.sleep(0.02)
                if (
                    not began_id
                ):  # its answers must not stand in the way of those that are looked for
                    async with asyncio.timeout(5):
                        while int.from_bytes((await loop.sock_recv(sock, 65_536))[8:12]) != 249:
                            pass
            left = 250 % BATCH  # the last there are, however old
            assert parts.service.overload.stale == 250 - BATCH - left
            for n in range(10):
                sock.send(ask(f"{PREFIX}/small", request_id=2000 + n))
            ids = []
            async with asyncio.timeout(5):
                while 2009 not in ids:
                    ids.append(int.from_bytes((await loop.sock_recv(sock, 65_536))[8:12]))
    # By the first the queue was found to be old.
    first, last = range(1000, 1000 + BATCH), range(1250 - left, 1250)
    assert [n for n in ids if n >= 1000] == [*first, *last, *range(2000, 2010)]


def test_a_burst_is_no_queue(queue):
    receiving, sending = queue
    room = Room(receiving, 1 << 20)
    for _ in range(100):
        sending.send(b"x")
    assert not room.much_waits()
    for _ in range(150):
        sending.send(b"x")
    assert room.much_waits()


def fill(sending: socket.socket) -> None:
    for _ in range(2000):
        sending.send(b"x")


def received_all(receiving: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while receiving.recv(64):
            count += 1
    return count


def full_room(queue) -> tuple[Room, int]:
    """A room whose socket is full, and the bytes it began with."""
    receiving, sending = queue
    room = Room(receiving, 1 << 20)
    usual_bytes = room.allowed_bytes
    fill(sending)
    assert room.much_waits()
    return room, usual_bytes


def test_a_queue_that_was_old_gets_only_so_much_room_that_it_will_not_be_again(queue):
    receiving, sending = queue
    room, usual_bytes = full_room(queue)
    held = received_all(receiving)
    fill(sending)
    assert room.much_waits()
    room.found(age_s=0.4, patience_s=0.1)  # an eighth is answered in half the time that is allowed
    assert MUCH_BYTES <= room.allowed_bytes < usual_bytes / 6
    assert received_all(receiving) == held, "what waits already stays"
    fill(sending)
    assert received_all(receiving) < held / 4


def test_a_fresh_queue_keeps_its_room_and_an_idle_socket_gets_it_back(queue):
    room, usual_bytes = full_room(queue)
    room.found(age_s=0.09, patience_s=0.1)
    assert room.allowed_bytes == usual_bytes
    room.found(age_s=10.0, patience_s=0.1)
    assert room.allowed_bytes == MUCH_BYTES
    assert room.much_waits(), "it stands still: no more room"
    assert room.allowed_bytes == MUCH_BYTES
    received_all(queue[0])
    for _ in range(10):
        assert not room.much_waits()
    assert room.allowed_bytes == usual_bytes


def test_who_serves_the_socket_next_has_all_of_its_room(queue):
    room, usual_bytes = full_room(queue)
    room.found(age_s=10.0, patience_s=0.1)
    room.give_back()
    assert queue[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == usual_bytes


async def test_a_crowd_at_the_door_is_refused_to_the_last_and_who_is_in_is_served() -> None:
    async with tcp_node(make_parts(make_config(connections=1))) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(f"{PREFIX}/small"))
        assert (await read_answer(reader)).header.response_code == 1
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        async with asyncio.timeout(10):
            for refused, knocking in crowd:
                with contextlib.suppress(ConnectionResetError):
                    assert await refused.read() == b""
                knocking.close()
        writer.write(ask(f"{PREFIX}/small"))
        assert (await read_answer(reader)).header.response_code == 1
        writer.close()


# ---------------------------------------------------------------------------------------------- stale


def wall_s() -> float:
    """The clock by which the kernel stamps datagrams."""
    return time.clock_gettime(time.CLOCK_REALTIME)


def wait(seconds: float) -> None:
    """Keep everything from going on."""
    until_s = wall_s() + seconds
    while wall_s() < until_s:
        pass


@pytest.fixture
def queue():
    """A receiving socket, and one that sends to it; while they live, the kernel keeps times for everybody."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
    ):
        receiving.bind(("127.0.0.1", 0))
        receiving.setblocking(False)
        sending.connect(receiving.getsockname())
        until_s = wall_s() + 5.0
        while (
            wall_s() < until_s
        ):  # asked for times, the kernel takes a moment to begin keeping them
            for _ in range(BATCH + 1):
                sending.send(b"x")
            wait(2 * MOMENT_S)
            if receive_fresh(receiving, 64, wall_s(), MOMENT_S)[1]:
                break
        yield receiving, sending


def test_what_has_just_come_is_fresh(queue):
    receiving, sending = queue
    sending.send(b"1")
    sending.send(b"2")
    received, dropped, _ = receive_fresh(receiving, 64, wall_s(), 0.5)
    assert ([data for data, _ in received], dropped) == ([b"1", b"2"], 0)


def test_what_has_waited_longer_than_its_sender_is_dropped_but_for_the_last(queue):
    """Who drops everything answers nobody, and comes late for ever."""
    receiving, sending = queue
    for n in range(BATCH + 10):
        sending.send(b"%d" % n)
    received, dropped, _ = receive_fresh(receiving, 64, wall_s() + 0.6, 0.5)
    assert [data for data, _ in received] == [b"%d" % n for n in range(BATCH, BATCH + 10)]
    assert dropped == BATCH
    with pytest.raises(BlockingIOError):
        receiving.recv(64)


def test_behind_the_old_the_new_is_kept(queue):
    receiving, sending = queue
    for _ in range(BATCH):
        sending.send(b"old")
    wait(2 * MOMENT_S)
    sending.send(b"new")
    received, dropped, _ = receive_fresh(receiving, 64, wall_s(), MOMENT_S)
    if received:  # a machine that stood still here for a millisecond has made the new one old
        assert ([data for data, _ in received], dropped) == ([b"new"], BATCH)


def test_an_empty_socket_has_nothing(queue):
    assert receive_fresh(queue[0], 64, wall_s() + 9.0, 0.5) == ([], 0, 0.0)


def test_so_much_can_be_dropped_at_a_time_that_no_socket_holds_more():
    smallest_datagram_of_the_kernel_bytes = 768  # what one of some bytes takes of SO_RCVBUF
    assert BATCH * MOST_BATCHES * smallest_datagram_of_the_kernel_bytes >= 4_194_304
