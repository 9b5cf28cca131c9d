"""Keys that other nodes keep: fetched once, by the way of questions, never in circles, and only if believed."""

import asyncio

import pytest

from node.proving.authenticator import Authenticator
from node.proving.claim import Claim
from protocols.message import Answer, Operation, Outcome, Principal, Query
from protocols.values.value import Value
from registry.holdings import Holdings
from resolver.asking import Trouble
from resolver.source import Peer
from tests.node.foreign import DELEGATED, ForeignParts, make_foreign_parts
from tests.node.parts import PREFIX, SEALER, put
from tests.node.proving.accounts import (
    CONTENT,
    PUBLIC_KEYS,
    SIGN,
    Clock,
    claim,
    make,
    peer,
    secret_proof,
)

FAILED = Outcome.AUTHENTICATION_FAILED
STRANGER = peer("203.0.113.9")
"""Not among those whom others are asked for."""
FAR = "88.999/people/王五"


def public_key(index: int) -> Value:
    return Value(index, "HS_PUBKEY", PUBLIC_KEYS[index], ttl=3600)


def make_far(foreign: ForeignParts, clock: Clock) -> Authenticator:
    holdings = Holdings(foreign.parts.store.reader(), SEALER)
    resolve = foreign.parts.service.resolve
    return Authenticator(holdings, lambda: clock.now_s, clock.sleep, resolve=resolve)


async def prove(authenticator: Authenticator, made: Claim, foreign: ForeignParts) -> asyncio.Task:
    """Begin, and return when the first question is on its way."""
    task = asyncio.create_task(authenticator.prove(made, STRANGER))
    await foreign.network.asked()
    return task


@pytest.mark.parametrize("handle", [FAR, f"{DELEGATED}/people/王五"])
async def test_the_key_of_another_nodes_handle_proves_its_owner_and_is_asked_for_once(
    handle: str,
) -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    made = claim(310, SIGN[310](CONTENT), handle)
    task = await prove(authenticator, made, foreign)
    foreign.network.reply(handle, public_key(310), public_key(318))
    assert await task == Principal(handle, 310)
    assert await authenticator.prove(made, STRANGER) == Principal(handle, 310)
    assert await authenticator.prove(claim(318, SIGN[318](CONTENT), handle), STRANGER) == Principal(
        handle, 318
    )
    assert len(foreign.network.sent) == 1
    await foreign.driver.close()


async def test_a_key_that_was_exchanged_since_it_was_remembered_works_at_once() -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    task = await prove(authenticator, claim(310, SIGN[310](CONTENT), FAR), foreign)
    foreign.network.reply(FAR, public_key(310))
    assert await task == Principal(FAR, 310)
    task = asyncio.create_task(authenticator.prove(claim(310, SIGN[318](CONTENT), FAR), STRANGER))
    sent = await foreign.network.asked(2)
    assert sent[-1].question.authoritative
    foreign.network.reply(FAR, public_key(318)._replace(index=310))
    assert await task == Principal(FAR, 310)
    assert authenticator.failed_count == 0
    await foreign.driver.close()


async def test_a_wrong_signature_by_a_remembered_key_is_looked_at_once_more_and_fails() -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    task = await prove(authenticator, claim(310, SIGN[310](CONTENT), FAR), foreign)
    foreign.network.reply(FAR, public_key(310))
    assert await task == Principal(FAR, 310)
    for count, reply in ((2, Outcome.SUCCESS), (3, Outcome.NOT_FOUND)):
        wrong = claim(310, SIGN[318](CONTENT), FAR)
        task = asyncio.create_task(authenticator.prove(wrong, STRANGER))
        await foreign.network.asked(count)
        values = (public_key(310),) if reply is Outcome.SUCCESS else ()
        foreign.network.reply(FAR, *values, outcome=reply)
        assert await task is FAILED
    assert authenticator.failed_count == 2
    await foreign.driver.close()


@pytest.mark.parametrize(
    "values",
    [
        (Value(1, "URL", b"https://example.org/"),),
        (Value(310, "HS_SECKEY", PUBLIC_KEYS[310]),),
        (Value(310, "DESC", PUBLIC_KEYS[310]),),
        (Value(311, "HS_PUBKEY", PUBLIC_KEYS[310]),),
        (Value(310, "HS_PUBKEY", b"no key"),),
        (Value(310, "HS_PUBKEY", PUBLIC_KEYS[314]),),
    ],
)
async def test_a_foreign_record_without_that_key_proves_nothing(values: tuple[Value, ...]) -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    task = await prove(authenticator, claim(310, SIGN[310](CONTENT), FAR), foreign)
    foreign.network.reply(FAR, *values)
    assert await task is FAILED
    assert authenticator.failed_count == 1
    await foreign.driver.close()


