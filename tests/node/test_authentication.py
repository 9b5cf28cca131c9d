"""Secrets: right ones pass, wrong ones cost their source time, unknown names tell nothing."""

import asyncio

from node.authentication import MAX_DELAY_S, MAX_SOURCES, MAX_WAITING_PER_SOURCE, Authenticator
from protocols.message import Principal
from registry.holdings import Holdings
from resolver.source import Peer
from tests.node.parts import PREFIX, SEALER, make_store

NAME = f"{PREFIX}/mixed"


class Clock:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def make() -> tuple[Authenticator, Clock]:
    clock = Clock()
    holdings = Holdings(make_store().reader(), SEALER)
    return Authenticator(holdings, lambda: clock.now_s, clock.sleep), clock  # type: ignore[arg-type]


def peer(address: str = "192.0.2.1") -> Peer:
    return Peer(address, 1, "http", is_loopback=False)


async def test_the_right_secret_names_the_principal() -> None:
    authenticator, clock = make()
    assert await authenticator.authenticate(NAME, 300, b"hidden", peer()) == Principal(NAME, 300)
    assert clock.slept == []


async def test_wrong_secret_index_or_name_is_nobody() -> None:
    authenticator, _ = make()
    for handle, index, secret in [
        (NAME, 300, b"Hidden"),
        (NAME, 300, b""),
        (NAME, 1, b"https://example.org/2"),
        (f"{PREFIX}/absent", 300, b""),
        ("", 0, b""),
        ("/", 300, b"hidden"),
    ]:
        assert await authenticator.authenticate(handle, index, secret, peer(handle)) is None
    assert authenticator.failed_count == 6


async def test_each_failure_makes_the_source_wait_longer_and_success_forgives() -> None:
    authenticator, clock = make()
    for _ in range(10):
        await authenticator.authenticate(NAME, 300, b"guess", peer())
    assert clock.slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert clock.slept[-1] == MAX_DELAY_S
    assert await authenticator.authenticate(NAME, 300, b"hidden", peer("192.0.2.2")) is not None
    assert len(clock.slept) == 9, "others do not wait"
    assert await authenticator.authenticate(NAME, 300, b"hidden", peer()) is not None
    before = len(clock.slept)
    await authenticator.authenticate(NAME, 300, b"hidden", peer())
    assert len(clock.slept) == before


async def test_one_source_cannot_have_many_guesses_waiting() -> None:
    authenticator, _ = make()
    await authenticator.authenticate(NAME, 300, b"guess", peer())
    gate = asyncio.Event()

    async def wait(_: float) -> None:
        await gate.wait()

    authenticator._sleep = wait  # type: ignore[assignment]
    tries = [
        asyncio.create_task(authenticator.authenticate(NAME, 300, b"hidden", peer()))
        for _ in range(MAX_WAITING_PER_SOURCE + 5)
    ]
    for _ in range(3):
        await asyncio.sleep(0)
    assert sum(task.done() for task in tries) == 5
    gate.set()
    answers = await asyncio.gather(*tries)
    assert answers.count(None) == 5


async def test_remembered_sources_are_bounded() -> None:
    authenticator, _ = make()
    for n in range(MAX_SOURCES + 10):
        await authenticator.authenticate(NAME, 300, b"guess", peer(f"10.0.{n >> 8}.{n & 255}"))
    assert len(authenticator._failures) == MAX_SOURCES
