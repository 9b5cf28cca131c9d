"""Private prefixes on the fast paths: they are left at once, so that all say what the long way says."""

import asyncio

import pytest

from protocols.handle.codec import Message
from protocols.handle.codes import PUBL, RECU, ResponseCode
from protocols.message import Operation
from resolver.policies.enumeration import MISSES_PER_MINUTE
from tests.node.http.lanes import LANES, two_lanes
from tests.node.http.real_clients import PLAIN, head_of
from tests.node.listeners.test_tcp import read_answer
from tests.node.listeners.test_udp import exchange
from tests.node.parts import PREFIX, Parts, ask, make_parts, put, tcp_node, udp_node

CURL = head_of(PLAIN["curl"])
BUSY = ResponseCode.TOO_BUSY
NOT_FOUND, FOUND = ResponseCode.HANDLE_NOT_FOUND, ResponseCode.SUCCESS


def hide(parts: Parts) -> None:
    put(parts.store, f"0.NA/{PREFIX}", (), Operation.HIDE)


def private_parts() -> Parts:
    parts = make_parts()
    hide(parts)
    return parts


async def over_tcp(port: int, *requests: bytes) -> list[Message]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(requests))
    answers = [await read_answer(reader) for _ in requests]
    writer.close()
    return answers


TRANSPORTS = {"udp": (udp_node, exchange), "tcp": (tcp_node, over_tcp)}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_record_of_secrets_is_as_absent_as_one_that_is_not_there(transport: str) -> None:
    """Their names are of one length, and nothing else may differ, however often they are asked for."""
    node, say = TRANSPORTS[transport]
    names = ("secret", "absent", "SECRET") * 3
    async with node(private_parts()) as (_, port):
        answers = await say(port, *(ask(f"{PREFIX}/{name}") for name in names))
    for answer, name in zip(answers, names, strict=True):
        assert answer.header.response_code == NOT_FOUND
        assert answer.body.message == f"{PREFIX}/{name} is not registered".encode()
        assert answer._replace(body=None, received=b"") == answers[0]._replace(
            body=None, received=b""
        )


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_public_values_are_answered_as_ever(transport: str) -> None:
    node, say = TRANSPORTS[transport]
    async with node(private_parts()) as (_, port), node(make_parts()) as (_, other):
        for name in ("small", "SmAlL", "mixed"):
            (private,) = await say(port, ask(f"{PREFIX}/{name}"))
            (ordinary,) = await say(other, ask(f"{PREFIX}/{name}"))
            assert private.body == ordinary.body
            assert private.header.response_code == FOUND


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_scan_is_stopped_and_then_hits_are_refused_too(transport: str) -> None:
    node, say = TRANSPORTS[transport]
    async with node(private_parts()) as (_, port):
        codes = []
        for start in range(0, 300, 50):
            scan = [ask(f"{PREFIX}/SN-{n:06}") for n in range(start, start + 50)]
            codes += [answer.header.response_code for answer in await say(port, *scan)]
        assert codes == [NOT_FOUND] * MISSES_PER_MINUTE + [BUSY] * (300 - MISSES_PER_MINUTE)
        for flags in (PUBL, PUBL | RECU):
            (answer,) = await say(port, ask(f"{PREFIX}/small", flags=flags))
            assert answer.header.response_code == BUSY


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_prefix_made_private_leaves_the_fast_paths_at_once_and_comes_back_to_them(
    transport: str,
) -> None:
    node, say = TRANSPORTS[transport]
    parts = make_parts()
    asked = [ask(f"{PREFIX}/small")] * 4
    async with node(parts) as (_, port):
        before = await say(port, *asked)
        hide(parts)
        scan = [ask(f"{PREFIX}/SN-{n:06}") for n in range(MISSES_PER_MINUTE)]
        for start in range(0, MISSES_PER_MINUTE, 50):
            await say(port, *scan[start : start + 50])
        assert {a.header.response_code for a in await say(port, *asked)} == {BUSY}
        put(parts.store, f"0.NA/{PREFIX}", (), Operation.SHOW)
        again = await say(port, *asked)
        assert [answer.body for answer in again] == [answer.body for answer in before]
        codes = {a.header.response_code for a in await say(port, *scan[:20])}
        assert codes == {NOT_FOUND}


async def test_a_prefix_given_up_is_nobodys_at_once() -> None:
    parts = make_parts()
    async with udp_node(parts) as (_, port):
        await exchange(port, *[ask(f"{PREFIX}/small")] * 3)
        put(parts.store, f"0.NA/{PREFIX}", (), Operation.UNHOST)
        for name in ("small", "absent", "secret"):
            (answer,) = await exchange(port, ask(f"{PREFIX}/{name}"))
            assert answer.header.response_code == ResponseCode.NOT_RESPONSIBLE
        put(parts.store, f"0.NA/{PREFIX}", (), Operation.HOST)
        (answer,) = await exchange(port, ask(f"{PREFIX}/small"))
        assert answer.header.response_code == FOUND


async def test_what_was_rendered_over_http_is_dropped_when_the_prefix_becomes_private() -> None:
    target = f"/api/handles/{PREFIX}/url".encode()
    request = b"GET " + target + CURL
    async with two_lanes() as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        for _ in range(3):
            assert b" 200 " in await clients["ahead"].ask(request)
        assert lanes.plain.hit(target) is not None
        hide(lanes.foreign.parts)
        assert lanes.plain.hit(target) is None
        for lane in LANES * 3:
            assert b" 200 " in await clients[lane].ask(request)
        assert lanes.plain.hit(target) is None, "a private prefix is never answered from there"
        for n in range(MISSES_PER_MINUTE):
            missed = await clients["ahead"].ask(request.replace(b"/url", b"/SN-%06d" % n))
            assert b" 404 " in missed
        for lane in LANES:
            assert b" 503 " in await clients[lane].ask(request)


async def test_workers_share_what_a_source_may_miss() -> None:
    parts = private_parts()
    parts.service.share_misses(4)
    async with udp_node(parts) as (_, port):
        answers = await exchange(port, *(ask(f"{PREFIX}/SN-{n}") for n in range(30)))
    codes = [answer.header.response_code for answer in answers]
    assert codes == [NOT_FOUND] * (MISSES_PER_MINUTE // 4) + [BUSY] * 5
