"""``mintNewSuffix``: the node makes the rest of the identifier, tells it, and does not make two for one request."""

import re

import pytest

from tests.node.http.conftest import ADMIN, READER, basic

LOGIN = {"Authorization": basic(ADMIN)}
BODY = {"values": [{"index": 1, "type": "URL", "data": "https://a.cn/"}]}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.mark.parametrize(
    ("asked", "base"),
    [
        ("88.118/", "88.118/"), ("88.118", "88.118/"), ("88.118/SN-", "88.118/SN-"),
        ("88.118%2F%E9%98%80", "88.118/阀"),
    ],
)  # fmt: skip
async def test_a_minted_identifier_is_told_and_is_there(node, asked, base):
    made = await node.ask("PUT", f"/api/handles/{asked}?mintNewSuffix=true", BODY, **LOGIN)
    assert made.status == 201, made
    handle = made.json["handle"]
    assert re.fullmatch(re.escape(base) + UUID, handle)
    location = made.headers["location"]
    shown = await node.ask("GET", location)
    assert shown.json["handle"] == handle


async def test_no_two_are_alike(node):
    target = "/api/handles/88.118/?overwrite=false&mintNewSuffix=true"
    made = {(await node.ask("PUT", target, BODY, **LOGIN)).json["handle"] for _ in range(20)}
    assert len(made) == 20


async def test_a_repetition_with_the_same_key_gets_the_same_identifier(node):
    target = "/api/handles/88.118/?mintNewSuffix=true"
    keyed = {"Idempotency_Key": "order-7", **LOGIN}
    first = await node.ask("PUT", target, BODY, **keyed)
    again = await node.ask("PUT", target, BODY, **keyed)
    assert first.status == again.status == 201
    assert first.json == again.json
    other = await node.ask("PUT", target, BODY, Idempotency_Key="order-8", **LOGIN)
    assert other.json["handle"] != first.json["handle"]


async def test_minting_needs_the_right_to_create(node):
    target = "/api/handles/88.118/?mintNewSuffix"
    assert (await node.ask("PUT", target, BODY)).status == 401
    assert (await node.ask("PUT", target, BODY, Authorization=basic(READER))).status == 403
    foreign = await node.ask("PUT", "/api/handles/99.1/?mintNewSuffix", BODY, **LOGIN)
    assert foreign.status in {400, 403}


async def test_without_it_a_bare_prefix_stays_a_prefix(node):
    made = await node.ask("PUT", "/api/handles/88.118/?mintNewSuffix=false", BODY, **LOGIN)
    assert made.status == 400
