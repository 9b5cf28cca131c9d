"""``/api/prefixes``: hosting, giving up, listing; who may is who may by any other way."""

import pytest

from protocols.message import Operation, Outcome
from tests.node.http.conftest import ADMIN, OPERATOR_LOGIN, OUTSIDER, READER, basic, url

OPERATOR = {"Authorization": basic(OPERATOR_LOGIN)}
PREFIXES = "/api/prefixes"


async def test_a_prefix_is_hosted_listed_and_given_up(node):
    made = await node.ask("POST", PREFIXES, {"prefix": "88.119"}, **OPERATOR)
    assert made.status == 200, made
    assert made.json == {"responseCode": 1, "handle": "0.NA/88.119"}
    node.put("88.119/1", url("https://a.cn/"))
    listed = await node.ask("GET", PREFIXES, **OPERATOR)
    assert listed.json["handles"] == ["0.NA/88.118", "0.NA/88.119"]
    assert listed.json["totalCount"] == "2"
    gone = await node.ask("DELETE", f"{PREFIXES}?prefix=0.NA/88.119", **OPERATOR)
    assert gone.status == 200
    assert (await node.ask("GET", PREFIXES, **OPERATOR)).json["handles"] == ["0.NA/88.118"]
    assert (await node.ask("GET", "/api/handles/88.119/1")).json["responseCode"] == 301
    assert (await node.ask("POST", f"{PREFIXES}?prefix=88.119", **OPERATOR)).status == 200
    assert (await node.ask("GET", "/api/handles/88.119/1")).status == 200, "it was kept unseen"


async def test_a_record_made_before_its_prefix_was_hosted_is_kept(node):
    """As clients do it: the prefix's record first, then the request to be its home."""
    body = {"index": 1, "type": "DESC", "data": "factory"}
    made = await node.ask("PUT", "/api/handles/0.NA/88.118.1", body, **OPERATOR)
    assert made.status == 201, made
    assert (await node.ask("POST", f"{PREFIXES}?prefix=88.118.1", **OPERATOR)).status == 200
    shown = await node.ask("GET", "/api/handles/0.NA/88.118.1?type=DESC")
    assert shown.json["values"][0]["data"]["value"] == "factory"


async def test_the_prefix_may_be_in_the_path(node):
    for name in ("77.1", "0.NA/77.2", "0.NA%2F77.3"):
        assert (await node.ask("POST", f"{PREFIXES}/{name}", **OPERATOR)).status == 200
    assert (await node.ask("DELETE", f"{PREFIXES}/77.2", **OPERATOR)).status == 200
    for listing in (PREFIXES, PREFIXES + "/"):
        listed = await node.ask("GET", listing, **OPERATOR)
        assert listed.json["handles"] == ["0.NA/77.1", "0.NA/77.3", "0.NA/88.118"]
    assert (await node.ask("GET", f"{PREFIXES}/77.1", **OPERATOR)).status == 405
    for bad in ("%FF", "a%2Fb", "0.NA/"):
        assert (await node.ask("POST", f"{PREFIXES}/{bad}", **OPERATOR)).status == 400


async def test_a_page_of_prefixes_at_a_time(node):
    for number in range(5):
        node.submit(Operation.HOST, f"0.NA/77.{number}")
    page = await node.ask("GET", f"{PREFIXES}?page=1&pageSize=2", **OPERATOR)
    assert page.json["handles"] == ["0.NA/77.2", "0.NA/77.3"]
    assert (page.json["totalCount"], page.json["page"], page.json["pageSize"]) == ("6", 1, 2)
    everything = await node.ask("GET", f"{PREFIXES}?page=-1&pageSize=-1", **OPERATOR)
    assert len(everything.json["handles"]) == 6


@pytest.mark.parametrize(("login", "seen"), [(ADMIN, 1), (READER, 1), (OUTSIDER, 0)])
async def test_who_lists_sees_the_prefixes_he_may_list_below(node, login, seen):
    node.submit(Operation.HOST, "0.NA/77.1")
    listed = await node.ask("GET", PREFIXES, Authorization=basic(login))
    assert listed.status == 200
    assert listed.json["handles"] == ["0.NA/88.118"] * seen


async def test_delegated_and_given_up_prefixes_are_not_hosted(node):
    node.submit(Operation.HOST, "0.NA/77.1")
    given = node.submit(Operation.UNHOST, "0.NA/77.1")
    assert given.outcome is Outcome.SUCCESS
    assert (await node.ask("GET", PREFIXES, **OPERATOR)).json["handles"] == ["0.NA/88.118"]


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", PREFIXES, b"", 400), ("POST", PREFIXES + "?prefix=", b"", 400),
        ("POST", PREFIXES, {"prefix": 7}, 400), ("POST", PREFIXES, [], 400), ("POST", PREFIXES, {}, 400),
        ("DELETE", PREFIXES, b"", 400), ("DELETE", PREFIXES + "?prefix=a/b", b"", 400),
        ("DELETE", PREFIXES + "?prefix=99.9", b"", 404), ("PUT", PREFIXES, b"", 405),
    ],
)  # fmt: skip
async def test_what_names_no_prefix_is_refused(node, method, target, body, status):
    response = await node.ask(method, target, body, **OPERATOR)
    assert response.status == status, response


async def test_a_delete_with_a_body_is_a_delete(node):
    node.submit(Operation.HOST, "0.NA/77.1")
    assert (await node.ask("DELETE", PREFIXES, {"prefix": "77.1"}, **OPERATOR)).status == 200
