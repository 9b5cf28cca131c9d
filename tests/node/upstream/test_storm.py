"""Whatever servers do, in whatever mixture: one end for each question, silence after a cancel, nothing left over."""

import asyncio
import contextlib
import gc
import random
from collections import Counter

import pytest

from protocols.values.site import HTTP, TCP, UDP
from resolver.asking import Reply, Trouble
from tests.faulty_peer.behaviour import WELL, Behaviour, Canned, Mode
from tests.faulty_peer.peer import BlackHole, FaultyPeer
from tests.node.upstream.asker import RECORDS, VALUES, Asker, tasks_and_files

MODES = (*Mode, Mode.ANSWER, Mode.ANSWER, Mode.ANSWER)


def changed(chance: random.Random) -> Behaviour:
    return Behaviour(
        chance.choice(MODES),
        delay_s=chance.choice((0, 0, 0.01, 0.1)),
        loss=chance.choice((0, 0, 0.5)),
        flap_s=chance.choice((0, 0, 0.05)),
        closes_after=chance.choice((0, 0, 1, 2, 3)),
        forged_before=chance.choice((0, 0, 3)),
        is_udp_too_small=chance.random() < 0.1,
    )


def record_of(name: bytes) -> Canned:
    return Canned(values=(VALUES[0]._replace(data=b"of " + name.upper()),))


def is_possible(said: Reply | Trouble, name: bytes) -> bool:
    """No answer is another question's, whatever came."""
    if isinstance(said, Trouble) or said.spelling.endswith(b"-other"):
        return True
    if len(said.values) == 4:  # the huge record
        return said.spelling == name
    return said.spelling == name and said.values == record_of(name).values


async def one_storm(seed: int) -> Counter:
    chance = random.Random(seed)
    names = [b"88.118.7/%d" % at for at in range(40)]
    records = {name: record_of(name) for name in names}
    asked: dict[int, bytes] = {}
    with contextlib.ExitStack() as stack:
        peers = [
            stack.enter_context(FaultyPeer(records, changed(chance), seed=seed)) for _ in range(3)
        ]
        hole = stack.enter_context(BlackHole())
        async with Asker(
            connections=chance.choice((1, 3, 32)), most_connections=chance.choice((4, 1024))
        ) as asker:
            for _ in range(60):
                chance.choice(peers).behaviour = changed(chance)
                for _ in range(chance.randrange(12)):
                    peer = chance.choice([*peers, *peers, *peers, hole])
                    protocol = chance.choice((UDP, TCP, TCP, HTTP))
                    name = chance.choice(names)
                    target = hole.target(protocol) if peer is hole else peer.target(protocol)
                    asked[asker.send(target, name, patience_s=chance.uniform(0, 0.4))] = name
                for _ in range(chance.randrange(3)):
                    asker.cancel(chance.choice([1, *asked]))
                for _ in range(chance.randrange(30)):
                    await asyncio.sleep(0)
            waited = [number for number in asked if number not in asker.cancelled]
            said = {number: await asker.end_of(number) for number in waited}
            assert asker.client.under_way == 0
            assert sum(asker.ends.values()) == len(waited)
            for peer in peers:  # after the storm everybody is heard again
                peer.behaviour = WELL
                for protocol in (UDP, TCP, HTTP):
                    reply = await asker.ask(peer.target(protocol), names[0])
                    assert isinstance(reply, Reply), reply
                    assert reply.values == record_of(names[0]).values
    assert all(is_possible(one, asked[number]) for number, one in said.items())
    return Counter(one.value if isinstance(one, Trouble) else "reply" for one in said.values())


@pytest.mark.parametrize("seed", range(6))
async def test_every_question_ends_once_with_nothing_false(seed: int):
    told = await one_storm(seed)
    assert told["reply"] > 0
    assert told["timeout"] > 0


async def test_nothing_is_left_over_after_a_storm():
    await one_storm(101)  # threads, resolvers and the like are made by now
    gc.collect()
    _, files = tasks_and_files()
    for seed in (102, 103):
        await one_storm(seed)
        gc.collect()
        tasks, now = tasks_and_files()
        assert tasks == set()
        assert now <= files


async def test_closing_in_the_middle_leaves_nothing():
    with FaultyPeer(RECORDS, Behaviour(delay_s=0.05)) as peer, BlackHole() as hole:
        async with Asker() as warm:
            await warm.ask(peer.target(HTTP))
        gc.collect()
        _, files = tasks_and_files()
        for rounds in range(6):
            asker = Asker()
            for protocol in (UDP, TCP, HTTP):
                for _ in range(10):
                    asker.send(peer.target(protocol))
                    asker.send(hole.target(protocol))
            for _ in range(rounds * 4):
                await asyncio.sleep(0)
            await asker.client.close()
            told = sum(asker.ends.values())
            tasks, _ = tasks_and_files()
            assert tasks == set()
            await asyncio.sleep(0)
            assert sum(asker.ends.values()) == told
        gc.collect()
        async with asyncio.timeout(20):  # the peer's ends of them are in this process too
            while tasks_and_files()[1] > files:
                await asyncio.sleep(0)


async def test_a_broken_server_does_not_slow_down_a_good_one():
    silent = Behaviour(Mode.SILENT)
    with FaultyPeer(RECORDS, silent) as bad, FaultyPeer(RECORDS) as good, BlackHole() as hole:
        async with Asker() as asker:
            for protocol in (UDP, TCP, HTTP):
                for _ in range(100):
                    asker.send(bad.target(protocol), patience_s=1.0)
                    asker.send(hole.target(protocol), patience_s=1.0)
            for protocol in (UDP, TCP, HTTP):
                numbers = [asker.send(good.target(protocol)) for _ in range(20)]
                said = [await asker.end_of(number) for number in numbers]
                assert all(isinstance(one, Reply) for one in said)
                assert max(asker.seconds[number] for number in numbers) < 1.0
