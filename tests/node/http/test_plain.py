"""Plain requests: what is answered ahead of aiohttp is, byte for byte, what aiohttp's side would have said."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config_sections import Config
from node.http.plain import MAX_ANSWERS_BYTES
from protocols.message import Operation
from protocols.values.value import Value
from resolver.source import Peer
from tests.node.foreign import DELEGATED_SITE
from tests.node.http.lanes import ABSENT, LANES, Client, Lanes, counted, two_lanes
from tests.node.http.real_clients import ASIDE, PLAIN, head_of
from tests.node.parts import PREFIX, put

PEER = Peer("127.0.0.1", 1, "http", is_loopback=True)
STRANGER = Peer("203.0.113.7", 1, "http", is_loopback=False)
CURL, CHROME = head_of(PLAIN["curl"]), head_of(PLAIN["chrome-windows"])
IDENTIFIERS = (
    f"{PREFIX}/url", f"{PREFIX}/URL", f"{PREFIX}/%75rl", f"{PREFIX}%2Furl", f"{PREFIX}/lower", f"{PREFIX}/no-url",
    f"{PREFIX}/%E9%98%80%E9%97%A8/1", f"{PREFIX}/%e9%98%80%e9%97%a8%2f1", f"{PREFIX}/a//b/../c",
    f"{PREFIX}/mixed", f"{PREFIX}/secret", f"{PREFIX}/large",
    f"{PREFIX}/deleted", f"{PREFIX}/absent", f"{PREFIX}/damaged", PREFIX, f"0.NA/{PREFIX}", f"0.na/{PREFIX}",
    "99.1/a", "99.1/%41", "99.1/%61", "99.1/page", ABSENT, f"{PREFIX}.8.9/x",
    "", "/", f"{PREFIX}/", "/x", "%", "%zz", "%FF", f"{PREFIX}/%FF", f"{PREFIX}/%00", f"{PREFIX}/a%0d%0aX:%20y",
    f"{PREFIX}/" + "x" * 3000,
)  # fmt: skip
"""As they stand in targets."""
ELSEWHERE = ("99.1/%41",)
"""For these another node would have to be asked."""
ROUTES = ("/api/handles/", "/")
NOT_OURS = (
    "/", "/api", "/api/", "/api/handles", "/api/batch", "/api/openapi.json", "/favicon.ico", "/hrls/x", "*",
    f"/api/handles/{PREFIX}/url?", f"/api/handles/{PREFIX}/url?index=1", f"/{PREFIX}/url?noredirect",
    f"/{PREFIX}/url#x", f"/{PREFIX}/\"quoted\"", f"/{PREFIX}/阀门", f"http://id.example.cn/{PREFIX}/url",
)  # fmt: skip
"""Targets that are aiohttp's."""


async def both(lanes: Lanes, clients: dict[str, Client], request: bytes) -> bytes:
    """One request to each lane; the answer, if it is the same."""
    is_head = request.startswith(b"HEAD ")
    answers = [await clients[lane].ask(request, is_head=is_head) for lane in LANES]
    assert answers[0] == answers[1], request
    return answers[0]


@pytest.mark.parametrize("client", PLAIN)
async def test_both_lanes_say_the_same_bytes_to_every_real_client(client: str) -> None:
    head = head_of(PLAIN[client])
    async with two_lanes() as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        plain = lanes.listeners["ahead"].exchange.router
        for route in ROUTES:
            for identifier in IDENTIFIERS:
                target = (route + identifier).encode()
                is_foreign = identifier.startswith("99.")
                if identifier in ELSEWHERE or (is_foreign and b"no-cache" in head):
                    continue
                for method in (b"GET ", b"GET ", b"HEAD ", b"GET "):  # made, kept, found
                    await both(lanes, clients, method + target + head)
        assert plain.requests_count <= 16, "nearly all were answered ahead"
        assert lanes.listeners["behind"].exchange.router.requests_count > 200


