"""GET, HEAD and POST of records, over real sockets."""

import pytest

from protocols.message import Operation
from protocols.values.value import SECRET_PERMISSIONS, Value
from tests.node.http.conftest import ADMIN, OUTSIDER, SECRET, basic, url


async def test_a_record_is_answered_with_the_spelling_that_was_asked(node):
    node.put("88.118/Sn-1", url("https://example.com/1"))
    response = await node.ask("GET", "/api/handles/88.118/sN-1")
    assert response.status == 200
    assert response.json["handle"] == "88.118/sN-1"
    assert response.json["responseCode"] == 1
    assert response.json["values"] == [
        {
            "index": 1,
            "type": "URL",
            "data": {"format": "string", "value": "https://example.com/1"},
            "ttl": 86400,
            "timestamp": "2023-11-14T22:13:20Z",
        }
    ]


async def test_every_value_carries_a_timestamp_because_pyhandle_takes_it_out_unasked(node):
    node.put("88.118/t", url("https://example.com/"), Value(2, "DESC", b"x"))
    values = (await node.ask("GET", "/api/handles/88.118/t")).json["values"]
    assert all(value.pop("timestamp") for value in values)


async def test_selected_and_whole_answers_render_a_value_alike(node):
    node.put("88.118/t", url("https://例子.cn/"), Value(2, "DESC", b"\xff\x00", ttl=60))
    whole = (await node.ask("GET", "/api/handles/88.118/t")).body
    selected = (await node.ask("GET", "/api/handles/88.118/t?index=1&index=2")).body
    assert whole == selected


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ("index=2", [2]),
        ("index=2&index=7", [2, 7]),
        ("type=url", [1]),
        ("type=url.", [1, 7]),
        ("type=DESC&index=1", [1, 2]),
        ("index=various", [1, 2, 7]),
        ("type=EMAIL", []),
        ("unknown=1", [1, 2, 7]),
    ],
)
async def test_values_are_selected_by_index_or_type(node, query, indexes):
    node.put("88.118/s", url("https://a.cn/"), Value(2, "DESC", b"d"), Value(7, "URL.SHOP", b"s"))
    response = await node.ask("GET", f"/api/handles/88.118/s?{query}")
    assert response.status == 200
    assert [value["index"] for value in response.json["values"]] == indexes
    assert response.json["responseCode"] == (1 if indexes else 200)


@pytest.mark.parametrize("index", ["0", "-1", "x", "2147483648", "1e3", "", "٣", "9" * 5000])
async def test_an_index_that_is_none_is_refused_by_name(node, index):
    node.put("88.118/s", url("https://a.cn/"))
    response = await node.ask(
        "GET",
        "/api/handles/88.118/s?index=" + index.encode().hex("%")
        if index == "٣"
        else f"/api/handles/88.118/s?index={index}",
    )
    assert response.status == 400
    assert response.json["responseCode"] == 4


async def test_head_is_get_without_the_body(node):
    node.put("88.118/h", url("https://a.cn/"))
    for target in (
        "/api/handles/88.118/h",
        "/api/handles/88.118/none",
        "/88.118/h",
        "/88.118/h?noredirect",
        "/",
        "/api/site",
        "/api/openapi.json",
        "/api/nothing",
        "/api/handles/88.118/h?index=1",
    ):
        got, headed = await node.ask("GET", target), await node.ask("HEAD", target)
        for response in (got, headed):
            response.headers.pop("date")
            response.headers.pop("expires", "")  # as many seconds behind the date
        assert (headed.status, headed.headers) == (got.status, got.headers), target
        assert headed.body == headed.rest == b"", target


async def test_post_reads_its_parameters_from_the_body(node):
    node.put("88.118/p", url("https://a.cn/"), Value(2, "DESC", b"d"))
    response = await node.ask(
        "POST",
        "/api/handles/88.118/p",
        b"index=2",
        Content_Type="application/x-www-form-urlencoded",
    )
    assert [value["index"] for value in response.json["values"]] == [2]
    assert (await node.ask("POST", "/api/handles/88.118/p")).json["responseCode"] == 1
    plain = await node.ask("POST", "/api/handles/88.118/p", b"index=2", Content_Type="text/plain")
    assert plain.status == 400


async def test_an_unchanged_version_is_not_sent_again(node):
    node.put("88.118/e", url("https://a.cn/"))
    first = await node.ask("GET", "/api/handles/88.118/e")
    assert first.headers["etag"] == '"1"'
    assert first.headers["cache-control"] == "max-age=86400"
    for tags in ('"1"', 'W/"1"', '"7", "1"', "*"):
        again = await node.ask("GET", "/api/handles/88.118/e", If_None_Match=tags)
        assert (again.status, again.rest) == (304, b"")
    node.put("88.118/e", url("https://b.cn/"))
    assert (await node.ask("GET", "/api/handles/88.118/e", If_None_Match='"1"')).status == 200


