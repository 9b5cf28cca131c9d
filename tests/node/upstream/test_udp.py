"""UDP: a port and an id nobody can guess for every question; what does not answer it is passed over, and told once."""

import asyncio
import math
import socket
from collections import Counter
from itertools import pairwise

import pytest

from protocols.values.site import UDP
from protocols.values.value import Value
from resolver.asking import Reply, Target, Trouble
from tests.faulty_peer.behaviour import Behaviour, Canned, Mode
from tests.faulty_peer.peer import BlackHole, FaultyPeer
from tests.node.upstream.asker import NAME, RECORDS, SHORT_S, VALUES, Asker

LONG_NAME = b"88.118.7/long"
LONG = tuple(Value(at, "DESC", bytes([64 + at]) * 900, timestamp=1) for at in range(1, 7))
ALL = RECORDS | {LONG_NAME: Canned(values=LONG)}


@pytest.mark.parametrize("sets_truncated", [True, False])
async def test_an_answer_in_several_packets_comes_together(sets_truncated: bool):
    with FaultyPeer(ALL, Behaviour(sets_truncated=sets_truncated)) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(UDP), LONG_NAME)
    assert reply.values == LONG


async def test_rc_2_means_too_large_for_udp():
    with FaultyPeer(ALL, Behaviour(is_udp_too_small=True)) as peer:
        async with Asker() as asker:
            assert await asker.ask(peer.target(UDP)) is Trouble.TOO_LARGE


async def test_a_question_that_fits_no_packet_is_not_asked():
    with FaultyPeer(ALL) as peer:
        async with Asker() as asker:
            assert await asker.ask(peer.target(UDP), b"88.118.7/" + b"x" * 600) is Trouble.TOO_LARGE
        assert peer.counts["udp"] == 0


async def test_thousands_of_forged_answers_are_passed_over_and_told_once():
    with FaultyPeer(ALL, Behaviour(forged_before=4000)) as peer:
        async with Asker() as asker:
            said = [await asker.ask(peer.target(UDP), patience_s=0.5) for _ in range(5)]
    # The flood may push the right answer out of the kernel's buffer: then it is a timeout, never a wrong answer.
    assert all(one is Trouble.TIMEOUT or one.values == VALUES for one in said)
    # Nor has the machine always the time to read a forged one within half a second.
    answered = {number for number, one in enumerate(said, 1) if one is not Trouble.TIMEOUT}
    assert answered <= asker.near_misses.keys() <= set(range(1, 6))
    assert set(asker.near_misses.values()) == {1}
    assert asker.client.udp.wrong_packets > 500


async def test_the_right_answer_is_taken_after_wrong_ones():
    forged = Behaviour(forged_before=20, forged_identifier_before=True)
    with FaultyPeer(ALL, forged) as peer:
        async with Asker() as asker:
            said = [await asker.ask(peer.target(UDP), LONG_NAME) for _ in range(20)]
    assert [reply.values for reply in said] == [LONG] * 20
    assert asker.near_misses == Counter(dict.fromkeys(range(1, 21), 1))
    assert asker.client.udp.wrong_packets == 20 * 21


@pytest.mark.parametrize(
    "mode",
    [Mode.GARBAGE, Mode.GARBAGE_BODY, Mode.WRONG_ID, Mode.WRONG_IDENTIFIER, Mode.RESET_IN_FRAME],
)
async def test_what_does_not_answer_is_a_near_miss_and_then_a_timeout(mode: Mode):
    with FaultyPeer(ALL, Behaviour(mode)) as peer:
        async with Asker() as asker:
            number = asker.send(peer.target(UDP), patience_s=SHORT_S)
            assert await asker.end_of(number) is Trouble.TIMEOUT
    assert asker.near_misses == Counter({number: 1})


