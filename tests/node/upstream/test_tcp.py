"""Pooled TCP: connections are reused, pipelined once a server has shown that it keeps them, never trusted further."""

import asyncio

import pytest

from node.upstream.connection import DEPTH
from node.upstream.tcp import TcpCarrier
from protocols.values.site import TCP
from resolver.asking import Reply, Trouble
from tests.faulty_peer.behaviour import Behaviour, Canned, Mode
from tests.faulty_peer.peer import BlackHole, FaultyPeer
from tests.node.upstream.asker import NAME, RECORDS, SHORT_S, VALUES, Asker


def are_right(said: list) -> bool:
    return all(isinstance(reply, Reply) and reply.values == VALUES for reply in said)


async def test_one_connection_serves_one_question_after_the_other():
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            assert are_right([await asker.ask(peer.target(TCP)) for _ in range(50)])
        assert peer.counts["connections"] == 1
        assert peer.counts["tcp"] == 50


async def test_questions_at_once_get_connections_of_their_own_up_to_the_bound():
    with FaultyPeer(RECORDS, Behaviour(delay_s=0.05)) as peer:
        async with Asker(connections=5) as asker:
            assert are_right(await asker.ask_all(peer.target(TCP), 20))
        assert peer.counts["connections"] == 5


async def test_a_server_that_keeps_connections_gets_up_to_eight_questions_behind_each_other():
    with FaultyPeer(RECORDS) as peer:
        async with Asker(connections=1) as asker:
            target = peer.target(TCP)
            assert are_right([await asker.ask(target), await asker.ask(target)])
            peer.behaviour = Behaviour(delay_s=0.3)
            numbers = [asker.send(target) for _ in range(DEPTH + 1)]
            said = [await asker.end_of(number) for number in numbers]
        assert are_right(said)
        assert peer.counts["connections"] == 1
        seconds = [asker.seconds[number] for number in numbers]
        assert max(seconds[:DEPTH]) < 0.55 < 0.6 <= seconds[DEPTH]


async def test_a_server_not_known_to_keep_connections_gets_one_question_at_a_time():
    with FaultyPeer(RECORDS, Behaviour(delay_s=0.05)) as peer:
        async with Asker(connections=1) as asker:
            numbers = [asker.send(peer.target(TCP)) for _ in range(3)]
            assert are_right([await asker.end_of(number) for number in numbers])
        assert asker.seconds[numbers[1]] >= 0.1  # after the first answer, not beside it
        assert asker.seconds[numbers[2]] >= 0.15


@pytest.mark.parametrize("closes_after", [1, 2, 3])
async def test_a_server_that_closes_after_its_answers_serves_all_the_same(closes_after: int):
    with FaultyPeer(RECORDS, Behaviour(closes_after=closes_after)) as peer:
        async with Asker() as asker:
            assert are_right([await asker.ask(peer.target(TCP)) for _ in range(20)])
            assert are_right(await asker.ask_all(peer.target(TCP), 100))
            in_vain = asker.client.tcp.asked_again
            assert are_right(await asker.ask_all(peer.target(TCP), 100))
            assert asker.client.tcp.asked_again == in_vain <= 100  # it has shown how it is
        assert 220 <= peer.by_identifier[NAME.upper()] <= 220 + in_vain


async def test_a_question_on_a_connection_that_the_server_just_closed_is_asked_again():
    with FaultyPeer(RECORDS) as peer:
        async with Asker(connections=1) as asker:
            target = peer.target(TCP)
            assert are_right([await asker.ask(target), await asker.ask(target)])
            peer.behaviour = Behaviour(Mode.CLOSE_WITHOUT_ANSWER)
            numbers = [asker.send(target) for _ in range(4)]  # all written to the old connection
            while peer.counts["connections"] < 2:  # it closed, and they come again
                await asyncio.sleep(0)
            peer.behaviour = Behaviour()
            said = [await asker.end_of(number) for number in numbers]
    assert asker.client.tcp.asked_again == 4
    # Whoever came again before the change was told; nobody was told what is not so, and nobody waits for ever.
    assert all(one is Trouble.CLOSED or one.values == VALUES for one in said)
    assert any(isinstance(one, Reply) for one in said)


