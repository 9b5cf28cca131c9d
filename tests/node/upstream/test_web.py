"""The JSON API as an upstream: bounded, without redirects, and never more believing than the native protocol."""

import asyncio
import json
import time

import pytest

from node.upstream.web_answers import read_answer
from protocols.message import Outcome
from protocols.values.site import HTTP, Server, Site, encode_site
from protocols.values.value import Value
from resolver.asking import Reply, Trouble
from tests.faulty_peer.behaviour import Behaviour, Canned, Mode
from tests.faulty_peer.peer import FaultyPeer
from tests.node.upstream.asker import NAME, RECORDS, SHORT_S, VALUES, Asker


@pytest.mark.parametrize(
    ("mode", "trouble"),
    [
        (Mode.GARBAGE, Trouble.GARBAGE),
        (Mode.GARBAGE_BODY, Trouble.GARBAGE),
        (Mode.TOO_LONG, Trouble.GARBAGE),
        (Mode.ENDLESS_FRAMES, Trouble.GARBAGE),
        (Mode.CLOSE_WITHOUT_ANSWER, Trouble.CLOSED),
        (Mode.RESET_IN_FRAME, Trouble.CLOSED),
    ],
)
async def test_a_server_that_makes_no_sense_is_told_so(mode: Mode, trouble: Trouble):
    with FaultyPeer(RECORDS, Behaviour(mode)) as peer:
        async with Asker() as asker:
            assert await asker.ask_all(peer.target(HTTP), 5) == [trouble] * 5
            peer.behaviour = Behaviour()
            assert (await asker.ask(peer.target(HTTP))).values == VALUES
        assert peer.counts["streamed_bytes"] < 5 * 12_000_000


async def test_connections_are_kept_and_bounded():
    with FaultyPeer(RECORDS, Behaviour(delay_s=0.01)) as peer:
        async with Asker(connections=4) as asker:
            said = await asker.ask_all(peer.target(HTTP), 40)
        assert all(reply.values == VALUES for reply in said)
        assert peer.counts["connections"] <= 4


async def test_no_free_connection_in_time_is_a_crowd_of_our_own():
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as peer:
        async with Asker(connections=2) as asker:
            target = peer.target(HTTP)
            # Who holds the connections is the last to give up: none becomes free for those who wait.
            holding, waiting = await asyncio.gather(
                asker.ask_all(target, 2, patience_s=6 * SHORT_S),
                asker.ask_all(target, 4, patience_s=SHORT_S),
            )
    assert [trouble.value for trouble in holding] == ["timeout"] * 2
    assert [trouble.value for trouble in waiting] == ["crowded"] * 4


async def test_a_redirect_is_not_followed():
    with FaultyPeer(RECORDS, Behaviour(http_status=302)) as peer:
        async with Asker() as asker:
            assert await asker.ask(peer.target(HTTP)) is Trouble.GARBAGE
        assert peer.counts["http"] == 1


async def test_another_identifier_arrives_under_its_name():
    with FaultyPeer(RECORDS, Behaviour(Mode.WRONG_IDENTIFIER)) as peer:
        async with Asker() as asker:
            assert (await asker.ask(peer.target(HTTP))).spelling == NAME + b"-other"


async def test_a_large_record_arrives():
    with FaultyPeer(RECORDS, Behaviour(Mode.HUGE)) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(HTTP))
    assert sum(len(value.data) for value in reply.values) == 248_000


async def test_a_trail_is_asked_for_only_when_wanted():
    with FaultyPeer({NAME: Canned(values=VALUES)}) as peer:
        async with Asker() as asker:
            await asker.ask(peer.target(HTTP), wants_trail=True)
            await asker.ask(peer.target(HTTP))
    assert [asked.target.partition("?")[2] for asked in peer.asked] == ["trace=true", ""]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b"<html>not here</html>", Trouble.GARBAGE),  # any web server says so about any path
        (404, b"", Trouble.GARBAGE),
        (404, b"[]", Trouble.GARBAGE),
        (200, b"{}", Trouble.GARBAGE),
        (200, b"\xff", Trouble.GARBAGE),
        (200, b'{"responseCode": "one"}', Trouble.GARBAGE),
        (404, b'{"responseCode": 1, "handle": "88.118/a", "values": []}', Trouble.GARBAGE),
        (200, b'{"responseCode": 1, "values": [{"index": 1}]}', Trouble.GARBAGE),
        (200, b'{"responseCode": 1, "handle": 7}', Trouble.GARBAGE),
        (503, b"<html>", Reply(Outcome.BUSY, reason="HTTP status 503")),
        (429, b"", Reply(Outcome.BUSY, reason="HTTP status 429")),
        (502, b"bad gateway", Reply(Outcome.ERROR, reason="HTTP status 502")),
        (404, b'{"responseCode": 100, "handle": "a/b"}', Reply(Outcome.NOT_FOUND, b"a/b")),
        (500, b'{"responseCode": 2, "message": "x"}', Reply(Outcome.ERROR, reason="x")),
    ],
)
def test_a_response_says_what_its_document_says_or_next_to_nothing(status, body, said):
    assert read_answer(status, body) == said


def test_a_trail_in_the_document_is_read():
    trail = {"node": "88", "verdict": "fresh", "legs": []}
    body = {"responseCode": 1, "handle": "a/b", "values": [], "trail": trail}
    reply = read_answer(200, json.dumps(body).encode())
    assert reply.trail.node == "88"
    assert read_answer(200, json.dumps(body | {"trail": "?"}).encode()).trail is None


async def test_answers_that_are_not_whole_yet_have_memory_together_not_each():
    with FaultyPeer(RECORDS, Behaviour(Mode.ENDLESS_FRAMES)) as peer, FaultyPeer(RECORDS) as good:
        async with Asker(most_buffered_bytes=500_000) as asker:
            said = await asker.ask_all(peer.target(HTTP), 5)
            assert set(said) == {Trouble.CROWDED}
            reply = await asker.ask(good.target(HTTP))
            assert reply.values == VALUES


async def test_a_document_that_takes_long_to_read_holds_nothing_else_up():
    server = Server(1, "192.0.2.1", ())
    sites = encode_site(Site((server,) * 1000))
    heavy = tuple(Value(index, "HS_SITE", sites, timestamp=1) for index in range(1, 8))
    with FaultyPeer({NAME: Canned(values=heavy)}) as peer:
        async with Asker() as asker:
            number, turns = asker.send(peer.target(HTTP)), 0
            here_s, all_s = time.thread_time(), time.process_time()
            while number not in asker.ends:
                await asyncio.sleep(0.001)
                turns += 1
            here_s, all_s = time.thread_time() - here_s, time.process_time() - all_s
            reply = await asker.end_of(number)
    assert reply.values == heavy
    assert here_s < 0.3 * all_s  # the loop's own thread has next to nothing of the work
    assert turns > 20  # and the other one, in which it takes a second, gives way every 5 ms
