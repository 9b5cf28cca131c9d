"""The driver between forwarder and client: one step for a turn of the loop, one timer, one end for each question."""

import asyncio
from collections.abc import Callable
from math import inf

import pytest

from node.driver import Driver
from node.upstream.client import UpstreamClient, UpstreamSettings
from protocols.identifier import parse_identifier, read_identifier
from protocols.message import Answer, Outcome, Query
from protocols.values.site import TCP
from resolver.asking import Action, Cancel, Question, Reply, Role, Send, Target, Tell, Trouble
from resolver.delegation import NotHere
from resolver.forwarding import Forwarder, Setup
from resolver.source import Now, Peer
from tests.node.foreign import Network, make_foreign_parts
from tests.node.parts import PREFIX, make_parts, tcp_node

QUERY = Query(parse_identifier("99.1/a"), may_recurse=True)
PLACE = NotHere(b"99.1", None)
PEER = Peer("127.0.0.1", 1, "tcp", is_loopback=True)
TARGET = Target(TCP, "192.0.2.1", 2641, Role.UPSTREAM)
SEND = Send(1, TARGET, Question(b"99.1/a"), 99.0)
ANSWER = Answer(Outcome.SUCCESS)


class Script:
    """A forwarder that says what the test wrote down, and notes what it hears."""

    def __init__(self) -> None:
        self.steps: list[list[Action]] = []
        self.heard: list[object] = []
        self.tickets = iter(range(1, 1000))
        self.due_s = inf
        self.is_broken = False

    def ask(self, query: Query, place: object, peer: Peer, now: Now) -> Answer | int:
        return next(self.tickets)

    def lookup(self, query: Query, place: object, peer: Peer, now: Now) -> Answer | None:
        return ANSWER

    def forget(self, ticket: int) -> None:
        self.heard.append(("forget", ticket))

    def received(self, number: int, reply: Reply, now: Now) -> None:
        self.heard.append(("received", number))

    def failed(self, number: int, trouble: Trouble, now: Now) -> None:
        self.heard.append((trouble, number))

    def take_bugs(self) -> list[Exception]:
        return []

    def step(self, now: Now) -> list[Action]:
        self.heard.append("step")
        if self.is_broken:
            self.is_broken = False
            raise ZeroDivisionError
        return self.steps.pop(0) if self.steps else []

    def next_s(self) -> float:
        return self.due_s


class Clock:
    now_s = 10.0

    def __call__(self) -> Now:
        return Now(self.now_s, 1000.0 + self.now_s)


def scripted() -> tuple[Script, Network, Driver]:
    script, network = Script(), Network()
    return script, network, Driver(script, network.connect, Clock())  # type: ignore[arg-type]


def ask(driver: Driver, told: list[Answer | None]) -> int:
    ticket = driver.ask(QUERY, PLACE, PEER, Now(10.0, 1010.0), told.append)
    assert ticket is not None
    return ticket


