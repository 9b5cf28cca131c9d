"""What PYHANDLE sends, byte for byte as it was seen on the wire, and the answers without which it stumbles.

The requests are those of its ``RESTHandleClient``: ``requests`` as the HTTP library, JSON with bare strings for
``data``, indexes as repeated parameters, no ``overwrite`` where a record is replaced. (That its own code runs against
a node is tested where it is installed; this holds the shapes when it is not.)
"""

import json

import pytest

from tests.node.http.conftest import ADMIN, Node, Response, basic, read_response, url

AGENT = (
    "Host: localhost:8000\r\nUser-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\n"
    "Accept: */*\r\nConnection: close\r\nContent-Type: application/json\r\n"
)
HANDLE = "88.118/11111111-aaaa"
VALUES = [
    {"index": 1, "type": "URL", "data": "http://www.example.org/1"},
    {"index": 2, "type": "CHECKSUM", "data": "123456"},
    {
        "index": 100,
        "type": "HS_ADMIN",
        "data": {
            "value": {"index": "300", "handle": "0.NA/88.118", "permissions": "011111110011"},
            "format": "admin",
        },
    },
]


async def send(
    node: Node, method: str, target: str, body: object = None, login: str = ""
) -> Response:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {target} HTTP/1.1\r\n{AGENT}"
    if login:
        head += f"Authorization: {login}\r\n"
    if body is not None or method == "DELETE":
        head += f"Content-Length: {len(data)}\r\n"
    return read_response(await node.raw(head.encode() + b"\r\n" + data))


LOGIN = basic(ADMIN)


@pytest.fixture
async def registered(node: Node) -> Node:
    response = await send(node, "PUT", f"/api/handles/{HANDLE}", {"values": VALUES}, LOGIN)
    assert response.status == 201
    return node


async def test_the_user_is_looked_up_when_a_client_is_made(node):
    found = await send(node, "GET", "/api/handles/0.NA/88.118")
    assert found.status == 200
    assert found.json["handle"] == "0.NA/88.118"
    assert found.json["responseCode"] == 1
    missing = await send(node, "GET", "/api/handles/88.118/NOBODY")
    assert (missing.status, missing.json["responseCode"]) == (404, 100)
    assert missing.json["handle"] == "88.118/NOBODY"


async def test_the_spelling_comes_back_as_it_was_asked(registered):
    asked = HANDLE.upper()
    assert (await send(registered, "GET", f"/api/handles/{asked}")).json["handle"] == asked
    encoded = await send(registered, "GET", "/api/handles/88.118%2F11111111-aaaa?auth=true")
    assert encoded.json["handle"] == HANDLE


async def test_a_record_is_created_and_replaced_without_a_word_about_overwriting(registered):
    replaced = await send(
        registered, "PUT", f"/api/handles/{HANDLE}", {"values": [VALUES[0], VALUES[2]]}, LOGIN
    )
    assert (replaced.status, replaced.json) == (200, {"responseCode": 1, "handle": HANDLE})
    shown = (await send(registered, "GET", f"/api/handles/{HANDLE}")).json["values"]
    assert [value["index"] for value in shown] == [1, 100]


async def test_a_record_that_exists_is_a_conflict_with_overwrite_false(registered):
    target = f"/api/handles/{HANDLE}?overwrite=false"
    again = await send(registered, "PUT", target, {"values": VALUES}, LOGIN)
    assert (again.status, again.json["responseCode"]) == (409, 101)
    target = "/api/handles/88.118/other?overwrite=false"
    fresh = await send(registered, "PUT", target, {"values": VALUES}, LOGIN)
    assert (fresh.status, fresh.json) == (201, {"responseCode": 1, "handle": "88.118/other"})


async def test_values_are_changed_by_index_with_bare_strings_for_data(registered):
    values = [
        {"index": 4, "type": "EXTRA", "data": "new", "ttl": 86400},
        {"index": 2222, "type": "MORE", "data": "new too", "ttl": 86400},
        {"index": 2, "type": "CHECKSUM", "data": "654321", "ttl": 86400},
    ]
    target = f"/api/handles/{HANDLE}?index=4&index=2222&index=2&overwrite=true"
    changed = await send(registered, "PUT", target, {"values": values}, LOGIN)
    assert (changed.status, changed.json["responseCode"]) == (200, 1)
    shown = (await send(registered, "GET", f"/api/handles/{HANDLE}?auth=true")).json["values"]
    assert [value["index"] for value in shown] == [1, 2, 4, 100, 2222]
    by_index = {value["index"]: value for value in shown}
    assert by_index[2]["data"] == {"format": "string", "value": "654321"}
    assert by_index[4]["data"] == {"format": "string", "value": "new"}
    for value in shown:
        assert value.pop("timestamp").endswith("Z"), "the client takes it out without asking"
        assert value["ttl"] == 86400
    admin = by_index[100]["data"]
    assert admin["format"] == "admin"
    assert admin["value"]["permissions"] == "011111110011"
    assert int(admin["value"]["index"]) == 300


