"""The pool: computes elsewhere, bounded, and says so when it is full."""

import asyncio
import threading

import pytest

from node.proving.pool import CpuPool, PoolFull


async def test_what_is_computed_is_returned_and_what_is_raised_is_raised() -> None:
    pool = CpuPool()
    assert await pool.run(pow, 2, 10) == 1024
    assert await pool.run(int, "ff", base=16) == 255
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 1, 0)
    assert await pool.run(threading.get_ident) != threading.get_ident()
    pool.close()


async def test_the_event_loop_goes_on_meanwhile() -> None:
    pool, gate = CpuPool(), threading.Event()
    work = asyncio.create_task(pool.run(gate.wait, 10.0))
    await asyncio.sleep(0)  # the loop turns although the thread waits
    assert pool.waiting == 1
    gate.set()
    assert await work
    pool.close()


async def test_a_full_pool_refuses_at_once_and_has_room_again_afterwards() -> None:
    pool, gate = CpuPool(threads=1, most_waiting=3), threading.Event()
    work = [asyncio.create_task(pool.run(gate.wait, 10.0)) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(2):
        with pytest.raises(PoolFull):
            await pool.run(gate.wait, 10.0)
    assert (pool.waiting, pool.refused) == (3, 2)
    gate.set()
    assert await asyncio.gather(*work) == [True] * 3
    assert await pool.run(pow, 3, 2) == 9
    pool.close()


async def test_whoever_leaves_frees_his_place_when_the_thread_is_done() -> None:
    pool, gate = CpuPool(threads=1, most_waiting=2), threading.Event()
    begun, waiting = (asyncio.create_task(pool.run(gate.wait, 10.0)) for _ in range(2))
    await asyncio.sleep(0)
    waiting.cancel()
    begun.cancel()
    await asyncio.gather(begun, waiting, return_exceptions=True)
    while pool.waiting > 1:  # what had not begun is dropped at once
        await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(5.0):
        while pool.waiting:
            await asyncio.sleep(0)
    pool.close()


async def test_a_closed_pool_drops_what_waits() -> None:
    pool, gate = CpuPool(threads=1), threading.Event()
    begun, waiting = (asyncio.create_task(pool.run(gate.wait, 10.0)) for _ in range(2))
    await asyncio.sleep(0)
    pool.close()
    gate.set()
    assert await begun
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(PoolFull):
        await pool.run(pow, 2, 10)
