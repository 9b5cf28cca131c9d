"""Places and memory are for answers that somebody waits for, whatever servers do with the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.upstream.tcp import GIVEN_UP_S
from protocols.handle.envelope import Envelope, encode_envelope
from protocols.values.site import TCP
from resolver.asking import Reply, Target, Trouble
from tests.faulty_peer.behaviour import Behaviour, Mode
from tests.faulty_peer.peer import FaultyPeer
from tests.node.upstream.asker import NAME, RECORDS, SHORT_S, Asker

LARGE_BYTES = 100_000
DRIP_S = 0.02


@asynccontextmanager
async def dripping(at_once: bytes = b"") -> AsyncIterator[Target]:
    """A server that begins a large answer, ``at_once`` of it immediately, and goes on byte by byte."""

    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        asked = await reader.read(4096)
        request_id = int.from_bytes(asked[8:12])
        writer.write(encode_envelope(Envelope(request_id=request_id, length=LARGE_BYTES)))
        writer.write(at_once)
        while not reader.at_eof() and not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(DRIP_S)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Target(TCP, *server.sockets[0].getsockname())
    finally:
        server.close()
        await asyncio.gather(*(task for task in serving if task is not None))
        await asyncio.sleep(DRIP_S)


async def test_a_server_that_goes_on_byte_by_byte_holds_no_connection():
    async with dripping() as target, Asker() as asker:
        assert await asker.ask(target, patience_s=SHORT_S) is Trouble.TIMEOUT
        await asyncio.sleep(10 * DRIP_S)
        (pool,) = asker.client.tcp._pools.values()
        pool.look(asyncio.get_running_loop().time() + GIVEN_UP_S - 5 * DRIP_S)
        assert asker.client.tcp.connections == 0


async def test_places_held_for_answers_nobody_waits_for_are_given_to_questions():
    with FaultyPeer(RECORDS) as good:
        async with dripping() as bad, Asker(most_connections=2) as asker:
            for _ in range(2):
                number = asker.send(bad, patience_s=SHORT_S)
            assert await asker.end_of(number) is Trouble.TIMEOUT
            assert asker.client.tcp.connections == 2
            assert isinstance(await asker.ask(good.target(TCP), patience_s=SHORT_S), Reply)
            assert asker.client.tcp.connections == 2


async def test_a_question_that_no_place_was_free_for_gets_the_next_one():
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as silent, FaultyPeer(RECORDS) as good:
        async with Asker(most_connections=1) as asker:
            first = asker.send(silent.target(TCP), patience_s=SHORT_S)
            second = asker.send(good.target(TCP), patience_s=3.0)
            assert await asker.end_of(first) is Trouble.TIMEOUT
            assert isinstance(await asker.end_of(second), Reply)


async def test_that_no_place_was_free_is_not_held_against_a_server():
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as silent, FaultyPeer(RECORDS) as good:
        async with Asker(most_connections=1) as asker:
            first = asker.send(silent.target(TCP), patience_s=2 * SHORT_S)
            assert await asker.ask(good.target(TCP), patience_s=SHORT_S) is Trouble.CROWDED
            assert await asker.end_of(first) is Trouble.TIMEOUT
        assert good.counts["tcp"] == 0


async def test_memory_held_for_answers_nobody_waits_for_is_given_to_others():
    half = bytes(LARGE_BYTES // 2)
    with FaultyPeer(RECORDS, Behaviour(Mode.HUGE)) as good:
        async with dripping(half) as bad, Asker(most_buffered_bytes=300_000) as asker:
            numbers = [asker.send(bad, patience_s=SHORT_S) for _ in range(5)]
            for number in numbers:
                assert await asker.end_of(number) is Trouble.TIMEOUT
            reply = await asker.ask(good.target(TCP), NAME)
    assert isinstance(reply, Reply)