async def test_a_question_that_was_asked_again_is_not_asked_a_third_time():
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            await asker.ask(peer.target(TCP))
            peer.behaviour = Behaviour(Mode.CLOSE_WITHOUT_ANSWER)
            assert await asker.ask(peer.target(TCP)) is Trouble.CLOSED
        assert peer.counts["tcp"] == 3


async def test_a_new_connection_closed_without_an_answer_is_told():
    with FaultyPeer(RECORDS, Behaviour(Mode.CLOSE_WITHOUT_ANSWER)) as peer:
        async with Asker() as asker:
            assert await asker.ask_all(peer.target(TCP), 5) == [Trouble.CLOSED] * 5
        assert peer.counts["tcp"] == 5


async def test_a_reset_in_the_middle_of_an_answer_is_told():
    with FaultyPeer(RECORDS, Behaviour(Mode.RESET_IN_FRAME)) as peer:
        async with Asker() as asker:
            assert await asker.ask(peer.target(TCP)) is Trouble.CLOSED
            peer.behaviour = Behaviour()
            assert are_right([await asker.ask(peer.target(TCP))])


@pytest.mark.parametrize(
    "mode", [Mode.GARBAGE, Mode.GARBAGE_BODY, Mode.WRONG_ID, Mode.TOO_LONG, Mode.ENDLESS_FRAMES]
)
async def test_what_makes_no_sense_ends_the_connection_at_once(mode: Mode):
    with FaultyPeer(RECORDS, Behaviour(mode)) as peer:
        async with Asker() as asker:
            number = asker.send(peer.target(TCP))
            assert await asker.end_of(number) is Trouble.GARBAGE
            assert asker.seconds[number] < 2
            assert asker.client.tcp.connections == 0
            peer.behaviour = Behaviour()
            assert are_right([await asker.ask(peer.target(TCP))])


async def test_garbage_for_one_question_does_not_spoil_those_behind_it():
    with FaultyPeer(RECORDS) as peer:
        async with Asker(connections=1) as asker:
            target = peer.target(TCP)
            assert are_right([await asker.ask(target), await asker.ask(target)])
            peer.behaviour = Behaviour(Mode.GARBAGE, delay_s=0.05)
            first = [asker.send(target) for _ in range(4)]
            assert await asker.end_of(first[0]) is Trouble.GARBAGE
            peer.behaviour = Behaviour()
            others = [await asker.end_of(number) for number in first[1:]]
    assert all(one is Trouble.GARBAGE or one.values == VALUES for one in others)
    assert asker.client.tcp.asked_again == 3


async def test_an_answer_for_another_identifier_arrives_under_its_name():
    """Over TCP the resolver judges it; it is not garbage."""
    with FaultyPeer(RECORDS, Behaviour(Mode.WRONG_IDENTIFIER)) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(TCP))
    assert reply.spelling == NAME + b"-other"


async def test_the_largest_record_arrives():
    with FaultyPeer(RECORDS, Behaviour(Mode.HUGE)) as peer:
        async with Asker() as asker:
            said = await asker.ask_all(peer.target(TCP), 10)
    assert {sum(len(value.data) for value in reply.values) for reply in said} == {248_000}


async def test_a_server_that_streams_for_ever_costs_little():
    with FaultyPeer(RECORDS, Behaviour(Mode.ENDLESS_FRAMES)) as peer:
        async with Asker() as asker:
            assert set(await asker.ask_all(peer.target(TCP), 20)) == {Trouble.GARBAGE}
            assert asker.client.tcp._buffered_bytes == 0
        # Kernel buffers of both sides are filled, nothing more is taken.
        assert peer.counts["streamed_bytes"] < 20 * 8_000_000


async def test_unfinished_answers_are_held_up_to_the_bound_and_given_back():
    most = 600_000  # two and a bit of the largest messages
    with FaultyPeer(RECORDS, Behaviour(Mode.ENDLESS_FRAME)) as peer:
        async with Asker(most_buffered_bytes=most) as asker:
            said = await asker.ask_all(peer.target(TCP), 10, patience_s=1.0)
            assert set(said) == {Trouble.CROWDED, Trouble.TIMEOUT}
            assert said.count(Trouble.TIMEOUT) <= 2
            assert asker.client.tcp._buffered_bytes <= most
        assert asker.client.tcp._buffered_bytes == 0