async def test_answers_stay_the_same_bytes_as_seconds_go_by() -> None:
    async with two_lanes() as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        seen = set()
        for step_s in (0.0, 0.0, 0.0, 0.25, 0.25, 0.5, 1.0, 7.0, 86_400.0):
            lanes.pass_s(step_s)
            for listener in lanes.listeners.values():
                listener._look()
            for target in (
                f"/api/handles/{PREFIX}/url",
                f"/{PREFIX}/url",
                f"/{PREFIX}/no-url",
                "/99.1/a",
            ):
                if step_s < 86_400.0 or not target.startswith("/99"):
                    seen.add(await both(lanes, clients, f"GET {target}".encode() + CHROME))
        assert len(seen) > 16, "Date and Expires have gone on"


async def test_only_who_has_the_entity_is_told_that_it_is_unchanged() -> None:
    async with two_lanes() as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        ask = f"GET /api/handles/{PREFIX}/url HTTP/1.1\r\nHost: n\r\n".encode()
        first = await both(lanes, clients, ask + b"\r\n")
        tag = first.partition(b"ETag: ")[2].partition(b"\r\n")[0]
        for wanted, status in ((tag, 304), (tag, 304), (tag, 304), (b'"other"', 200), (b"*", 304)):
            request = ask + b"If-None-Match: " + wanted + b"\r\n\r\n"
            answer = await both(lanes, clients, request)
            assert answer.startswith(b"HTTP/1.1 %d " % status), (wanted, answer)


@pytest.mark.parametrize("client", ASIDE)
async def test_what_is_not_plain_is_left_to_aiohttp_whole(client: str) -> None:
    async with two_lanes() as lanes:
        plain = lanes.plain
        for method in (b"GET ", b"HEAD "):
            request = method + f"/api/handles/{PREFIX}/url".encode() + head_of(ASIDE[client])
            assert plain.serve(request, PEER) == (b"", 0)
            assert plain.answer(request, PEER) is None
            last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            told = [await lanes.say(lane, [request + last]) for lane in LANES]
            assert told[0] == told[1]
        assert plain.hits == plain.remembered == 0


@pytest.mark.parametrize("target", NOT_OURS)
async def test_other_targets_and_parameters_are_left_to_aiohttp(target: str) -> None:
    async with two_lanes() as lanes:
        request = b"GET " + target.encode() + CURL
        assert lanes.plain.serve(request, PEER) == (b"", 0)
        last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        told = [await lanes.say(lane, [request + last]) for lane in LANES]
        assert told[0] == told[1]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /88.118/url HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\nHost: x\n\n",
        b"GET  /88.118/url HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /88.118/url  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /88.118/url zh HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\nGET /88.118/url HTTP/1.1\r\nHost: x\r\n\r\n",
        b"get /88.118/url HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /88.118/url HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 70 + b"\r\n",
        b"GET /88.118/url HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 5000 + b"\r\n\r\n",
        b"GET /88.118/url HTTP/1.0\r\nA: b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /88.118/" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /88.118/" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /88.118/" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)  # fmt: skip
async def test_odd_bytes_are_for_aiohttp_to_judge(request_bytes: bytes) -> None:
    async with two_lanes() as lanes:
        plain = lanes.plain
        for _ in range(3):
            plain.serve(b"GET /88.118/url" + CURL, PEER)
        assert plain.hit(b"/88.118/url") is not None
        assert plain.serve(request_bytes, PEER) == (b"", 0)
        last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        told = [await lanes.say(lane, [request_bytes + last]) for lane in LANES]
        assert told[0] == told[1]


# ---- pipelines

