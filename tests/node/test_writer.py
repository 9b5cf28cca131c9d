"""A worker's writer against a real registrar socket that comes, goes and comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.control_socket import listen_control
from node.disk import DiskWatch
from node.follower import Follower
from node.registrar_desk import Desk
from node.registrar_server import SERVING_LOAD_ROWS, Server
from node.registrar_wire import Parcel, pack_rows
from node.writer import PATIENCE_S, Writer
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.value import Value
from registry.change import Change
from registry.registrar import Registrar, Submission
from registry.stores.memory import MemoryStore
from tests.node.parts import PREFIX, SEALER, make_store


def put(suffix: str, data: bytes = b"x", index: int = 1) -> Submission:
    values = (Value(index, "T", data),)
    return Submission(
        OPERATOR, Command(Operation.PUT, parse_identifier(f"{PREFIX}/{suffix}"), values), "t"
    )


HEAD = bytes.fromhex("00000001 00000000 00 00015180 0e 00000001") + b"T"


def parcel(*suffixes: str) -> Parcel:
    rows = [(f"{PREFIX}/{suffix}", 0, "x") for suffix in suffixes]
    piece = pack_rows(rows)
    return Parcel(OPERATOR, "t", [(HEAD,)], [piece], {}, {}, [], len(rows), len(piece))


@contextlib.asynccontextmanager
async def registrar(path: Path, store: MemoryStore) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()
    server: Server | None = None
    desk = Desk(
        store, Registrar(store, SEALER), DiskWatch(path.parent, 0.0), lambda: False,
        lambda seq: loop.call_soon_threadsafe(lambda: server and server.push_head(seq)),
        lambda _: None,
    )  # fmt: skip
    server = Server(desk, loop, lambda: {"serving": True, "pid": 1})
    listening = await loop.create_unix_server(server.connect, sock=listen_control(path))
    desk.start()
    try:
        yield server
    finally:
        listening.close()
        await asyncio.to_thread(desk.stop)
        await asyncio.sleep(0)
        await server.close()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def dying_at(word: bytes, path: Path) -> AsyncIterator[None]:
    """A registrar that is gone as soon as it hears this word."""

    class Dying(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            if word in data:
                self.transport.close()

    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(Dying, sock=listen_control(path))
    yield
    server.close()


@contextlib.asynccontextmanager
async def writer(
    path: Path, queue_bytes: int = 1 << 20, patience_s: float = PATIENCE_S
) -> AsyncIterator[Writer]:
    heads: list[int] = []
    one = Writer(path, queue_bytes, heads.append, patience_s)
    one.heads = heads  # type: ignore[attr-defined]
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        if one._transport is not None:
            one._transport.abort()
            await asyncio.sleep(0)


async def test_many_callers_get_their_own_receipts(tmp_path: Path) -> None:
    async with registrar(tmp_path / "s", make_store()), writer(tmp_path / "s") as one:
        answers = await asyncio.gather(
            *(one.submit([put(f"n{n}"), put(f"m{n}")]) for n in range(300))
        )
    assert all(r.outcome is Outcome.SUCCESS for receipts in answers for r in receipts)
    assert len({r.seq for receipts in answers for r in receipts}) == 600


async def test_commands_sent_before_there_is_a_registrar_wait_for_it(tmp_path: Path) -> None:
    async with writer(tmp_path / "s") as one:
        waiting = asyncio.create_task(one.submit([put("early")]))
        await asyncio.sleep(0)
        assert not waiting.done()
        async with registrar(tmp_path / "s", make_store()):
            (receipt,) = await waiting
    assert receipt.outcome is Outcome.SUCCESS


async def test_a_full_queue_answers_busy_at_once(tmp_path: Path) -> None:
    async with writer(tmp_path / "absent", queue_bytes=2000) as one:
        kept = asyncio.create_task(one.submit([put("kept")]))
        await asyncio.sleep(0)
        (receipt,) = await one.submit([put("big", bytes(3000))])
        assert receipt.outcome is Outcome.BUSY
        kept.cancel()


async def test_without_a_registrar_commands_get_read_only_in_the_end(tmp_path: Path) -> None:
    async with writer(tmp_path / "absent", patience_s=0.05) as one:
        (receipt,) = await one.submit([put("x")])
    assert receipt.outcome is Outcome.READ_ONLY
    assert one.waiting_bytes == 0


async def test_commands_in_flight_when_the_registrar_dies_are_not_called_done(
    tmp_path: Path,
) -> None:
    async with dying_at(b"submit", tmp_path / "s"), writer(tmp_path / "s") as one:
        (receipt,) = await one.submit([put("x")])
        assert receipt.outcome is Outcome.ERROR
        assert "may or may not" in receipt.reason
        assert one.waiting_bytes == 0


async def test_commands_that_reach_a_stopping_registrar_are_done_by_its_successor(
    tmp_path: Path,
) -> None:
    store = make_store()
    async with asyncio.timeout(10), writer(tmp_path / "s") as one:
        async with registrar(tmp_path / "s", store) as server:
            await one.submit([put("before")])
            server.refuse_more()
            late = [asyncio.create_task(one.submit([put(f"late{n}")])) for n in range(20)]
            while len(one._late) < 4 or one._sent:  # four frames are the most that travel at once
                await asyncio.sleep(0)
        async with registrar(tmp_path / "s", store):
            receipts = [(await task)[0] for task in late]
    assert {receipt.outcome for receipt in receipts} == {Outcome.SUCCESS}
    assert [r.seq for r in receipts] == sorted(r.seq for r in receipts), "and in their order"
    assert one.waiting_bytes == 0


async def test_a_registrar_that_hangs_up_at_once_is_not_asked_without_a_pause(
    tmp_path: Path,
) -> None:
    loop = asyncio.get_running_loop()
    connections = 0

    class Refusing(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal connections
            connections += 1
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    server = await loop.create_unix_server(Refusing, sock=listen_control(tmp_path / "s"))
    async with writer(tmp_path / "s"):
        await asyncio.sleep(0.3)
    server.close()
    assert 1 < connections < 10


async def test_one_value_that_cannot_be_packed_does_not_harm_its_neighbours(tmp_path: Path) -> None:
    async with writer(tmp_path / "s") as one:
        bad = asyncio.create_task(one.submit([put("bad", index=2**70)]))
        good = asyncio.create_task(one.submit([put("good")]))
        await asyncio.sleep(0)
        async with registrar(tmp_path / "s", make_store()):
            (refused,), (done,) = await bad, await good
    assert refused.outcome is Outcome.INVALID_VALUE
    assert done.outcome is Outcome.SUCCESS


async def test_a_reconnected_writer_goes_on_and_hears_heads(tmp_path: Path) -> None:
    store = make_store()
    async with writer(tmp_path / "s") as one:
        async with registrar(tmp_path / "s", store):
            await one.submit([put("a")])
        async with asyncio.timeout(10), registrar(tmp_path / "s", store):
            while one.is_connected:  # it has not noticed yet
                await asyncio.sleep(0)
            (receipt,) = await one.submit([put("b")])
            while receipt.seq not in one.heads:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
    assert receipt.outcome is Outcome.SUCCESS


async def test_status_and_metrics_can_be_asked(tmp_path: Path) -> None:
    async with registrar(tmp_path / "s", make_store()), writer(tmp_path / "s") as one:
        await one.submit([put("a")])
        assert (await one.ask("status"))["load_rows"] == SERVING_LOAD_ROWS
        assert b"biaojie_commits_total" in await one.ask("metrics")
        with pytest.raises(ConnectionError, match="no such call"):
            await one.ask("nonsense")


async def test_the_follower_hands_on_every_change_once_and_in_order() -> None:
    store = make_store()
    follower = Follower(store.reader())
    start = follower.seq
    heard: list[Change] = []
    follower.listen(heard.extend)
    for n in range(2500):
        Registrar(store, SEALER).commit([put(f"f{n}")], 0)
    await asyncio.gather(
        follower.passed(start + 1), follower.passed(start + 2500), follower.catch_up()
    )
    assert [change.seq for change in heard] == list(range(start + 1, start + 2501))


async def test_a_follower_that_fell_behind_retention_drops_everything() -> None:
    store = make_store()
    follower = Follower(store.reader())
    told: list[int] = []
    follower.listen(lambda changes: told.append(len(changes)))
    for n in range(20):
        Registrar(store, SEALER).commit([put(f"f{n}")], 0)
    store.truncate_changes(store.head().seq)
    await follower.catch_up()
    assert told == [0]
    assert follower.seq == store.head().seq


# -- rows of a batch


async def test_parcels_are_carried_out_in_order_beside_commands(tmp_path: Path) -> None:
    store = make_store()
    before = store.count(PREFIX.encode())
    async with registrar(tmp_path / "s", store), writer(tmp_path / "s") as one:
        parcels = [one.carry(parcel(f"p{n}", f"q{n}")) for n in range(8)]
        *receipts, commands = await asyncio.gather(*parcels, one.submit([put("c")]))
    seqs = [r.seq for receipt in receipts for r in receipt.receipts(2)]
    assert seqs == sorted(seqs)
    assert all(receipt.others == {} for receipt in receipts)
    assert commands[0].outcome is Outcome.SUCCESS
    store.refresh()
    assert store.count(PREFIX.encode()) == before + 17
    assert one.waiting_bytes == 0


async def test_a_parcel_that_does_not_fit_the_queue_is_busy_row_by_row(tmp_path: Path) -> None:
    async with writer(tmp_path / "absent", queue_bytes=20) as one:
        receipt = await one.carry(parcel("a", "b"))
    assert [r.outcome for r in receipt.receipts(2)] == [Outcome.BUSY] * 2


async def test_a_parcel_waits_for_a_registrar_and_gets_read_only_in_the_end(
    tmp_path: Path,
) -> None:
    async with writer(tmp_path / "s") as one:
        waiting = asyncio.create_task(one.carry(parcel("early")))
        await asyncio.sleep(0)
        async with registrar(tmp_path / "s", make_store()):
            assert (await waiting).others == {}
    async with writer(tmp_path / "absent", patience_s=0.05) as one:
        receipt = await one.carry(parcel("x", "y"))
    assert [r.outcome for r in receipt.receipts(2)] == [Outcome.READ_ONLY] * 2
    assert one.waiting_bytes == 0


async def test_parcels_that_reach_a_stopping_registrar_are_done_by_its_successor(
    tmp_path: Path,
) -> None:
    store = make_store()
    async with asyncio.timeout(10), writer(tmp_path / "s") as one:
        async with registrar(tmp_path / "s", store) as server:
            await one.carry(parcel("before"))
            server.refuse_more()
            late = [asyncio.create_task(one.carry(parcel(f"late{n}"))) for n in range(5)]
            while len(one._late_parcels) < 2:
                await asyncio.sleep(0)
        async with registrar(tmp_path / "s", store):
            receipts = await asyncio.gather(*late)
    assert [next(receipt.receipts(1)).seq for receipt in receipts] == list(
        range(receipts[0].before_seq + 1, receipts[0].before_seq + 6)
    )


async def test_a_parcel_in_flight_when_the_registrar_dies_is_not_called_done(
    tmp_path: Path,
) -> None:
    async with dying_at(b"chunk", tmp_path / "s"), writer(tmp_path / "s") as one:
        (receipt,) = (await one.carry(parcel("x"))).receipts(1)
        assert receipt.outcome is Outcome.ERROR
        assert "may or may not" in receipt.reason
        assert one.waiting_bytes == 0
