"""Identifiers of other nodes over HTTP: answers, statuses, what caches are told, the way, and clients that leave."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from node.config_sections import Config
from node.listeners import http
from protocols.identifier import read_identifier
from protocols.message import Operation, Outcome
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from resolver.asking import Trouble
from resolver.cache import Rank
from tests.node.foreign import DELEGATED, NODE_ID, URL, ForeignParts, make_foreign_parts
from tests.node.http.conftest import Response, read_response
from tests.node.parts import PREFIX, put

FOREIGN = "99.1/a"
PATH = f"/api/handles/{FOREIGN}"


@contextlib.asynccontextmanager
async def web(foreign: ForeignParts) -> AsyncIterator[int]:
    sock = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config = replace(config, node=replace(config.node, prefix=PREFIX))
    listener = await http.start(foreign.parts.service, [sock], config)
    try:
        yield sock.getsockname()[1]
    finally:
        await listener.close(0)


async def get(port: int, target: str, **headers: str) -> Response:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {target} HTTP/1.1", "Host: node", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    data = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return read_response(data)


async def asked_and_told(
    foreign: ForeignParts, port: int, target: str, *values: Value, **more: object
) -> Response:
    """A request that makes the node ask, with what another node tells it."""
    count = len(foreign.network.sent)
    request = asyncio.create_task(get(port, target))
    await foreign.network.asked(count + 1)
    foreign.network.reply(FOREIGN, *values, **more)
    return await request


async def test_a_foreign_record_is_asked_for_once_and_then_remembered_while_its_ttl_runs() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        first = await asked_and_told(foreign, port, PATH)
        assert (first.status, first.json["responseCode"]) == (200, 1)
        assert first.json["values"][0]["data"]["value"] == URL.data.decode()
        assert first.headers["cache-status"] == "biaojie; fwd=uri-miss"
        assert first.headers["cache-control"] == "private, max-age=3600"
        foreign.parts.service.monotonic_s += 600.0
        again = await get(port, PATH)
        assert again.headers["cache-status"] == "biaojie; hit; ttl=3000"
        assert again.headers["cache-control"] == "private, max-age=3000"
        assert again.json["values"][0]["ttl"] == 3000
        assert len(foreign.network.sent) == 1


async def test_a_foreign_record_has_an_entity_tag_of_its_content_whatever_its_age() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        tag = (await asked_and_told(foreign, port, PATH)).headers["etag"]
        foreign.parts.service.monotonic_s += 60.0
        same = await get(port, PATH, If_None_Match=tag)
        assert (same.status, same.headers["etag"]) == (304, tag)
        foreign.driver.forwarder.drop(FOREIGN.encode())
        changed = await asked_and_told(foreign, port, PATH, URL._replace(data=b"https://new"))
        assert changed.status == 200
        assert changed.headers["etag"] != tag


async def test_the_least_ttl_decides_how_long_caches_keep_a_foreign_record() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        values = (URL, Value(2, "EMAIL", b"a@example.org", ttl=40))
        told = await asked_and_told(foreign, port, PATH, *values)
        assert told.headers["cache-control"] == "private, max-age=40"


@pytest.mark.parametrize("path", [PATH, f"/{FOREIGN}"])
@pytest.mark.parametrize(("trouble", "status"), [(Trouble.UNTRUSTED, 502), (Trouble.REFUSED, 504)])
async def test_a_silent_node_is_504_and_an_unproved_answer_502(
    path: str, trouble: Trouble, status: int
) -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        request = asyncio.create_task(get(port, path))
        done = 0
        while not request.done():
            while len(foreign.network.sent) == done and not request.done():
                await asyncio.sleep(0.001)
            if not request.done():
                done = len(foreign.network.sent)
                foreign.network.fail(FOREIGN, trouble)
                foreign.parts.service.monotonic_s += 0.5
        response = await request
        assert response.status == status
        assert response.json["responseCode"] == 2
        later = await get(port, PATH)
        assert later.headers["cache-status"] == "biaojie; hit; detail=failure"
        assert len(foreign.network.sent) == done


async def test_absence_is_404_and_remembered() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        gone = await asked_and_told(foreign, port, PATH, outcome=Outcome.NOT_FOUND)
        assert (gone.status, gone.json["responseCode"]) == (404, 100)
        assert (await get(port, PATH)).headers["cache-status"] == "biaojie; hit; detail=absent"


async def test_local_records_say_nothing_of_caches() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        for target in (f"/api/handles/{PREFIX}/small", f"/api/handles/{PREFIX}/small?index=1"):
            assert "cache-status" not in (await get(port, target)).headers


@pytest.mark.parametrize(
    ("target", "headers"), [(f"{PATH}?auth=true", {}), (PATH, {"Cache_Control": "no-cache"})]
)
async def test_who_insists_on_authority_goes_past_the_cache(
    target: str, headers: dict[str, str]
) -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        await asked_and_told(foreign, port, PATH)
        request = asyncio.create_task(get(port, target, **headers))
        _, second = await foreign.network.asked(2)
        assert second.question.authoritative
        foreign.network.reply(FOREIGN)
        response = await request
        assert response.headers["cache-status"] == "biaojie; fwd=request"
        assert response.headers["cache-control"] == "private, no-cache"


async def test_a_redirect_follows_a_foreign_url_and_its_page_names_no_version() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        there = await asked_and_told(foreign, port, f"/{FOREIGN}")
        assert (there.status, there.headers["location"]) == (302, URL.data.decode())
        assert there.headers["cache-control"] == "private, max-age=3600"
        page = await get(port, f"/{FOREIGN}?noredirect&lang=en")
        assert page.status == 200
        assert b"Version 0" not in page.body
        assert b"Registered at another node" in page.body


async def test_the_trail_is_told_on_wish_to_who_may_ask_through_this_node() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        told = await asked_and_told(foreign, port, f"{PATH}?trace=true")
        trail = told.json["trail"]
        assert (trail["node"], trail["verdict"]) == (PREFIX, "asked")
        assert [leg["said"] for leg in trail["legs"]] == ["success"]
        assert (await get(port, f"{PATH}?trace=true")).json["trail"]["verdict"] == "fresh"
        local = await get(port, f"/api/handles/{PREFIX}/small?trace=true&pretty=true")
        assert json.loads(local.body)["trail"]["verdict"] == "local"
        assert "trail" not in (await get(port, PATH)).json
    stranger = make_foreign_parts(recursion=("192.0.2.0/24",))
    async with web(stranger) as port:
        refused = await get(port, f"{PATH}?trace=true")
        assert (refused.status, refused.json["responseCode"]) == (400, 301)
        assert "trail" not in refused.json
        count = asyncio.create_task(get(port, f"/api/handles/{DELEGATED}/x?trace=true"))
        await stranger.network.asked(1)
        stranger.network.reply(f"{DELEGATED}/x")
        assert "trail" not in (await count).json


async def test_the_way_of_a_forwarded_request_is_heeded() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        loop = await get(port, PATH, CDN_Loop=f"aa, {NODE_ID}; hops=2")
        assert (loop.status, loop.json["responseCode"]) == (500, 6)
        request = asyncio.create_task(get(port, PATH, CDN_Loop="aa; hops=2"))
        (send,) = await foreign.network.asked()
        assert (send.question.via, send.question.hop_count) == (("aa", NODE_ID), 3)
        foreign.network.reply(FOREIGN)
        await request


async def test_a_client_that_leaves_is_forgotten_at_once() -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await foreign.network.asked()
        assert foreign.driver.waiting_count == 1
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        async with asyncio.timeout(5):
            while foreign.driver.waiting_count:
                await asyncio.sleep(0.001)


async def test_a_stale_record_is_said_to_be_one() -> None:
    foreign = make_foreign_parts()
    forwarder = foreign.driver.forwarder
    async with web(foreign) as port:
        service = foreign.parts.service
        forwarder.cache.put(
            read_identifier(FOREIGN.encode()), Outcome.SUCCESS, (URL,), Rank.TCP, service.now()
        )
        service.monotonic_s += 4000.0
        request = asyncio.create_task(get(port, PATH))
        await foreign.network.asked()
        service.monotonic_s += 0.5
        foreign.driver.wake()
        response = await request
        assert response.headers["cache-status"] == "biaojie; hit; ttl=-1; detail=stale"
        assert response.headers["cache-control"] == "private, max-age=30"


async def test_the_next_request_after_a_prefix_went_to_others_is_not_answered_from_the_cache() -> (
    None
):
    foreign, handle = make_foreign_parts(), f"{DELEGATED}/a"
    foreign.follower.listen(
        lambda changes: [foreign.driver.forwarder.drop(change.key) for change in changes]
    )
    async with web(foreign) as port:
        first = asyncio.create_task(get(port, f"/api/handles/{handle}"))
        await foreign.network.asked()
        foreign.network.reply(handle)
        assert (await first).status == 200
        other = encode_site(Site((Server(1, "192.0.2.8", (Interface(TCP, 2641),)),), serial=4))
        prefix_record = f"0.NA/{DELEGATED}"
        put(foreign.parts.store, prefix_record, [Value(1, "HS_SITE", other)], Operation.DELEGATE)
        second = asyncio.create_task(get(port, f"/api/handles/{handle}"))
        sent = await foreign.network.asked(2)
        assert sent[1].target.address == "192.0.2.8"
        foreign.network.reply(handle)
        assert (await second).status == 200