_PIPELINED = st.lists(
    st.tuples(
        st.sampled_from((b"GET ", b"HEAD ")),
        st.sampled_from([
            f"/api/handles/{PREFIX}/url", f"/api/handles/{PREFIX}/absent", f"/{PREFIX}/url", f"/{PREFIX}/no-url",
            "/api/handles/99.1/a", f"/api/handles/{PREFIX}/url?index=2", "/api/site", "/%zz",
        ]),
        st.sampled_from(["curl", "chrome-windows", "curl-if-none-match", "wrk", "k6"]),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@given(asked=_PIPELINED, cuts=st.lists(st.integers(0, 4000), max_size=6), body=st.booleans())
def test_pipelines_cut_anywhere_are_answered_alike_and_in_order(asked, cuts, body) -> None:
    stream = b"".join(
        method + target.encode() + head_of(PLAIN[client]) for method, target, client in asked
    )
    if body:  # one whose body lies between
        stream += b"POST /api/handles/88.118/url HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n"
        stream += b"Content-Type: application/x-www-form-urlencoded\r\n\r\nindex=1"
        stream += b"GET /88.118/url" + CURL
    stream += b"GET /88.118/no-url HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    edges = [0, *sorted(cut % len(stream) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges) if a < b]

    async def run() -> None:
        async with two_lanes() as lanes:
            for _ in range(2):
                ahead, behind = [await lanes.say(lane, pieces) for lane in LANES]
                assert ahead == behind
                assert ahead.count(b"HTTP/1.1 ") == len(asked) + 2 * body + 1

    asyncio.run(run())


async def test_nothing_overtakes_a_request_that_waits_for_another_node() -> None:
    async with two_lanes() as lanes:
        client = await lanes.connect("ahead")
        client.writer.write(b"GET /api/handles/99.1/new" + CURL)
        await lanes.foreign.network.asked()
        client.writer.write(b"GET /api/handles/88.118/url" + CURL)
        for _ in range(20):
            await asyncio.sleep(0)
        lanes.foreign.network.reply("99.1/new")
        first = await client.ask(b"")
        assert b"99.1/new" in first
        assert b"88.118/url" in await client.ask(b"")


async def test_what_pipelined_requests_get_is_bounded_for_who_does_not_read() -> None:
    async with two_lanes() as lanes:
        plain = lanes.plain
        request = f"GET /api/handles/{PREFIX}/large".encode() + CURL
        answers, taken = plain.serve(request * 100, PEER)
        one, _ = plain.serve(request, PEER)
        assert len(one) < MAX_ANSWERS_BYTES < 2 * len(one)
        assert (answers, taken) == (one * 2, len(request) * 2)
        assert plain.answer(request * 100, PEER) is None


# ---- what must not be stale or shared


async def test_the_next_answer_after_a_change_is_the_new_one() -> None:
    async with two_lanes() as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        targets = [
            f"/api/handles/{PREFIX}/url",
            f"/api/handles/{PREFIX}/%55rl",
            f"/{PREFIX}/URL",
            f"/{PREFIX}/no-url",
        ]
        for turn in range(4):
            for target in targets * 3:
                for client in ("curl", "chrome-windows", "curl-if-none-match-any"):
                    answer = await both(
                        lanes, clients, b"GET " + target.encode() + head_of(PLAIN[client])
                    )
                    if turn and b" 304 " not in answer:
                        assert f"turn-{turn}".encode() in answer
            lanes.put("url", Value(1, "URL", f"https://example.org/turn-{turn + 1}".encode()))
            lanes.put("no-url", Value(1, "DESC", f"turn-{turn + 1}".encode()))
        assert lanes.plain.hits > 50


async def test_a_deleted_record_and_a_prefix_given_away_are_gone_at_once() -> None:
    async with two_lanes() as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        request = f"GET /api/handles/{PREFIX}/url".encode() + CURL
        for _ in range(3):
            assert b" 200 " in await both(lanes, clients, request)
        lanes.put("url", operation=Operation.DELETE)
        assert b" 404 " in await both(lanes, clients, request)
        other = f"GET /{PREFIX}/lower".encode() + CURL
        for _ in range(3):
            assert b" 302 " in await both(lanes, clients, other)
        site = [Value(1, "HS_SITE", DELEGATED_SITE)]
        put(lanes.foreign.parts.store, f"0.NA/{PREFIX}", site, Operation.DELEGATE)
        plain = lanes.listeners["ahead"].ahead
        assert plain.hit(f"/{PREFIX}/lower".encode()) is not None, "until it hears of it"
        assert lanes.plain.hit(f"/{PREFIX}/lower".encode()) is None
        assert lanes.plain.serve(other, PEER) == (b"", 0)


async def test_nothing_rendered_is_given_while_the_follower_lies_far_behind() -> None:
    async with two_lanes() as lanes:
        plain, target = lanes.plain, f"/api/handles/{PREFIX}/url".encode()
        for _ in range(3):
            plain.serve(b"GET " + target + CURL, PEER)
        assert plain.hit(target) is not None
        for number in range(300):  # more than are heard of at once
            lanes.put(f"many-{number}", Value(1, "URL", b"https://example.org/"))
        lanes.put("url", Value(1, "URL", b"https://example.org/new"))
        plain.tick(lanes.foreign.parts.service.now())
        assert plain.hit(target) is None
        assert b"example.org/new" in plain.serve(b"GET " + target + CURL, PEER)[0]
        await lanes.foreign.follower.catch_up()
        plain.tick(lanes.foreign.parts.service.now())
        for _ in range(3):
            assert b"example.org/new" in plain.serve(b"GET " + target + CURL, PEER)[0]
        assert b"example.org/new" in plain.hit(target)


async def test_another_nodes_answer_is_given_as_long_as_it_is_in_force_to_those_it_may_be_given_to() -> (
    None
):
    async with two_lanes() as lanes:
        plain, service = lanes.plain, lanes.foreign.parts.service
        request = b"GET /api/handles/99.1/a" + CURL
        for _ in range(3):
            answer, _ = plain.serve(request, PEER)
        assert b"hit; ttl=3600" in answer
        encoded_hits = lanes.foreign.driver.forwarder.answers.hits
        assert plain.serve(request, PEER)[0] == answer
        assert lanes.foreign.driver.forwarder.answers.hits == encoded_hits + 1, (
            "looked at, not made"
        )
        assert plain.hit(b"/api/handles/99.1/a") is None, "who asks is not known there"
        told, _ = plain.serve(request, STRANGER)
        assert b" 400 " in told
        assert b"example.net" not in told
        service.monotonic_s += 2.0
        plain.tick(service.now())
        assert b"hit; ttl=3598" in plain.serve(request, PEER)[0]
        lanes.remember("99.1/a", Value(1, "URL", b"https://example.net/elsewhere", ttl=100))
        assert b"elsewhere" in plain.serve(request, PEER)[0]


async def test_behind_a_trusted_proxy_it_is_the_asker_who_counts() -> None:
    config = Config()
    config = replace(config, access=replace(config.access, trusted_proxies=("127.0.0.0/8",)))
    async with two_lanes(config) as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        for turn in range(4):
            for address, status in (("192.0.2.9", b" 200 "), ("203.0.113.9", b" 400 ")):
                fields = (*PLAIN["curl"], ("X-Forwarded-For", address))
                answer = await both(lanes, clients, b"GET /api/handles/99.1/a" + head_of(fields))
                assert status in answer[:20], (turn, address)


async def test_both_lanes_count_alike() -> None:
    async with two_lanes() as lanes:
        growth = {}
        for lane in LANES:
            client = await lanes.connect(lane)
            before = counted(lanes.listeners[lane])
            for target in (
                f"/api/handles/{PREFIX}/url",
                f"/{PREFIX}/url",
                f"/api/handles/{PREFIX}/absent",
                "/99.1/a",
            ):
                for name in ("curl", "curl-if-none-match", "chrome-windows"):
                    for _ in range(4):
                        await client.ask(f"GET {target}".encode() + head_of(PLAIN[name]))
            after = counted(lanes.listeners[lane])
            growth[lane] = {key: after[key] - before.get(key, 0) for key in after}
        assert growth["ahead"] == growth["behind"]
        assert growth["ahead"]["/api/handles/{handle}", "2xx"] == 8


async def test_a_question_is_counted_once_whichever_lane_has_it_asked_elsewhere() -> None:
    async with two_lanes() as lanes:
        for lane in LANES:
            client = await lanes.connect(lane)
            waiting = asyncio.create_task(
                client.ask(f"GET /api/handles/99.1/{lane}".encode() + CURL)
            )
            await lanes.foreign.network.asked(len(lanes.foreign.network.sent) + 1)
            lanes.foreign.network.reply(f"99.1/{lane}")
            await waiting
        lookups = lanes.foreign.driver.forwarder.lookups
        assert lookups["miss"] == 2
