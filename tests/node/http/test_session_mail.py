"""Sessions with several workers: whoever gets the request asks whoever has the session, within bounds."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine

import pytest

from node.http.session_mail import SessionMail
from node.http.sessions import ADMIT, CLOSE, LOOK, TAKE, Errand, Sessions, State
from node.mailbox import Mailbox, make_mailbox

HERE = "192.0.2.1"


def start(errand: Coroutine[None, None, State | None]) -> asyncio.Task[State | None]:
    return asyncio.get_running_loop().create_task(errand)


class Worker:
    def __init__(
        self, slot: int, boxes: dict[int, socket.socket], reading: socket.socket, **limits: float
    ) -> None:
        self.now_s = 0.0
        self.mail = SessionMail(slot, boxes, Sessions(slot), lambda: self.now_s, **limits)
        self.mailbox = Mailbox(reading, self.mail.receivers)

    def open(self) -> State:
        state = self.mail.open(HERE)
        assert state is not None
        return state


@contextlib.asynccontextmanager
async def workers(
    *, first_reads: bool = True, **limits: float
) -> AsyncIterator[tuple[Worker, Worker]]:
    pairs = [make_mailbox(), make_mailbox()]
    boxes = {slot: writing for slot, (_, writing) in enumerate(pairs)}
    first, second = (
        Worker(slot, boxes, reading, **limits) for slot, (reading, _) in enumerate(pairs)
    )
    second.mailbox.start()
    if first_reads:
        first.mailbox.start()
    try:
        yield first, second
    finally:
        second.mailbox.stop()
        if first_reads:
            first.mailbox.stop()
        first.mail.close()
        second.mail.close()
        for pair in pairs:
            for end in pair:
                end.close()


async def test_any_worker_can_use_the_session_of_another():
    async with workers() as (first, second):
        state = first.open()
        assert await second.mail.do(Errand(LOOK, state.id, HERE)) == state
        taken = await second.mail.do(Errand(TAKE, state.id, HERE, b"proof"))
        assert taken is not None
        assert taken.taken == state.nonce
        admitted = await second.mail.do(
            Errand(ADMIT, state.id, HERE, b"proof", "88.118/a", 300, b"print")
        )
        assert admitted is not None
        for worker in (first, second):
            seen = await worker.mail.do(Errand(LOOK, state.id, HERE))
            assert seen is not None
            assert (seen.handle, seen.index, seen.key_print) == ("88.118/a", 300, b"print")
        await second.mail.do(Errand(CLOSE, state.id, HERE))
        assert await first.mail.do(Errand(LOOK, state.id, HERE)) is None


async def test_one_nonce_is_for_one_proof_whichever_workers_are_asked():
    async with workers() as (first, second):
        state = first.open()
        asked = [
            worker.mail.do(Errand(TAKE, state.id, HERE, bytes([n])))
            for n, worker in enumerate((first, second) * 8)
        ]
        taken = [got.taken for got in await asyncio.gather(*asked) if got]
        assert len(taken) == len(set(taken)) == 16


async def test_another_address_gets_nothing_from_any_worker():
    async with workers() as (first, second):
        state = first.open()
        assert await second.mail.do(Errand(LOOK, state.id, "192.0.2.2")) is None
        assert await second.mail.do(Errand(LOOK, state.id, HERE)) is not None


async def test_a_worker_that_does_not_answer_is_gone_after_a_moment():
    async with workers(first_reads=False, answer_s=0.4) as (first, second):
        state = first.open()
        assert await second.mail.do(Errand(LOOK, state.id, HERE)) is None
        first.mailbox.start()  # what it says now comes too late, and hurts nobody
        await asyncio.sleep(0.02)
        assert await second.mail.do(Errand(LOOK, state.id, HERE)) == state
        first.mailbox.stop()


async def test_no_more_than_so_many_are_asked_at_once():
    async with workers(first_reads=False, most_waiting=3) as (first, second):
        state = first.open()
        asked = [start(second.mail.do(Errand(LOOK, state.id, HERE))) for _ in range(3)]
        await asyncio.sleep(0)
        assert await second.mail.do(Errand(LOOK, state.id, HERE)) is None
        first.mailbox.start()
        assert await asyncio.gather(*asked) == [state] * 3
        first.mailbox.stop()


async def test_who_waits_when_the_worker_ends_is_told():
    async with workers(first_reads=False) as (first, second):
        asked = start(second.mail.do(Errand(LOOK, first.open().id, HERE)))
        await asyncio.sleep(0)
        second.mail.close()
        assert await asked is None


@pytest.mark.parametrize("id_", ["", "zz" * 16, "ff" * 16, "00" * 16, "09" + "11" * 15])
async def test_ids_that_no_worker_made_are_nobodys(id_):
    async with workers() as (_, second):
        assert await second.mail.do(Errand(LOOK, id_, HERE)) is None