async def turn() -> None:
    """One turn of the loop, and the one after it."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_questions_of_one_turn_are_one_step() -> None:
    script, _, driver = scripted()
    told: list[Answer | None] = []
    for _ in range(64):
        ask(driver, told)
    assert script.heard == []
    await turn()
    assert script.heard == ["step"]


async def test_what_is_told_reaches_who_asked_once_and_silence_is_told_too() -> None:
    script, _, driver = scripted()
    first: list[Answer | None] = []
    second: list[Answer | None] = []
    tickets = ask(driver, first), ask(driver, second)
    script.steps = [[Tell(tickets[0], ANSWER), Tell(tickets[1], None), Tell(tickets[0], ANSWER)]]
    await turn()
    assert (first, second) == ([ANSWER], [None])
    assert driver.waiting_count == 0


async def test_a_question_that_cannot_be_sent_keeps_no_other_from_its_end() -> None:
    script, network, driver = scripted()
    told: list[Answer | None] = []
    ticket = ask(driver, told)
    network.is_closed = True  # whoever sends now meets an assertion
    script.steps = [[SEND, Tell(ticket, ANSWER)]]
    await turn()
    assert told == [ANSWER]
    await turn()
    assert script.heard == ["step", (Trouble.CROWDED, SEND.number), "step"]


async def test_a_busy_answer_comes_at_once_and_leaves_no_ticket() -> None:
    script, _, driver = scripted()
    script.ask = lambda *_: ANSWER  # type: ignore[method-assign]
    told: list[Answer | None] = []
    assert driver.ask(QUERY, PLACE, PEER, Now(0, 0), told.append) is None
    assert told == [ANSWER]


async def test_who_was_forgotten_is_told_nothing_and_the_forwarder_hears_of_it_once() -> None:
    script, _, driver = scripted()
    told: list[Answer | None] = []
    ticket = ask(driver, told)
    driver.forget(ticket)
    driver.forget(ticket)
    script.steps = [[Tell(ticket, ANSWER)]]
    await turn()
    assert told == []
    assert script.heard == [("forget", ticket), "step"]


async def test_a_near_miss_ends_nothing_and_the_true_answer_still_counts() -> None:
    script, network, driver = scripted()
    script.steps = [[SEND]]
    driver.wake()
    await turn()
    network.fail("99.1/a", Trouble.NEAR_MISS)
    network.reply("99.1/a")
    network.reply("99.1/a")
    network.fail("99.1/a", Trouble.TIMEOUT)
    await turn()
    assert script.heard == ["step", (Trouble.NEAR_MISS, 1), ("received", 1), "step"]


async def test_nothing_is_heard_of_a_cancelled_question() -> None:
    script, network, driver = scripted()
    script.steps = [[SEND, Cancel(1)]]
    driver.wake()
    await turn()
    assert network.cancelled == [1]
    network.reply("99.1/a")
    await turn()
    assert script.heard == ["step"]


async def test_a_bug_in_one_step_or_one_answer_stops_nothing_else() -> None:
    script, _, driver = scripted()
    told: list[Answer | None] = []

    def breaks(_: Answer | None) -> None:
        raise ZeroDivisionError

    bad = driver.ask(QUERY, PLACE, PEER, Now(0, 0), breaks)
    good = ask(driver, told)
    assert bad is not None
    script.is_broken = True
    await turn()
    script.steps = [[Tell(bad, ANSWER), Tell(good, ANSWER)]]
    driver.wake()
    await turn()
    assert told == [ANSWER]


async def test_the_timer_is_set_for_the_next_moment_and_moved_forward_when_that_comes_sooner() -> (
    None
):
    script, _, driver = scripted()
    script.due_s = 10.0 + 30.0
    driver.wake()
    await turn()
    script.due_s = 10.0 + 0.01
    driver.wake()
    await turn()
    script.due_s = inf
    async with asyncio.timeout(5):
        while len(script.heard) < 3:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert script.heard == ["step"] * 3


async def test_a_look_up_that_wants_a_refresh_wakes_the_driver() -> None:
    script, _, driver = scripted()
    driver.lookup(QUERY, PLACE, PEER, Now(0, 0))
    await turn()
    assert script.heard == []
    script.due_s = -inf
    driver.lookup(QUERY, PLACE, PEER, Now(0, 0))
    script.due_s = inf
    await turn()
    assert script.heard == ["step"]


async def test_a_closed_driver_asks_nobody() -> None:
    script, network, driver = scripted()
    script.steps = [[SEND]]
    driver.wake()
    await driver.close()
    await turn()
    assert network.is_closed
    assert network.sent == []


async def test_another_client_takes_over_while_the_former_ends_its_questions() -> None:
    foreign = make_foreign_parts()
    former, later = foreign.network, Network()
    told: list[Answer | None] = []
    for name in ("99.1/a", "99.1/b"):
        query = Query(parse_identifier(name), may_recurse=True)
        foreign.driver.ask(query, PLACE, PEER, foreign.parts.service.now(), told.append)
        await former.asked(1) if name == "99.1/a" else await later.asked(1)
        if name == "99.1/a":
            assert foreign.driver.replace(later.connect) is former
    former.reply("99.1/a")
    later.reply("99.1/b")
    await turn()
    assert [answer and answer.outcome for answer in told] == [Outcome.SUCCESS] * 2


# ------------------------------------------------------------------------------------------------ the real thing


def real_driver(port: int) -> Driver:
    """The real forwarder and client, above a node's TCP listener."""
    parts = make_parts()
    setup = Setup(
        "77", "aabbccddeeff0011", (Target(TCP, "127.0.0.1", port, Role.UPSTREAM),),
        is_recursive_upstream=True, may_recurse=("127.0.0.1",),
    )  # fmt: skip
    forwarder = Forwarder(setup, parts.service._holdings)
    loop = asyncio.get_running_loop()

    def now() -> Now:
        return Now(loop.time(), parts.service.now().wall_s)

    def connect(on_reply: Callable[..., None], on_trouble: Callable[..., None]) -> UpstreamClient:
        settings = UpstreamSettings()
        return UpstreamClient(settings, on_reply, on_trouble, lambda: now().wall_s)

    return Driver(forwarder, connect, now)


async def resolve(driver: Driver, name: str) -> Answer | None:
    told: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
    query = Query(read_identifier(name.encode()), may_recurse=True)
    place = NotHere(PREFIX.encode(), None)
    answer = driver.lookup(query, place, PEER, driver.now())
    if answer is not None:
        return answer
    driver.ask(query, place, PEER, driver.now(), told.set_result)
    return await asyncio.wait_for(told, 10)


async def test_a_question_goes_over_a_real_connection_and_comes_back() -> None:
    async with tcp_node(make_parts()) as (listener, port):
        driver = real_driver(port)
        answer = await resolve(driver, f"{PREFIX}/small")
        assert answer is not None
        assert [value.data for value in answer.values] == [b"https://example.org/1"]
        absent = await resolve(driver, f"{PREFIX}/absent")
        assert absent is not None
        assert absent.outcome is Outcome.NOT_FOUND
        again = await resolve(driver, f"{PREFIX}/small")
        assert again is not None
        assert again.values == answer.values
        assert len(listener.connections) == 1, "the connection is kept"
        await driver.close()


async def test_a_question_to_nobody_ends_within_its_patience() -> None:
    async with tcp_node(make_parts()) as (_, port):
        pass
    driver = real_driver(port)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    answer = await resolve(driver, f"{PREFIX}/small")
    assert answer is not None
    assert answer.outcome is Outcome.UNREACHABLE
    assert loop.time() - began_s < 4.0
    await driver.close()


@pytest.mark.parametrize("count", [300])
async def test_many_questions_at_once_are_all_answered(count: int) -> None:
    async with tcp_node(make_parts()) as (_, port):
        driver = real_driver(port)
        names = [f"{PREFIX}/{n % 50}" for n in range(count)]
        answers = await asyncio.gather(*(resolve(driver, name) for name in names))
        outcomes = {answer.outcome for answer in answers if answer is not None}
        assert outcomes <= {Outcome.NOT_FOUND, Outcome.BUSY}
        assert sum(a is not None and a.outcome is Outcome.NOT_FOUND for a in answers) >= 20
        await driver.close()