async def test_a_foreign_handle_that_does_not_exist_proves_nothing() -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    task = await prove(authenticator, claim(310, SIGN[310](CONTENT), FAR), foreign)
    foreign.network.reply(FAR, outcome=Outcome.NOT_FOUND)
    assert await task is FAILED
    await foreign.driver.close()


@pytest.mark.parametrize("trouble", [Trouble.UNTRUSTED, Trouble.REFUSED, Trouble.GARBAGE])
async def test_a_node_that_is_silent_or_not_believed_is_unreachable_and_no_failure_of_the_account(
    trouble: Trouble,
) -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    task = await prove(authenticator, claim(310, SIGN[310](CONTENT), FAR), foreign)
    while not task.done():
        for send in foreign.network.sent[:]:
            foreign.network._on_trouble(send.number, trouble)
        await asyncio.sleep(0)
    assert task.result() is Outcome.UNREACHABLE
    assert authenticator.failed_count == 0
    await authenticator.authenticate(f"{PREFIX}/mixed", 300, b"hidden", STRANGER)
    assert clock.slept == [0.1]  # who has others asked in vain waits before he does so again
    assert authenticator.guesses.remembered == (1, 2)
    await foreign.driver.close()


# circles


async def test_a_key_record_that_points_at_itself_is_looked_at_once() -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    task = await prove(authenticator, claim(310, SIGN[310](CONTENT), FAR), foreign)
    itself = FAR.encode()
    foreign.network.reply(
        FAR,
        Value(1, "HS_ALIAS", itself),
        Value(2, "HS_SERV", itself),
        Value(310, "HS_ALIAS", itself),
    )
    assert await task is FAILED
    assert len(foreign.network.sent) == 1
    await foreign.driver.close()


async def test_a_record_that_refers_to_itself_is_given_up_cleanly() -> None:
    foreign, clock = make_foreign_parts(), Clock()
    authenticator = make_far(foreign, clock)
    task = await prove(authenticator, claim(310, SIGN[310](CONTENT), FAR), foreign)
    foreign.network.reply(FAR, outcome=Outcome.REFERRAL, referral=FAR.encode())
    assert await task is Outcome.UNREACHABLE
    assert len(foreign.network.sent) <= 4
    await foreign.driver.close()


async def test_aliases_in_a_circle_here_lead_nowhere() -> None:
    foreign, clock = make_foreign_parts(), Clock()
    one, other = f"{PREFIX}/one", f"{PREFIX}/other"
    put(foreign.parts.store, one, [Value(1, "HS_ALIAS", other.encode())], Operation.PUT)
    put(foreign.parts.store, other, [Value(1, "HS_ALIAS", one.encode())], Operation.PUT)
    authenticator = make_far(foreign, clock)
    for made in (SIGN[310](CONTENT), secret_proof(0x13)):
        assert await authenticator.prove(claim(1, made, one), STRANGER) is FAILED
    assert foreign.network.sent == []
    await foreign.driver.close()


# what is asked, and of whom


async def test_only_the_claimed_index_is_asked_for_as_the_node_itself_on_account_of_the_client() -> (
    None
):
    asked: list[tuple[Query, Peer]] = []

    async def resolve(query: Query, peer: Peer) -> Answer:
        asked.append((query, peer))
        return Answer(Outcome.SUCCESS, (public_key(310),))

    authenticator = make(resolve=resolve)
    made = claim(310, SIGN[310](CONTENT), FAR)
    assert await authenticator.prove(made, STRANGER) == Principal(FAR, 310)
    ((query, from_),) = asked
    assert (query.identifier.text, query.indexes, from_) == (FAR, (310,), STRANGER)
    assert query.public_only
    assert query.may_recurse


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (Outcome.BUSY, Outcome.BUSY),
        (Outcome.HOP_LIMIT, Outcome.UNREACHABLE),
        (Outcome.UNTRUSTED, Outcome.UNREACHABLE),
        (Outcome.REFERRAL, Outcome.UNREACHABLE),
        (Outcome.VALUES_NOT_FOUND, FAILED),
        (Outcome.NOT_RESPONSIBLE, FAILED),
    ],
)
async def test_what_a_look_up_came_to_decides_what_a_claim_comes_to(
    said: Outcome, outcome: Outcome
) -> None:
    async def resolve(query: Query, peer: Peer) -> Answer:
        return Answer(said)

    made = claim(310, SIGN[310](CONTENT), FAR)
    assert await make(resolve=resolve).prove(made, peer()) is outcome


async def test_a_node_that_asks_nobody_knows_no_foreign_key() -> None:
    assert await make().prove(claim(310, SIGN[310](CONTENT), FAR), peer()) is FAILED
    assert await make().prove(claim(300, secret_proof(0x22), FAR), peer()) is FAILED