async def test_a_flood_ends_the_question_before_its_deadline():
    with FaultyPeer(ALL, Behaviour(Mode.WRONG_ID)) as peer:
        async with Asker() as asker:
            number = asker.send(peer.target(UDP), patience_s=30)
            (exchange,) = asker.client.udp._exchanges.values()
            exchange.count = 9_999
            assert await asker.end_of(number) is Trouble.GARBAGE
            assert asker.client.udp._exchanges == {}


async def test_somebody_else_cannot_answer():
    """A connected socket takes packets from the asked address and port only."""
    with (
        socket.socket(type=socket.SOCK_DGRAM) as server,
        socket.socket(type=socket.SOCK_DGRAM) as other,
    ):
        server.bind(("127.0.0.1", 0))
        async with Asker() as asker:
            number = asker.send(Target(UDP, *server.getsockname()), patience_s=SHORT_S)
            question, place = server.recvfrom(2048)
            other.sendto(question, place)  # even with the right id
            assert await asker.end_of(number) is Trouble.TIMEOUT
    assert asker.near_misses == Counter()


async def test_our_own_question_sent_back_is_no_answer():
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        async with Asker() as asker:
            number = asker.send(Target(UDP, *server.getsockname()), patience_s=SHORT_S)
            server.sendto(*server.recvfrom(2048))
            assert await asker.end_of(number) is Trouble.TIMEOUT
    assert asker.near_misses == Counter({number: 1})


async def test_ports_and_ids_cannot_be_predicted():
    """Chi-square over 16 ranges of each; 60 is far above the 0.1 % point (37.7) and far below any pattern."""
    count = 1600
    with FaultyPeer(ALL) as peer:
        async with Asker() as asker:
            for _ in range(count // 100):
                said = await asker.ask_all(peer.target(UDP), 100)
                assert all(isinstance(reply, Reply) for reply in said)
    asked = list(peer.asked)
    ports = [one.port for one in asked]
    ids = [one.request_id for one in asked]
    assert len(asked) == count
    assert len(set(ids)) == count
    assert len(set(ports)) > count * 0.9
    assert chi_square([number >> 27 for number in ids], 16) < 60
    assert chi_square([number % 16 for number in ids], 16) < 60
    assert max(Counter(b - a for a, b in pairwise(ids)).values()) == 1
    assert chi_square([port >> 1 & 15 for port in ports], 16) < 60
    assert max(Counter(b - a for a, b in pairwise(ports)).values()) < 20


def chi_square(samples: list[int], cells: int) -> float:
    expected = len(samples) / cells
    seen = Counter(samples)
    assert max(seen) < cells
    return math.fsum((seen[cell] - expected) ** 2 / expected for cell in range(cells))


async def test_a_host_that_is_gone_is_a_timeout():
    with BlackHole() as hole:
        async with Asker() as asker:
            said = await asker.ask_all(hole.target(UDP), 20, patience_s=SHORT_S)
    assert said == [Trouble.TIMEOUT] * 20


async def test_half_of_all_packets_lost_is_half_of_all_answers():
    with FaultyPeer(ALL, Behaviour(loss=0.5), seed=7) as peer:
        async with Asker() as asker:
            said = await asker.ask_all(peer.target(UDP), 200, patience_s=1.0)
    answered = sum(isinstance(one, Reply) for one in said)
    assert 60 < answered < 140
    assert answered + said.count(Trouble.TIMEOUT) == 200


async def test_cancelling_at_a_near_miss_is_quiet():
    """What the resolver does: it goes to TCP and gives this one up, from inside the callback."""
    with FaultyPeer(ALL, Behaviour(forged_before=50)) as peer:
        async with Asker() as asker:
            heard = asker.client._on_trouble

            def hear(number: int, trouble: Trouble) -> None:
                heard(number, trouble)
                asker.cancel(number)

            asker.client._on_trouble = hear
            numbers = [asker.send(peer.target(UDP), NAME) for _ in range(10)]
            while len(asker.near_misses) < 10:
                await asyncio.sleep(0)
            assert asker.client.under_way == 0
            assert asker.client.udp._exchanges == {}
    assert set(asker.near_misses) == set(numbers)
