"""Reverse look-up over HTTP: who may ask, what is told, and what the answer says of its age."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from node.clock import read_clocks
from node.follower import Follower
from node.listeners import http
from node.proving.authenticator import Authenticator
from node.search.finder import MOST_QUESTIONS
from node.service import Service
from protocols.identifier import parse_identifier
from protocols.message import Operation
from protocols.values.admin import Admin, encode_admin
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.holdings import Holdings
from tests.node.http.conftest import Node, Response, basic, make_config, url
from tests.node.search.parts import PREFIX, SEALER, Bench, bench

LOGIN = (300, f"0.NA/{PREFIX}", "secret")
OTHER = (301, f"0.NA/{PREFIX}", "other")
SITE = Value(
    1,
    "HS_SITE",
    encode_site(Site((Server(1, "192.0.2.1", (Interface(TCP, 80),)),), 1)),
)


class Searched(NamedTuple):
    """A node in this process, its store, and the way to bring the index up to date."""

    bench: Bench
    node: Node

    async def get(self, target: str, login: tuple[int, str, str] | None = LOGIN) -> Response:
        headers = {"Authorization": basic(login)} if login else {}
        return await self.node.ask("GET", target, **headers)

    async def find(self, query: str, login: tuple[int, str, str] | None = LOGIN) -> Any:
        response = await self.get(f"/hrls/handles?{query}", login)
        assert response.status == 200, response
        return response.json


@asynccontextmanager
async def searched(directory: Path, **settings: object) -> AsyncIterator[Searched]:
    with bench(directory) as made:
        config = make_config()
        config = replace(
            config,
            node=replace(config.node, data_dir=made.directory),
            search=replace(config.search, **settings),
        )
        made.do(
            Operation.PUT,
            f"0.NA/{PREFIX}",
            [
                Value(100, "HS_ADMIN", encode_admin(Admin(f"0.NA/{PREFIX}", 300, 0xFFF))),
                *(
                    Value(index, "HS_SECKEY", secret.encode(), permissions=SECRET_PERMISSIONS)
                    for index, _, secret in (LOGIN, OTHER)
                ),
            ],
        )
        reader = made.store.reader()
        holdings = Holdings(reader, SEALER)
        authenticator = Authenticator(holdings, lambda: read_clocks().monotonic_s)
        service = Service(reader, holdings, None, Follower(reader), authenticator)  # type: ignore[arg-type]
        listener, port = await _serve(service, config)
        try:
            yield Searched(made, Node(port, service, None, listener))  # type: ignore[arg-type]
        finally:
            await listener.close(0)
            authenticator.pool.close()
            reader.close()


async def _serve(service: Service, config: Any) -> tuple[Any, int]:
    sock = socket.create_server(("127.0.0.1", 0))
    return await http.start(service, [sock], config), sock.getsockname()[1]


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Searched]:
    async with searched(tmp_path) as made:
        for number in range(12):
            made.bench.put(
                f"{PREFIX}/Item-{number:02}",
                url(f"https://a.cn/{number:02}?q=100%_[x]'\""),
                Value(2, "LOT", b"odd" if number % 2 else b"even"),
            )
        made.bench.index()
        yield made


NAMES = [f"{PREFIX}/Item-{number:02}" for number in range(12)]


async def test_whoever_is_known_may_ask_and_nobody_else(it: Searched) -> None:
    assert await it.find("URL=*a.cn*") == await it.find("URL=*a.cn*", OTHER) == NAMES
    refused = await it.get("/hrls/handles?URL=*", None)
    assert refused.status == 401
    assert "Basic" in refused.headers["www-authenticate"]
    assert (await it.get("/hrls/handles?URL=*", (300, LOGIN[1], "wrong"))).status == 401
    ping = await it.get("/hrls/ping", None)
    assert (ping.status, ping.body) == (200, b"OK\n")


async def test_a_setting_opens_it_to_everybody_and_another_closes_it(tmp_path: Path) -> None:
    async with searched(tmp_path / "open", public=True) as it:
        it.bench.put(f"{PREFIX}/x", url("https://x"))
        it.bench.index()
        assert await it.find("URL=*", None) == [f"{PREFIX}/x"]
        assert (await it.get("/hrls/handles?URL=*", (300, LOGIN[1], "wrong"))).status == 401
    async with searched(tmp_path / "closed", enabled=False) as it:
        closed = await it.get("/hrls/handles?URL=*")
        assert (closed.status, closed.json["message"]) == (
            404, "reverse look-up is switched off at this node (search.enabled)",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("*100%_[x]'\"", 12), ("*100_*", 0), ("*100%[x]*", 0), ("https://a.cn/0?*", 0), ("*/0*", 10), ("*A.CN*", 0),
        ("*%_*", 12), ("https://a.cn/00?q=100%_[x]'\"", 1), ("", 0), ("**", 12), ("*'; DROP TABLE cell; --*", 0),
    ],
)  # fmt: skip
async def test_only_the_star_stands_for_anything(it: Searched, pattern: str, count: int) -> None:
    assert len(await it.find(f"URL={quote(pattern)}")) == count
    assert len(await it.find(f"url={quote(pattern)}&Lot=*")) == count


async def test_types_are_matched_without_case_and_all_of_them_must_be_met(it: Searched) -> None:
    assert await it.find("url=*/0*&LOT=odd") == NAMES[1:10:2]
    assert await it.find("url=*/0*&LOT=odd&lot=even") == [], "one value cannot be both"
    assert await it.find("URL=*&NEVER=*") == []


async def test_pages_limits_and_where_to_go_on(it: Searched) -> None:
    assert await it.find("URL=*&limit=5") == NAMES[:5]
    assert await it.find("URL=*&limit=5&page=2") == NAMES[10:]
    assert await it.find("URL=*&limit=5&page=99") == []
    assert await it.find("URL=*&limit=0") == []
    assert await it.find("URL=*&limit=200000") == NAMES
    assert await it.find(f"URL=*&limit=3&after={quote(NAMES[6].lower())}") == NAMES[7:10]
    assert (await it.get("/hrls/handles?URL=*")).body == json.dumps(NAMES).replace(" ", "").encode()


async def test_a_prefix_in_the_path_narrows_it(it: Searched) -> None:
    it.bench.do(Operation.HOST, "0.NA/88.119")
    it.bench.put("88.119/other", url("https://a.cn/other"))
    it.bench.index()
    for path in ("/hrls/handles/88.119", "/hrls/handles/88.119/", "/hrls/handles/0.na%2F88.119"):
        assert (await it.get(f"{path}?URL=*")).json == ["88.119/other"], path
    assert (await it.get("/hrls/handles/?URL=*")).json == [*NAMES, "88.119/other"]
    assert (await it.get("/hrls/handles/77?URL=*")).json == []


async def test_records_are_told_whole_but_for_what_is_not_public(it: Searched) -> None:
    it.bench.put(
        f"{PREFIX}/whole",
        url("https://whole"),
        Value(2, "备注", "标识".encode()),
        Value(3, "BLOB", b"\xff\x00"),
        Value(4, "NOTE", b"hidden", permissions=SECRET_PERMISSIONS),
        Value(5, "HS_SECKEY", b"hidden", permissions=SECRET_PERMISSIONS),
    )
    it.bench.index()
    assert await it.find("URL=*whole&retrieverecords=true") == {
        f"{PREFIX}/whole": [
            {"type": "URL", "value": "https://whole"},
            {"type": "备注", "value": "标识"},
            {"type": "BLOB", "value": "/wA="},
        ]
    }
    assert await it.find("NOTE=*&retrieverecords=true") == {}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "name a value type and a pattern"), ("limit=5", "name a value type and a pattern"),
        ("HS_SECKEY=*", "searching via HS_SECKEY entries is not allowed"),
        ("URL=*&hs_seckey=*", "searching via HS_SECKEY entries is not allowed"),
        ("URL=*&limit=x", "limit"), ("URL=*&page=-1", "page"), ("URL=%ff", "not UTF-8"), ("URL=%00", "zero byte"),
        ("URL=" + "x" * 2049, "pattern of 2049 bytes"), ("=x", "not the name of a value type"),
        ("&".join(f"T{n}=x" for n in range(33)), "more than 32 patterns"),
        ("x" * 300 + "=x", "not the name of a value type"),
        ("URL=*&after=nonsense/", "identifier"),
    ],
)  # fmt: skip
async def test_what_cannot_be_searched_is_refused_in_words(
    it: Searched, query: str, words: str
) -> None:
    response = await it.get(f"/hrls/handles?{query}")
    assert response.status == 400, response
    assert words in response.json["message"]


async def test_types_that_are_not_indexed_are_named(tmp_path: Path) -> None:
    async with searched(tmp_path, types=("url",)) as it:
        refused = await it.get("/hrls/handles?CHECKSUM=*")
        assert refused.status == 400
        assert "searches values of these types only: URL" in refused.json["message"]


# what is not to be seen


@pytest.mark.parametrize(
    "hide",
    [
        lambda made: made.do(Operation.UNHOST, "0.NA/88.119"),
        lambda made: made.do(Operation.DELEGATE, "0.NA/88.119", [SITE]),
        lambda made: made.do(Operation.HIDE, "0.NA/88.119"),
    ],
    ids=["given up", "delegated", "private"],
)
async def test_what_is_not_to_be_seen_is_not_found_from_that_change_on(
    it: Searched, hide: Callable[[Bench], None]
) -> None:
    it.bench.do(Operation.HOST, "0.NA/88.119")
    it.bench.put("88.119/x", url("https://a.cn/x"))
    it.bench.index()
    assert await it.find("URL=*a.cn/x*") == ["88.119/x"]
    hide(it.bench)
    assert await it.find("URL=*a.cn/x*") == [], "though the index has not heard of it"
    it.bench.index()
    assert await it.find("URL=*a.cn/x*") == []
    assert await it.find("URL=*a.cn*") == NAMES


async def test_what_is_taken_back_is_found_again(it: Searched) -> None:
    it.bench.do(Operation.HOST, "0.NA/88.119")
    it.bench.put("88.119/x", url("https://a.cn/x"))
    it.bench.do(Operation.DELEGATE, "0.NA/88.119", [SITE])
    it.bench.put("88.119/kept-unseen", url("https://a.cn/x"))
    it.bench.index()
    assert await it.find("URL=*a.cn/x*") == []
    it.bench.do(Operation.HOST, "0.NA/88.119", [Value(2, "URL", b"https://taken.back")])
    it.bench.index()
    assert await it.find("URL=*a.cn/x*") == ["88.119/kept-unseen", "88.119/x"]


async def test_below_a_private_prefix_only_who_may_list_finds_anything(it: Searched) -> None:
    it.bench.do(Operation.HIDE, f"0.NA/{PREFIX}")
    it.bench.index()
    assert await it.find("URL=*a.cn*") == NAMES
    assert await it.find("URL=*a.cn*", OTHER) == []


async def test_what_stopped_being_public_is_not_told_though_the_index_knows_it(
    it: Searched,
) -> None:
    hidden = Value(1, "URL", b"https://a.cn/00", permissions=SECRET_PERMISSIONS)
    it.bench.put(NAMES[0], hidden, Value(2, "LOT", b"even"))
    it.bench.put(NAMES[1], url("https://b.cn/"))
    it.bench.do(Operation.DELETE, NAMES[2])
    response = await it.get("/hrls/handles?URL=*a.cn*")
    assert response.json == NAMES[3:]
    assert int(response.headers["biaojie-search-behind"]) == 3
    head = it.bench.store.head().seq
    assert int(response.headers["biaojie-search-seq"]) == head - 3
    assert NAMES[0] not in await it.find("URL=*a.cn*&retrieverecords=true")
    assert NAMES[0] in await it.find("LOT=even"), "what is public still is told"


async def test_a_search_waits_for_what_was_written_before(it: Searched) -> None:
    it.bench.put(f"{PREFIX}/new", url("https://new"))
    asking = asyncio.create_task(it.get("/hrls/handles?URL=*new*"))
    await asyncio.sleep(0.1)
    assert not asking.done()
    it.bench.index()
    response = await asking
    assert response.json == [f"{PREFIX}/new"]
    assert "biaojie-search-behind" not in response.headers


async def test_without_an_index_the_answer_is_that_it_is_being_made(it: Searched) -> None:
    (it.bench.directory / "search.sqlite").unlink()
    response = await it.get("/hrls/handles?URL=*")
    assert response.status == 503
    assert "the index is about to be made" in response.json["message"]
    assert response.headers["retry-after"]


async def test_the_index_of_another_store_is_not_believed(it: Searched, tmp_path: Path) -> None:
    with bench() as other:
        identifier = parse_identifier(f"{PREFIX}/foreign")
        other.put(identifier.text, url("https://a.cn/foreign"))
        other.index()
        data = bytearray((other.directory / "search.sqlite").read_bytes())
    at = data.index(bytes(range(16)))  # the log's id
    data[at : at + 16] = b"?" * 16
    (it.bench.directory / "search.sqlite").unlink()
    (it.bench.directory / "search.sqlite").write_bytes(data)
    response = await it.get("/hrls/handles?URL=*")
    assert response.status == 503
    assert "another store" in response.json["message"]


async def test_a_question_that_takes_too_long_and_one_too_many(tmp_path: Path) -> None:
    async with searched(tmp_path, question_s=-1.0) as it:
        for number in range(300):
            it.bench.put(f"{PREFIX}/{number}", url(f"https://a.cn/{number}"))
        it.bench.index()
        slow = await it.get("/hrls/handles?URL=*x*y*&LOT=*")
        assert slow.status == 200, "nobody has a LOT: nothing to be looked for"
        slow = await it.get("/hrls/handles?URL=*x*y*")
        assert slow.status == 400
        assert "the search was given up" in slow.json["message"]
        many = [it.get("/hrls/handles?URL=*") for _ in range(5 * MOST_QUESTIONS)]
        statuses = [response.status for response in await asyncio.gather(*many)]
        assert set(statuses) <= {400, 503}
