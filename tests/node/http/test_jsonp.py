"""JSONP: off until somebody wants it, and then for what anybody may read, with a name that is a name."""

import json
from dataclasses import replace

import pytest

from tests.node.http.conftest import ADMIN, basic, make_config, running, url

RECORD = "/api/handles/88.118/1"


@pytest.fixture
async def open_node():
    config = make_config()
    async with running(replace(config, http=replace(config.http, jsonp=True))) as node:
        node.put("88.118/1", url("https://a.cn/\u2028x"))
        yield node


async def test_it_is_off_by_default(node):
    node.put("88.118/1", url("https://a.cn/"))
    response = await node.ask("GET", f"{RECORD}?callback=f")
    assert response.headers["content-type"].startswith("application/json")
    assert response.json["responseCode"] == 1


async def test_an_answer_becomes_a_call(open_node):
    response = await open_node.ask("GET", f"{RECORD}?callback=page.f1")
    assert response.headers["content-type"] == "application/javascript;charset=UTF-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    text = response.body.decode()
    assert text.startswith("/**/page.f1(")
    assert text.endswith(");")
    assert "\u2028" not in text
    assert json.loads(text[len("/**/page.f1(") : -2])["handle"] == "88.118/1"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("alert(1)//", b"/**/alert1("), ("%3Cscript%3E", b"/**/script("), ("a%0Ab", b"/**/ab("),
        ("x" * 500, b"/**/" + b"x" * 128 + b"("),
    ],
)  # fmt: skip
async def test_of_a_name_only_a_name_is_left(open_node, name, shown):
    response = await open_node.ask("GET", f"{RECORD}?callback={name}")
    assert response.body.startswith(shown)


@pytest.mark.parametrize("name", ["", "%28%29", "+++"])
async def test_a_name_of_which_nothing_is_left_asks_for_nothing(open_node, name):
    response = await open_node.ask("GET", f"{RECORD}?callback={name}")
    assert response.json["responseCode"] == 1


async def test_who_logs_in_gets_json(open_node):
    response = await open_node.ask("GET", f"{RECORD}?callback=f", Authorization=basic(ADMIN))
    assert response.json["responseCode"] == 1


async def test_only_reading_has_a_callback(open_node):
    body = {"index": 1, "type": "URL", "data": "https://b.cn/"}
    response = await open_node.ask("PUT", f"{RECORD}?callback=f", body, Authorization=basic(ADMIN))
    assert response.json["responseCode"] == 1
