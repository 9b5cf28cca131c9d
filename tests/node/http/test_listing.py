"""Listing, the feed and the site: who may see them, and that they are complete."""

import json

import pytest

from protocols.identifier import parse_identifier
from protocols.message import Operation, Outcome
from protocols.values.value import SECRET_PERMISSIONS, Value
from tests.node.http.conftest import ADMIN, OPERATOR_LOGIN, OUTSIDER, READER, SECRET, basic, url

AUTH = {"Authorization": basic(READER)}


async def _fill(node, count: int) -> None:
    for number in range(count):
        node.put(f"88.118/Item-{number:04}", url("https://a.cn/"))


async def test_pages_count_from_0_and_the_total_is_a_string(node):
    await _fill(node, 25)
    response = await node.ask("GET", "/api/handles?prefix=88.118&page=2&pageSize=10", **AUTH)
    assert response.json == {
        "responseCode": 1, "prefix": "88.118", "totalCount": "25", "page": 2, "pageSize": 10,
        "handles": [f"88.118/Item-{n:04}" for n in range(20, 25)],
    }  # fmt: skip


async def test_without_paging_everything_comes_at_once(node):
    await _fill(node, 25)
    for query in ("", "&page=-1", "&pageSize=-1&page=-1"):
        response = await node.ask("GET", f"/api/handles?prefix=88.118{query}", **AUTH)
        assert len(response.json["handles"]) == 25, query


async def test_following_after_tells_every_identifier_once(node):
    await _fill(node, 2500)
    seen, after = [], ""
    while True:
        response = await node.ask(
            "GET", f"/api/handles?prefix=88.118&pageSize=999&after={after}", **AUTH
        )
        if not response.json["handles"]:
            break
        seen += response.json["handles"]
        after = seen[-1].partition("/")[2]
    assert seen == [f"88.118/Item-{n:04}" for n in range(2500)]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("prefix=88.118&page=x", 400), ("prefix=88.118&page=200&pageSize=1000", 400), ("prefix=%ff", 400),
        ("prefix=", 400),
        ("prefix=77.7", 403), ("prefix=88.118&pageSize=0", 200), ("prefix=0.NA/88.118", 200),
        ("prefix=88.118&page=100", 200),
    ],
)  # fmt: skip
async def test_a_listing_that_cannot_be_given_says_why(node, query, status):
    response = await node.ask("GET", f"/api/handles?{query}", **AUTH)
    assert response.status == status, response
    assert status == 200 or response.json["message"]


async def test_listing_needs_the_right_to_list(node):
    assert (await node.ask("GET", "/api/handles?prefix=88.118")).status == 401
    assert (
        await node.ask("GET", "/api/handles?prefix=88.118", Authorization=basic(OUTSIDER))
    ).status == 403
    assert (
        await node.ask("GET", "/api/handles?prefix=88.118", Authorization=basic(ADMIN))
    ).status == 200


async def test_the_feed_tells_what_happened_and_no_value(node):
    node.put(
        "88.118/a", url("https://a.cn/"), Value(2, "NOTE", SECRET, permissions=SECRET_PERMISSIONS)
    )
    node.submit(Operation.DELETE, "88.118/a")
    response = await node.ask("GET", "/api/changes?after=1", Authorization=basic(OPERATOR_LOGIN))
    assert [(c["seq"], c["operation"], c["handle"], c["version"]) for c in response.json["changes"]] == [
        (2, "put", "88.118/A", 1), (3, "delete", "88.118/A", 2),
    ]  # fmt: skip
    assert SECRET not in response.body
    assert b"https://a.cn" not in response.body
    assert (response.json["head"], response.json["next"]) == (3, 3)
    assert (
        await node.ask("GET", "/api/changes?after=3", Authorization=basic(OPERATOR_LOGIN))
    ).json["changes"] == []


async def test_the_whole_feed_is_the_operators_and_a_prefix_its_listers(node):
    other = node.submit(Operation.HOST, "0.NA/99.1", url("https://x.cn/"))
    assert other.outcome is Outcome.SUCCESS
    node.put("99.1/x", url("https://x.cn/"))
    assert (await node.ask("GET", "/api/changes")).status == 401
    assert (await node.ask("GET", "/api/changes", **AUTH)).status == 403
    assert (await node.ask("GET", "/api/changes?prefix=99.1", **AUTH)).status == 403
    own = await node.ask("GET", "/api/changes?prefix=88.118", **AUTH)
    assert {c["handle"] for c in own.json["changes"]} == {"0.NA/88.118"}
    assert own.json["next"] == 3


async def test_following_next_sees_every_change(node):
    await _fill(node, 30)
    seen, after = [], 0
    while True:
        response = await node.ask(
            "GET", f"/api/changes?after={after}&limit=7", Authorization=basic(OPERATOR_LOGIN)
        )
        if response.json["next"] == after:
            break
        after = response.json["next"]
        seen += [c["seq"] for c in response.json["changes"]]
    assert seen == list(range(1, 32))


async def test_changes_cut_by_retention_are_gone_with_the_oldest_number(node):
    await _fill(node, 5)
    node.writer.registrar._store.truncate_changes(4)
    response = await node.ask("GET", "/api/changes?after=0", Authorization=basic(OPERATOR_LOGIN))
    assert (response.status, response.json["oldestAvailable"]) == (410, "4")


@pytest.mark.parametrize(
    "query", ["after=x", "after=-1", "limit=1001", f"after={'9' * 30}", "prefix=%ff"]
)
async def test_a_wrong_number_is_named(node, query):
    response = await node.ask("GET", f"/api/changes?{query}", Authorization=basic(OPERATOR_LOGIN))
    assert response.status == 400
    assert response.json.get("field", "") == ("" if "%ff" in query else query.partition("=")[0])


async def test_the_site_is_the_prefix_records_hs_site(node):
    assert (await node.ask("GET", "/api/site")).status == 404
    site = {
        "version": 1, "protocolVersion": "2.11", "serialNumber": 1, "primarySite": True, "multiPrimary": False,
        "servers": [{
            "serverId": 1, "address": "127.0.0.1",
            "interfaces": [{"query": True, "admin": True, "protocol": "TCP", "port": 2641}],
        }],
    }  # fmt: skip
    body = {"values": [{"index": 3, "type": "HS_SITE", "data": {"format": "site", "value": site}}]}
    made = await node.ask(
        "PUT", "/api/handles/0.NA/88.118?index=3", body, Authorization=basic(OPERATOR_LOGIN)
    )
    assert made.status == 200, made
    got = (await node.ask("GET", "/api/site")).json
    assert got["servers"][0]["interfaces"] == site["servers"][0]["interfaces"]
    assert json.dumps(got)
    assert parse_identifier("0.NA/88.118")