async def test_a_black_hole_is_a_timeout_for_each_and_holds_few_sockets():
    with BlackHole() as hole:
        async with Asker(connections=4) as asker:
            said = await asker.ask_all(hole.target(TCP), 30, patience_s=SHORT_S)
            assert said == [Trouble.TIMEOUT] * 30  # the server's fault, not a crowd of ours
            assert max(asker.seconds.values()) < SHORT_S + 1
            assert asker.client.tcp.connections <= 4


async def test_a_slow_answer_that_comes_too_late_does_not_cost_the_connection():
    with FaultyPeer(RECORDS, Behaviour(delay_s=0.2)) as peer:
        async with Asker(connections=1) as asker:
            target = peer.target(TCP)
            assert await asker.ask(target, patience_s=0.05) is Trouble.TIMEOUT
            while (
                asker.client.tcp._pools[target.place].resting == {}
            ):  # the answer comes, unasked for by now
                await asyncio.sleep(0)
            assert are_right([await asker.ask(target)])
        assert peer.counts["connections"] == 1


async def test_a_connection_that_owes_an_answer_gives_way_when_all_are_taken():
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as peer:
        async with Asker(connections=1) as asker:
            target = peer.target(TCP)
            assert await asker.ask(target, patience_s=0.05) is Trouble.TIMEOUT
            peer.behaviour = Behaviour()
            assert are_right([await asker.ask(target)])
        assert peer.counts["connections"] == 2


async def test_no_free_connection_in_time_is_a_crowd_of_our_own():
    with FaultyPeer(RECORDS, Behaviour(delay_s=1.0)) as peer:
        async with Asker(connections=1) as asker:
            target = peer.target(TCP)
            first = asker.send(target)
            while peer.counts["tcp"] == 0:
                await asyncio.sleep(0)
            assert await asker.ask(target, patience_s=0.1) is Trouble.CROWDED
            assert are_right([await asker.end_of(first)])


async def test_the_longest_unused_connection_gives_way_to_another_server():
    with FaultyPeer(RECORDS) as one, FaultyPeer(RECORDS) as two, FaultyPeer(RECORDS) as three:
        async with Asker(most_connections=2) as asker:
            for peer in (one, two, three):
                assert are_right([await asker.ask(peer.target(TCP))])
            assert asker.client.tcp.connections == 2
            assert are_right([await asker.ask(two.target(TCP))])
        assert [peer.counts["connections"] for peer in (one, two, three)] == [1, 1, 1]


async def test_unused_connections_and_empty_pools_are_closed_in_time():
    with FaultyPeer(RECORDS) as peer:
        async with Asker(idle_s=60) as asker:
            await asker.ask_all(peer.target(TCP), 3)
            tcp: TcpCarrier = asker.client.tcp
            (pool,) = tcp._pools.values()
            now_s = asyncio.get_running_loop().time()
            pool.look(now_s + 59)
            assert tcp.connections == 3
            pool.look(now_s + 61)
            assert tcp.connections == 0
            tcp._look()
            assert tcp._pools == {}
            assert are_right([await asker.ask(peer.target(TCP))])


async def test_refusals_do_not_keep_others_waiting():
    with FaultyPeer() as peer:
        target = peer.target(TCP)
    async with Asker(connections=2) as asker:
        assert await asker.ask_all(target, 50) == [Trouble.REFUSED] * 50
        assert max(asker.seconds.values()) < 2


async def test_answers_are_matched_by_id_whatever_their_order():
    names = [b"88.118.7/%d" % at for at in range(200)]
    records = {name: Canned(values=(VALUES[0]._replace(data=name),)) for name in names}
    with FaultyPeer(records) as peer:
        async with Asker(connections=4) as asker:
            numbers = [asker.send(peer.target(TCP), name) for name in names]
            said = [await asker.end_of(number) for number in numbers]
    assert [reply.values[0].data for reply in said] == names
    assert len({asked.request_id for asked in peer.asked}) == len(names)
