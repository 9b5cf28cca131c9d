"""Native TCP: order, persistence, deadlines (on a clock the test moves), limits, and clients that do not read."""

import asyncio
from typing import Any

import pytest

from node.config_sections import MIB
from node.listeners.tcp import TcpListener
from node.listeners.tcp_connection import STALLED_S, Connection
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.replies import error_reply
from protocols.handle.resolution import ResolveAnswer
from tests.node.parts import PREFIX, Parts, ask, make_config, make_parts, tcp_node


async def read_answer(reader: asyncio.StreamReader) -> Message:
    head = await reader.readexactly(20)
    return decode(head + await reader.readexactly(int.from_bytes(head[16:20])))


async def test_requests_on_one_connection_are_answered_in_order_and_it_stays_open() -> None:
    async with tcp_node(make_parts()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        handles = [
            f"{PREFIX}/small",
            f"{PREFIX}/absent",
            f"{PREFIX}/large",
            "0",
            f"{PREFIX}/mixed",
        ] * 3
        writer.write(b"".join(ask(h, request_id=n) for n, h in enumerate(handles)))
        answers = [await read_answer(reader) for _ in handles]
        assert [a.envelope.request_id for a in answers] == list(range(len(handles)))
        assert [a.header.response_code for a in answers[:5]] == [1, 100, 1, 100, 1]
        writer.write(ask(f"{PREFIX}/small"))  # no KPAL was ever sent
        assert (await read_answer(reader)).header.response_code == 1
        writer.close()


async def test_a_request_that_comes_byte_by_byte_is_answered() -> None:
    async with tcp_node(make_parts()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for byte in ask(f"{PREFIX}/small"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await read_answer(reader)).header.response_code == 1
        writer.close()


async def test_an_answer_larger_than_udp_allows_comes_whole() -> None:
    async with tcp_node(make_parts()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(f"{PREFIX}/large"))
        body = (await read_answer(reader)).body
        assert isinstance(body, ResolveAnswer)
        assert sum(len(value.data) for value in body.values) == 120_000
        writer.close()


@pytest.mark.parametrize("length", [8193, 262_145, 2**31 - 1, 2**32 - 1])
async def test_an_announced_size_above_the_limit_gets_rc_4_and_the_end(length: int) -> None:
    async with tcp_node(make_parts()) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        message = bytearray(ask(f"{PREFIX}/small"))
        message[16:20] = length.to_bytes(4)
        writer.write(message)
        answer = await read_answer(reader)
        assert answer.header.response_code == ResponseCode.PROTOCOL_ERROR
        assert await reader.read() == b""
        assert listener.partial.used_bytes == 0
        writer.close()


async def test_a_response_in_the_request_direction_gets_silence_and_the_end() -> None:
    request = decode(ask(f"{PREFIX}/small"))
    response = encode(error_reply(request, ResponseCode.ERROR, "x", serial=1, expiration_s=1))
    async with tcp_node(make_parts()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(response)
        assert await reader.read() == b""
        writer.close()


async def test_garbage_is_not_answered_and_ends_the_connection() -> None:
    async with tcp_node(make_parts()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_one_address_gets_its_share_of_connections_and_no_more() -> None:
    parts = make_parts(make_config(connections_per_address=3))
    async with tcp_node(parts) as (listener, port):
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in pairs:
            writer.write(ask("0"))
            await read_answer(reader)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask("0"))
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await read_answer(reader)
        writer.transport.abort()
        for _, writer in pairs:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(5):
            while listener.slots.taken:
                await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask("0"))
        assert (await read_answer(reader)).header.response_code == 100
        writer.close()


async def test_a_connection_proves_its_address_for_udp() -> None:
    parts = make_parts()
    async with tcp_node(parts) as (_, port):
        assert not parts.proven.is_proven("127.0.0.1", parts.service.monotonic_s)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask("0"))
        await read_answer(reader)
        assert parts.proven.is_proven("127.0.0.1", parts.service.monotonic_s)
        writer.close()


class Wire:
    """A transport that takes as much as the test lets it."""

    def __init__(self) -> None:
        self.taken = bytearray()
        self.unread = 0
        self.stuck = False
        self.is_open = self.is_reading = True
        self.high = 65_536
        self.protocol: Connection | None = None

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.7", 5353) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write(self, data: bytes) -> None:
        if not self.stuck:
            self.taken += data
            return
        was_below, self.unread = self.unread <= self.high, self.unread + len(data)
        if was_below and self.unread > self.high and self.protocol is not None:
            self.protocol.pause_writing()

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        self.is_open = False

    abort = close


def connected(parts: Parts) -> tuple[TcpListener, Connection, Wire]:
    listener = TcpListener(parts.service, parts.speaker, parts.site, parts.proven, parts.config)
    wire = Wire()
    connection = wire.protocol = Connection(listener)
    connection.connection_made(wire)  # type: ignore[arg-type]
    return listener, connection, wire


def test_a_request_that_is_never_finished_ends_at_the_deadline_however_often_a_byte_comes() -> None:
    parts = make_parts(make_config(tcp_request_s=5.0))
    listener, connection, wire = connected(parts)
    for at, byte in enumerate(ask(f"{PREFIX}/small")[:40]):
        parts.service.monotonic_s = 100.0 + at * 0.12
        connection.data_received(bytes([byte]))
        listener.look(parts.service.monotonic_s)
        assert wire.is_open
    listener.look(104.9)
    assert wire.is_open
    listener.look(105.0)
    assert not wire.is_open
    assert not wire.taken


def test_the_deadline_counts_from_the_first_byte_of_the_unfinished_request() -> None:
    parts = make_parts()
    listener, connection, wire = connected(parts)
    whole = ask(f"{PREFIX}/small")
    connection.data_received(whole[:30])
    parts.service.monotonic_s = 104.0
    connection.data_received(whole[30:] + whole[:30])  # the first is answered, another begins
    assert len(wire.taken) > 100
    listener.look(108.9)
    assert wire.is_open
    listener.look(109.0)
    assert not wire.is_open


def test_an_idle_connection_is_closed_after_the_idle_time_and_sooner_when_slots_are_few() -> None:
    parts = make_parts(make_config(connections=4, idle_s=600.0))
    listener, connection, wire = connected(parts)
    connection.data_received(ask("0"))
    listener.look(699.9)
    assert wire.is_open
    listener.slots.taken = 3
    listener.look(106.0)
    assert not wire.is_open


def test_who_does_not_take_the_answers_is_not_read_from_and_is_dropped_in_the_end() -> None:
    parts = make_parts()
    listener, connection, wire = connected(parts)
    wire.stuck = True
    connection.data_received(ask(f"{PREFIX}/large") * 50)
    assert not wire.is_reading
    assert wire.unread <= wire.high + 121_000, "no more is answered than one answer past the mark"
    listener.look(100.0 + STALLED_S - 0.1)
    assert wire.is_open
    listener.look(100.0 + STALLED_S)
    assert not wire.is_open


def test_who_takes_the_answers_slowly_gets_all_of_them() -> None:
    parts = make_parts()
    listener, connection, wire = connected(parts)
    wire.stuck = True
    connection.data_received(ask(f"{PREFIX}/large") * 20)
    rounds = 0
    while wire.unread:
        rounds += 1
        wire.taken += bytes(wire.unread)
        parts.service.monotonic_s += STALLED_S / 2
        wire.unread = 0
        listener.look(parts.service.monotonic_s)
        connection.resume_writing()
        assert wire.is_open
    assert rounds >= 20
    assert len(wire.taken) > 20 * 120_000
    assert wire.is_reading


def test_unfinished_requests_of_all_connections_fit_one_budget() -> None:
    parts = make_parts()
    listener, _, _ = connected(parts)
    listener.partial.most_bytes = MIB
    held = []
    for _ in range(8):
        wire = Wire()
        connection = Connection(listener)
        connection.connection_made(wire)  # type: ignore[arg-type]
        begun = bytearray(ask("x", op_code=OpCode.CREATE))
        begun[16:20] = (260_000).to_bytes(4)
        connection.data_received(bytes(begun) + bytes(250_000))
        held.append(wire)
        if not wire.is_open:
            connection.connection_lost(None)
    assert [wire.is_open for wire in held] == [True] * 4 + [False] * 4
    assert listener.partial.used_bytes <= MIB


def test_when_all_together_do_not_read_the_largest_is_dropped() -> None:
    parts = make_parts()
    listener, _, first = connected(parts)
    wires = [first]
    for _ in range(3):
        wire = Wire()
        wire.protocol = Connection(listener)
        wire.protocol.connection_made(wire)  # type: ignore[arg-type]
        wires.append(wire)
    for at, wire in enumerate(wires):
        wire.unread = 1000 * (at + 1)
    listener.unread_budget_bytes = 6500
    listener.look(100.0)
    assert [wire.is_open for wire in wires] == [True, True, True, False]
