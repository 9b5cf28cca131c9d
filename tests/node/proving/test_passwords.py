"""Secrets: right ones pass, wrong ones cost their source time, unknown names tell nothing."""

import asyncio

from node.proving.authenticator import Authenticator
from node.proving.guessing import (
    FORGET_S,
    MAX_ACCOUNT_DELAY_S,
    MAX_DELAY_S,
    MAX_REMEMBERED,
    MAX_WAITING_PER_SOURCE,
)
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Principal
from protocols.values.secret import hash_secret
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.holdings import Holdings
from registry.registrar import Registrar, Submission
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
        answer = await authenticator.authenticate(handle, index, secret, peer(handle))
        assert answer is Outcome.AUTHENTICATION_FAILED
    assert authenticator.failed_count == 6


async def test_each_failure_makes_the_source_wait_longer() -> None:
    authenticator, clock = make()
    for n in range(10):
        await authenticator.authenticate(f"{PREFIX}/{n}", 300, b"guess", peer())
    assert clock.slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert clock.slept[-1] == MAX_DELAY_S


async def test_guesses_at_one_account_from_many_addresses_wait_too_and_its_owner_not_for_long() -> (
    None
):
    authenticator, clock = make()
    for n in range(20):
        await authenticator.authenticate(NAME, 300, b"guess", peer(f"198.51.100.{n}"))
    assert clock.slept[-1] == MAX_ACCOUNT_DELAY_S
    assert await authenticator.authenticate(NAME, 300, b"hidden", peer()) == Principal(NAME, 300)
    assert clock.slept[-1] == MAX_ACCOUNT_DELAY_S


async def test_whoever_was_right_does_not_wait_for_the_guesses_of_others() -> None:
    authenticator, clock = make()
    await authenticator.authenticate(NAME, 300, b"hidden", peer())
    for n in range(10):
        await authenticator.authenticate(NAME, 300, b"guess", peer(f"198.51.100.{n}"))
        await authenticator.authenticate(f"{PREFIX}/{n}", 300, b"guess", peer())
    before = len(clock.slept)
    assert await authenticator.authenticate(NAME, 300, b"hidden", peer()) == Principal(NAME, 300)
    assert len(clock.slept) == before


async def test_a_right_login_does_not_forgive_guesses_at_another_account() -> None:
    authenticator, clock = make()
    for _ in range(6):
        await authenticator.authenticate(f"{PREFIX}/other", 300, b"guess", peer())
        await authenticator.authenticate(NAME, 300, b"hidden", peer())
    await authenticator.authenticate(f"{PREFIX}/other", 300, b"guess", peer())
    assert clock.slept[-1] >= 3.2


async def test_a_failure_is_forgotten_after_a_while() -> None:
    authenticator, clock = make()
    await authenticator.authenticate(NAME, 300, b"guess", peer())
    clock.now_s += FORGET_S
    await authenticator.authenticate(NAME, 300, b"guess", peer())
    assert clock.slept == []


async def test_tries_beyond_the_waiting_ones_are_told_to_come_back_unjudged() -> None:
    gate = asyncio.Event()

    async def wait(_: float) -> None:
        await gate.wait()

    authenticator = Authenticator(Holdings(make_store().reader(), SEALER), lambda: 0.0, wait)
    await authenticator.authenticate(NAME, 300, b"guess", peer())
    tries = [
        asyncio.create_task(authenticator.authenticate(NAME, 300, b"hidden", peer()))
        for _ in range(MAX_WAITING_PER_SOURCE + 5)
    ]
    for _ in range(3):
        await asyncio.sleep(0)
    assert sum(task.done() for task in tries) == 5
    gate.set()
    answers = await asyncio.gather(*tries)
    assert answers.count(Outcome.BUSY) == 5
    assert answers.count(Principal(NAME, 300)) == MAX_WAITING_PER_SOURCE


async def test_a_secret_kept_as_its_hash_is_known_by_the_secret() -> None:
    store = make_store()
    name = f"{PREFIX}/hashed"
    value = Value(300, "HS_SECKEY", hash_secret(b"pass phrase"), permissions=SECRET_PERMISSIONS)
    command = Command(Operation.PUT, parse_identifier(name), (value,))
    Registrar(store, SEALER).commit([Submission(OPERATOR, command, "test")], 1_700_000_000_000)
    authenticator = Authenticator(Holdings(store.reader(), SEALER), lambda: 0.0)
    assert await authenticator.authenticate(name, 300, b"pass phrase", peer()) == Principal(
        name, 300
    )


async def test_what_is_remembered_is_bounded() -> None:
    authenticator, _ = make()
    for n in range(MAX_REMEMBERED + 10):
        await authenticator.authenticate(
            f"{PREFIX}/{n}", 300, b"guess", peer(f"10.0.{n >> 8}.{n & 255}")
        )
    assert authenticator.guesses.remembered == (MAX_REMEMBERED, MAX_REMEMBERED)