async def test_the_set_of_indexes_is_that_of_the_body(registered):
    body = {"values": [{"index": 2, "type": "CHECKSUM", "data": "x"}]}
    for indexes in ("index=2&index=3", "index=3"):
        response = await send(registered, "PUT", f"/api/handles/{HANDLE}?{indexes}", body, LOGIN)
        assert (response.status, response.json["responseCode"]) == (400, 4)
    various = await send(registered, "PUT", f"/api/handles/{HANDLE}?index=various", body, LOGIN)
    assert various.status == 200
    absent = await send(registered, "PUT", "/api/handles/88.118/none?index=2", body, LOGIN)
    assert (absent.status, absent.json["responseCode"]) == (404, 100)


async def test_values_and_records_are_deleted(registered):
    removed = await send(
        registered, "DELETE", f"/api/handles/{HANDLE}?index=1&index=2", None, LOGIN
    )
    assert (removed.status, removed.json["responseCode"]) == (200, 1)
    missing = await send(registered, "DELETE", f"/api/handles/{HANDLE}?index=111", None, LOGIN)
    assert (missing.status, missing.json["responseCode"]) == (400, 200)
    deleted = await send(registered, "DELETE", f"/api/handles/{HANDLE}", None, LOGIN)
    assert (deleted.status, deleted.json["responseCode"]) == (200, 1)
    gone = await send(registered, "DELETE", f"/api/handles/{HANDLE}", None, LOGIN)
    assert (gone.status, gone.json["responseCode"]) == (404, 100)


@pytest.mark.parametrize(
    "login", [(300, "0.NA/88.118", "wrong"), (300, "88.118/nobody", "x"), (7, "0.NA/88.118", "x")]
)
async def test_a_wrong_user_or_password_is_401(registered, login):
    response = await send(
        registered, "PUT", f"/api/handles/{HANDLE}", {"values": VALUES}, basic(login)
    )
    assert (response.status, response.json["responseCode"]) == (401, 402)


async def test_a_search_pointed_at_the_wrong_place_is_told_so(node):
    lost = await send(node, "GET", "/bogus/hrls/handles?URL=*")
    assert lost.status == 404
    rest = await send(node, "GET", "/api/handles?URL=*", None, LOGIN)
    assert (rest.status, rest.json["responseCode"]) == (400, 102)


@pytest.mark.parametrize(
    "path", ["/api/handle/88.118/1", "/api/nothing", "/api", "/api/handles2/x"]
)
async def test_a_bogus_path_of_the_api_is_a_404_with_json(node, path):
    response = await send(node, "GET", path)
    assert response.status == 404
    assert response.json["responseCode"] == 4


async def test_a_delete_with_a_json_body_is_survived(registered):
    body = {"values": [{"index": 1}]}
    removed = await send(registered, "DELETE", f"/api/handles/{HANDLE}?index=1", body, LOGIN)
    assert removed.status == 200
    shown = (await send(registered, "GET", f"/api/handles/{HANDLE}")).json["values"]
    assert [value["index"] for value in shown] == [2, 100], "the body does not choose"


async def test_a_get_with_a_body_is_survived_and_the_next_request_is_its_own(registered):
    """On one connection: the body must not be taken for the next request."""
    body = b'{"index":1}'
    first = f"GET /api/handles/{HANDLE} HTTP/1.1\r\nHost: n\r\nContent-Length: {len(body)}\r\n\r\n"
    second = "GET /api/handles/88.118/none HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n"
    said = await registered.raw(first.encode() + body + second.encode())
    assert [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404"]


async def test_an_unknown_method_is_501_and_a_wrong_one_405(node):
    for method in ("BREW", "PROPFIND", "get"):
        unknown = await node.ask(method, "/api/handles/88.118/1")
        assert (unknown.status, unknown.json["responseCode"]) == (501, 5), method
    wrong = await node.ask("PUT", "/api/handles?prefix=88.118")
    assert wrong.status == 405
    assert wrong.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_the_content_type_of_a_put_is_json(registered):
    head = f"PUT /api/handles/{HANDLE} HTTP/1.1\r\nHost: n\r\nConnection: close\r\nAuthorization: {LOGIN}\r\n"
    body = json.dumps({"values": VALUES}).encode()
    head += f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    said = await registered.raw(head.encode() + body)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b'"responseCode":4' in said


async def test_a_foreign_identifier_can_not_be_written_here(node):
    node.put("88.118/1", url("https://a.cn/"))
    response = await send(node, "PUT", "/api/handles/99.1/x", {"values": VALUES}, LOGIN)
    assert (response.status, response.json["responseCode"]) == (400, 301)