async def test_a_deleted_record_is_not_found_and_its_version_goes_on_when_it_returns(node):
    node.put("88.118/d", url("https://a.cn/"))
    node.submit(Operation.DELETE, "88.118/d")
    gone = await node.ask("GET", "/api/handles/88.118/d")
    assert (gone.status, gone.json["responseCode"]) == (404, 100)
    node.put("88.118/d", url("https://a.cn/"))
    assert (await node.ask("GET", "/api/handles/88.118/d", If_None_Match='"1"')).headers[
        "etag"
    ] == '"3"'


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/api/handles/88.118/none", 404, 100),
        ("/api/handles/77.7/x", 400, 301),
        ("/api/handles/", 400, 102),
        ("/api/handles//x", 400, 102),
        ("/api/handles/88.118/", 400, 102),
        ("/api/handles/88.118/%ff", 400, 102),
        ("/api/handles/88.118/%zz", 400, 102),
        ("/api/handles/88.118/" + "x" * 2042, 400, 102),
        ("/api/handles?URL=*", 400, 102),
        ("/api/handles", 400, 102),
        ("/hrls/handles?URL=*", 401, 402),
        ("/hrls/bogus", 404, 4),
        ("/api/bogus", 404, 4),
        ("/api/", 404, 4),
        ("/api", 404, 4),
        ("/bogus/hrls/handles?URL=*", 404, 301),
        ("/api/handles/88.118/x?type=%ff", 400, 4),
        ("/api/handles/88.118/x?type=%", 400, 4),
    ],
)
async def test_what_cannot_be_answered_gets_its_status_and_code_as_json(node, target, status, code):
    response = await node.ask("GET", target)
    assert (response.status, response.json["responseCode"]) == (status, code)
    assert response.json["message"]
    assert response.headers["content-type"].startswith("application/json")


async def test_the_longest_identifier_is_answered_in_every_encoding(node):
    handle = "88.118/" + "é" * ((2048 - 7) // 2) + "x"
    assert len(handle.encode()) == 2048
    node.put(handle, url("https://a.cn/"))
    escaped = "".join(f"%{byte:02x}" for byte in handle.encode())
    assert (await node.ask("GET", f"/api/handles/{escaped}")).json["handle"] == handle


async def test_a_prefix_names_its_own_record_with_and_without_the_slash(node):
    whole = await node.ask("GET", "/api/handles/0.NA/88.118")
    bare = await node.ask("GET", "/api/handles/88.118")
    assert whole.json["values"] == bare.json["values"]
    assert {value["type"] for value in bare.json["values"]} == {"HS_ADMIN"}


async def test_non_public_values_need_the_right_to_read_them(node):
    node.put(
        "88.118/secret",
        url("https://a.cn/"),
        Value(9, "NOTE", SECRET, permissions=SECRET_PERMISSIONS),
    )
    target = "/api/handles/88.118/secret"
    assert SECRET not in (await node.ask("GET", target)).body
    asked = await node.ask("GET", target + "?publicOnly=false")
    assert (asked.status, asked.json["responseCode"]) == (401, 402)
    assert asked.headers["www-authenticate"].startswith('Basic realm="handle"')
    refused = await node.ask("GET", target, Authorization=basic(OUTSIDER))
    assert refused.status == 403
    assert SECRET not in refused.body
    allowed = await node.ask("GET", target, Authorization=basic(ADMIN))
    assert allowed.status == 200
    assert SECRET in allowed.body
    assert "no-cache" in allowed.headers["cache-control"]
    public = await node.ask("GET", target + "?publicOnly=true", Authorization=basic(ADMIN))
    assert SECRET not in public.body


async def test_a_record_with_secrets_only_is_there_but_shows_nothing(node):
    node.put("88.118/only", Value(9, "NOTE", SECRET, permissions=SECRET_PERMISSIONS))
    response = await node.ask("GET", "/api/handles/88.118/only")
    assert (response.status, response.json["responseCode"], response.json["values"]) == (
        200,
        200,
        [],
    )


async def test_the_authoritative_flag_is_accepted_and_not_cached(node):
    node.put("88.118/a", url("https://a.cn/"))
    for query in ("auth=true", "auth", "auth=yes"):
        response = await node.ask("GET", f"/api/handles/88.118/a?{query}")
        assert (response.status, response.headers["cache-control"]) == (200, "private, no-cache")


async def test_pretty_indents_the_same_document(node):
    node.put("88.118/a", url("https://a.cn/"))
    plain = await node.ask("GET", "/api/handles/88.118/a")
    pretty = await node.ask("GET", "/api/handles/88.118/a?pretty")
    assert pretty.json == plain.json
    assert pretty.body.count(b"\n") > 10


async def test_web_pages_may_read_but_not_with_credentials(node):
    node.put("88.118/a", url("https://a.cn/"))
    response = await node.ask("GET", "/api/handles/88.118/a", Origin="https://evil.example")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    preflight = await node.ask("OPTIONS", "/api/handles/88.118/a", Origin="https://evil.example")
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD"


async def test_jsonp_is_not_spoken(node):
    node.put("88.118/a", url("https://a.cn/"))
    response = await node.ask("GET", "/api/handles/88.118/a?callback=alert")
    assert response.headers["content-type"].startswith("application/json")
    assert not response.body.startswith(b"alert")


async def test_parameters_may_come_as_a_json_object(node):
    node.put("88.118/1", url("https://a.cn/"), url("https://b.cn/", 2), url("https://c.cn/", 3))
    body = {"index": [1, 3], "type": "DESC", "auth": True, "pretty": "true"}
    response = await node.ask("POST", "/api/handles/88.118/1", body)
    assert [value["index"] for value in response.json["values"]] == [1, 3]
    assert b"\n  " in response.body
    for bad in ([], {"index": {}}, {"index": [None]}, {"index": 1.5}):
        assert (await node.ask("POST", "/api/handles/88.118/1", bad)).status == 400
