"""PUT and DELETE of records, over real sockets."""

import asyncio

import pytest

from protocols.message import Operation
from protocols.values.site import PRIMARY, TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from tests.node.http.conftest import ADMIN, OPERATOR_LOGIN, OUTSIDER, READER, basic, url

AUTH = {"Authorization": basic(ADMIN)}
URL1 = {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://a.cn/"}}
BARE = {"index": 2, "type": "DESC", "data": "bare string"}


async def test_put_creates_then_replaces(node):
    made = await node.ask("PUT", "/api/handles/88.118/new", {"values": [URL1]}, **AUTH)
    assert (made.status, made.json) == (201, {"responseCode": 1, "handle": "88.118/new"})
    assert made.headers["etag"] == '"1"'
    assert made.headers["location"] == "/api/handles/88.118/new"
    again = await node.ask("PUT", "/api/handles/88.118/new", {"values": [BARE]}, **AUTH)
    assert (again.status, again.json["responseCode"]) == (200, 1)
    got = (await node.ask("GET", "/api/handles/88.118/new")).json["values"]
    assert [(v["index"], v["data"]) for v in got] == [
        (2, {"format": "string", "value": "bare string"})
    ]


async def test_who_registers_where_this_node_does_not_answer_is_told_so(node):
    """The operator, beforehand: nothing is to be missing when responsibility is taken back."""
    operator = {"Authorization": basic(OPERATOR_LOGIN)}
    far = Server(1, "192.0.2.8", (Interface(TCP, 2641),))
    site = Value(1, "HS_SITE", encode_site(Site((far,), 1, PRIMARY)))
    node.submit(Operation.HOST, "0.NA/77.1", site)
    node.submit(Operation.DELEGATE, "0.NA/77.1", site)
    made = await node.ask("PUT", "/api/handles/77.1/x", {"values": [URL1]}, **operator)
    assert (made.status, made.json["responseCode"]) == (201, 1)
    assert (
        made.json["message"] == "kept out of sight until the prefix is hosted here: it is delegated"
    )
    node.submit(Operation.HOST, "0.NA/77.1")
    for target in ("/api/handles/77.1/x", "/api/handles/0.NA/77.1?index=2"):
        body = {"values": [BARE]}
        told = await node.ask("PUT", target, body, **operator)
        assert (told.status, "message" in told.json) == (200, False), target


@pytest.mark.parametrize(
    "body", [[URL1], {"values": [URL1]}, URL1, {"handle": "88.118/B", "values": [URL1]}]
)
async def test_a_body_is_an_array_an_object_or_one_value(node, body):
    assert (await node.ask("PUT", "/api/handles/88.118/b", body, **AUTH)).status == 201
    assert len((await node.ask("GET", "/api/handles/88.118/b")).json["values"]) == 1


@pytest.mark.parametrize(
    ("overwrite", "status", "code"),
    [
        ("", 200, 1),
        ("?overwrite=true", 200, 1),
        ("?overwrite=false", 409, 101),
        ("?overwrite=yes", 409, 101),
        ("?overwrite", 409, 101),
    ],
)
async def test_only_the_literal_true_overwrites_when_it_is_given(node, overwrite, status, code):
    node.put("88.118/o", url("https://b.cn/"))
    response = await node.ask(
        "PUT", f"/api/handles/88.118/o{overwrite}", {"values": [URL1]}, **AUTH
    )
    assert (response.status, response.json["responseCode"]) == (status, code)


async def test_put_with_index_adds_and_replaces_these_values_only(node):
    node.put("88.118/i", url("https://old.cn/"), Value(5, "EMAIL", b"kept@a.cn"))
    response = await node.ask(
        "PUT",
        "/api/handles/88.118/i?index=1&index=2&overwrite=true",
        {"values": [URL1, BARE]},
        **AUTH,
    )
    assert (response.status, response.json["responseCode"]) == (200, 1)
    values = (await node.ask("GET", "/api/handles/88.118/i")).json["values"]
    assert [(v["index"], v["data"]["value"]) for v in values] == [
        (1, "https://a.cn/"), (2, "bare string"), (5, "kept@a.cn"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "body", "status", "code"),
    [
        ("i?index=1", {"values": [BARE]}, 400, 4),
        ("i?index=1&index=2", {"values": [URL1]}, 400, 4),
        ("i?index=various", {"values": []}, 400, 4),
        ("none?index=1", {"values": [URL1]}, 404, 100),
        ("i?index=1&overwrite=false", {"values": [URL1]}, 409, 201),
        ("i", {"values": [URL1, URL1]}, 409, 201),
        ("i", {"values": [{**URL1, "index": 0}]}, 400, 4),
        ("i", {"handle": "88.118/other", "values": [URL1]}, 400, 4),
        ("i", b'{"values": [', 400, 4),
        ("i", b"", 400, 4),
        ("i", b"[" * 100_000, 413, 4),
        ("i", {"values": "no"}, 400, 4),
    ],
)
async def test_what_cannot_be_put_says_so_and_changes_nothing(node, target, body, status, code):
    node.put("88.118/i", url("https://old.cn/"))
    headers = {**AUTH, "Content_Type": "application/json"}
    response = await node.ask("PUT", f"/api/handles/88.118/{target}", body, **headers)
    assert (response.status, response.json["responseCode"]) == (status, code), response
    assert response.json["message"]
    assert (await node.ask("GET", "/api/handles/88.118/i")).headers["etag"] == '"1"'


async def test_index_various_takes_the_indexes_of_the_body(node):
    node.put("88.118/v", url("https://old.cn/"))
    response = await node.ask(
        "PUT", "/api/handles/88.118/v?index=various", {"values": [BARE]}, **AUTH
    )
    assert response.status == 200
    assert len((await node.ask("GET", "/api/handles/88.118/v")).json["values"]) == 2


async def test_an_error_in_the_body_names_its_place(node):
    body = {"values": [URL1, {**BARE, "data": {"format": "base64", "value": "§"}}]}
    response = await node.ask("PUT", "/api/handles/88.118/f", body, **AUTH)
    assert response.status == 400
    assert response.json["field"] == "values[1].data.value"


@pytest.mark.parametrize(
    ("method", "target", "headers", "field"),
    [
        ("PUT", "/api/handles/88.118/f?overwrite=false", {}, "handle"),
        ("DELETE", "/api/handles/88.118/f?index=77", {}, "index"),
        ("PUT", "/api/handles/88.118/f", {"Idempotency_Key": "used"}, "Idempotency-Key"),
    ],
)
async def test_a_refusal_names_the_place_as_the_request_spells_it(
    node, method, target, headers, field
):
    await node.ask(
        "PUT", "/api/handles/88.118/f", {"values": [BARE]}, Idempotency_Key="used", **AUTH
    )
    body = {"values": [URL1]} if method == "PUT" else None
    response = await node.ask(method, target, body, **headers, **AUTH)
    assert response.json["field"] == field, response.json


async def test_a_change_that_comes_too_late_is_told_the_present_version(node):
    node.put("88.118/late", url("https://a.cn/"))
    late = await node.ask(
        "PUT", "/api/handles/88.118/late", {"values": [BARE]}, If_Match='"7"', **AUTH
    )
    assert late.status == 412
    assert "is at version 1" in late.json["message"]
    absent = await node.ask("DELETE", "/api/handles/88.118/absent", If_Match='"7"', **AUTH)
    assert absent.status == 412
    assert "there is no such record" in absent.json["message"]


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
async def test_only_json_is_read(node, content_type):
    response = await node.ask(
        "PUT", "/api/handles/88.118/c", b"[]", Content_Type=content_type, **AUTH
    )
    assert (response.status, response.json["responseCode"]) == (400, 4)


async def test_a_compressed_or_oversize_body_is_refused(node):
    compressed = await node.ask(
        "PUT",
        "/api/handles/88.118/z",
        b"\x1f\x8b",
        Content_Type="application/json",
        Content_Encoding="gzip",
        **AUTH,
    )
    assert compressed.status == 415
    large = await node.ask(
        "PUT", "/api/handles/88.118/z", b" " * 2_000_001, Content_Type="application/json", **AUTH
    )
    assert large.status == 413


async def test_delete_removes_values_then_the_record(node):
    node.put("88.118/d", url("https://a.cn/"), Value(2, "DESC", b"x"), Value(3, "DESC", b"y"))
    assert (await node.ask("DELETE", "/api/handles/88.118/d?index=2&index=3", **AUTH)).json[
        "responseCode"
    ] == 1
    missing = await node.ask("DELETE", "/api/handles/88.118/d?index=2", **AUTH)
    assert (missing.status, missing.json["responseCode"]) == (400, 200)
    assert (await node.ask("DELETE", "/api/handles/88.118/d", **AUTH)).status == 200
    gone = await node.ask("DELETE", "/api/handles/88.118/d", **AUTH)
    assert (gone.status, gone.json["responseCode"]) == (404, 100)


async def test_rights_decide_who_may_write(node):
    anonymous = await node.ask("PUT", "/api/handles/88.118/r", {"values": [URL1]})
    assert (anonymous.status, anonymous.json["responseCode"]) == (401, 402)
    for login in (READER, OUTSIDER):
        response = await node.ask(
            "PUT", "/api/handles/88.118/r", {"values": [URL1]}, Authorization=basic(login)
        )
        code = 401 if login == READER else 400
        assert (response.status, response.json["responseCode"]) == (403, code)
    assert (await node.ask("GET", "/api/handles/88.118/r")).status == 404


async def test_a_change_for_another_version_is_refused(node):
    node.put("88.118/m", url("https://1.cn/"))
    for header, status in (
        ({"If_Match": '"2"'}, 412),
        ({"If_None_Match": "*"}, 412),
        ({"If_None_Match": '"1"'}, 412),
        ({"If_Match": '"9", "1"'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": '"1"'}, 412),
    ):
        body = {"values": [{**URL1, "data": str(header)}]}
        response = await node.ask("PUT", "/api/handles/88.118/m", body, **header, **AUTH)
        assert response.status == status, (header, response)
    assert (
        await node.ask("PUT", "/api/handles/88.118/none", [URL1], If_Match="*", **AUTH)
    ).status == 412
    assert (
        await node.ask("PUT", "/api/handles/88.118/none", [URL1], If_None_Match="*", **AUTH)
    ).status == 201
    assert (
        await node.ask("DELETE", "/api/handles/88.118/none", If_Match='"5"', **AUTH)
    ).status == 412


async def test_of_many_writers_of_one_version_exactly_one_wins(node):
    node.put("88.118/race", url("https://0.cn/"))
    node.writer.gate.clear()  # all of them look at version 1 before anyone's change is decided
    racing = [
        asyncio.create_task(
            node.ask(
                "PUT",
                "/api/handles/88.118/race",
                [{**URL1, "data": f"https://{n}.cn/"}],
                If_Match='"1"',
                **AUTH,
            )
        )
        for n in range(1, 9)
    ]
    while node.listener.exchange.router.requests_count < 8:
        await asyncio.sleep(0)
    node.writer.gate.set()
    statuses = sorted([response.status for response in await asyncio.gather(*racing)])
    assert statuses == [200] + [412] * 7
    assert (await node.ask("GET", "/api/handles/88.118/race")).headers["etag"] == '"2"'


async def test_a_repeated_request_key_changes_nothing_twice(node):
    key = {"Idempotency_Key": "order-1"}
    first = await node.ask("PUT", "/api/handles/88.118/k?overwrite=false", [URL1], **key, **AUTH)
    again = await node.ask("PUT", "/api/handles/88.118/k?overwrite=false", [URL1], **key, **AUTH)
    assert (first.status, first.body, first.headers["etag"]) == (
        again.status,
        again.body,
        again.headers["etag"],
    )
    other = await node.ask("PUT", "/api/handles/88.118/k2", [URL1], **key, **AUTH)
    assert other.status == 422
    assert (
        await node.ask("PUT", "/api/handles/88.118/k", [URL1], Idempotency_Key="x" * 201, **AUTH)
    ).status == 400


@pytest.mark.parametrize(
    "suffix",
    [
        "a%b",
        "a//b",
        "../../etc",
        ".",
        "q?x=1&y",
        "#f",
        "标识 一",
        "a+b",
        "%2F",
        "\u202e",
        "'\"<>",
    ],
)
async def test_a_suffix_of_any_characters_makes_the_round_trip(node, suffix):
    handle = f"88.118/{suffix}"
    escaped = "".join(f"%{byte:02X}" for byte in handle.encode())
    made = await node.ask("PUT", f"/api/handles/{escaped}", {"values": [URL1]}, **AUTH)
    assert (made.status, made.json["handle"]) == (201, handle), made
    assert (await node.ask("GET", made.headers["location"])).json["handle"] == handle
    assert (await node.ask("DELETE", f"/api/handles/{escaped}", **AUTH)).status == 200
