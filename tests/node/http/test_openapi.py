"""The OpenAPI document and the code say the same: routes, parameters, statuses, schemas, in both directions."""

import ast
import json
from pathlib import Path

import node.http
from node.http.openapi import HEADERS, PARAMETERS, STATUS_TEXTS, openapi_document, path_text
from node.http.openapi_schemas import SCHEMAS
from node.http.route import EVERYWHERE
from node.http.routes import ROUTES
from protocols.message import Operation
from protocols.rest.codes import CODES
from protocols.values.value import SECRET_PERMISSIONS, Value
from tests.node.http.conftest import (
    ADMIN,
    OPERATOR_LOGIN,
    READER,
    SECRET,
    basic,
    make_config,
    running,
    url,
)

DOCUMENT = openapi_document(ROUTES)
OPERATIONS = [(route, method, op) for route in ROUTES for method, op in route.operations.items()]
SOURCES = [
    path for path in Path(node.http.__path__[0]).glob("*.py") if not path.name.startswith("openapi")
]


def _read_names(attributes: set[str]) -> set[str]:
    """String literals that the code passes to these methods: the names it really reads."""
    names = set()
    for path in SOURCES:
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and call.args:
                called = (
                    call.func.attr
                    if isinstance(call.func, ast.Attribute)
                    else getattr(call.func, "id", "")
                )
                if called in attributes:
                    names |= {
                        arg.value
                        for arg in call.args
                        if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                    }
    return names


def test_every_route_and_method_is_documented_and_nothing_else():
    documented = {
        (path, method.upper())
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert documented == {(path_text(route), method) for route, method, _ in OPERATIONS}


def test_every_parameter_the_code_reads_is_documented_and_every_documented_one_is_read():
    read = _read_names({"all", "first", "flag", "read_number", "read_page"})
    read.add("TYPE")  # of reverse look-up: stands for any name
    listed = {name for _, _, op in OPERATIONS for name in op.parameters}
    assert read == listed == set(PARAMETERS)


def test_every_header_the_routes_name_is_described_and_read():
    named = {name for _, _, op in OPERATIONS for name in op.headers}
    assert named - {"Authorization"} == set(HEADERS)
    read = _read_names({"get"})
    assert named <= read | {"Authorization"}


def test_every_status_of_an_outcome_is_described():
    statuses = {code.read_status for code in CODES.values()} | {
        code.write_status for code in CODES.values()
    }
    never_here = {300, 501}  # referrals and unsupported operations come with forwarding
    assert statuses - never_here <= set(STATUS_TEXTS)


def test_schemas_are_all_used_and_all_there():
    text = json.dumps(DOCUMENT)
    used = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(SCHEMAS)


def test_the_document_is_whole():
    assert DOCUMENT["openapi"].startswith("3.1")
    identifiers = [
        op["operationId"]
        for item in DOCUMENT["paths"].values()
        for m, op in item.items()
        if m != "parameters"
    ]
    assert len(identifiers) == len(set(identifiers))
    for item in DOCUMENT["paths"].values():
        for method, op in item.items():
            if method != "parameters":
                assert op["summary"]
                assert {str(status) for status in EVERYWHERE} <= op["responses"].keys()


async def test_the_node_serves_the_document(node):
    assert (await node.ask("GET", "/api/openapi.json")).json == json.loads(json.dumps(DOCUMENT))


LOGIN = {"Authorization": basic(ADMIN)}
OPERATOR = {"Authorization": basic(OPERATOR_LOGIN)}
BODY = {"values": [{"index": 1, "type": "URL", "data": "https://a.cn/"}]}
OTHER = {"values": [{"index": 1, "type": "URL", "data": "https://b.cn/"}]}
ROWS = {"Content_Type": "application/x-ndjson", **LOGIN}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
BIG = {"Content_Type": "application/json", "body": b" " * 2_000_001}
RECORD = "/api/handles/88.118/1"
PROOF = "nonce=AAAA&cnonce=AAAA&alg=HMAC-SHA256&signature=AAAA"
WRONG = (300, "0.NA/88.118", "wrong")
OF_READER = {"Authorization": basic(READER)}

PROVOKE: tuple[tuple[str, str, int, dict], ...] = (
    ("GET", "/88.118/alias", 301, {}),
    *(("GET", f"/88.118/loc?locatt=id:{n}", n, {}) for n in (303, 307, 308)),
    ("GET", "/88.118/circle", 508, {}),
    ("GET", RECORD, 200, {}),
    ("GET", RECORD, 304, {"If_None_Match": "*"}),
    ("GET", RECORD + "?publicOnly=false", 401, {}),
    ("GET", RECORD, 403, {"Authorization": basic(READER)}),
    ("GET", "/api/handles/88.118/none", 404, {}),
    ("POST", RECORD, 200, {}),
    ("POST", RECORD, 304, {"If_None_Match": "*"}),
    ("POST", RECORD, 401, {"body": b"publicOnly=false", **FORM}),
    ("POST", RECORD, 403, {"Authorization": basic(READER)}),
    ("POST", "/api/handles/88.118/none", 404, {}),
    ("POST", RECORD, 413, {**BIG, **FORM}),
    ("POST", RECORD, 415, {"body": b"x", "Content_Encoding": "br", **FORM}),
    ("PUT", RECORD, 200, {"body": BODY, **LOGIN}),
    ("PUT", "/api/handles/88.118/made", 201, {"body": BODY, **LOGIN}),
    ("PUT", RECORD, 401, {"body": BODY}),
    ("PUT", RECORD, 403, {"body": OTHER, "Authorization": basic(READER)}),
    ("PUT", "/api/handles/88.118/none?index=1", 404, {"body": BODY, **LOGIN}),
    ("PUT", RECORD + "?overwrite=false", 409, {"body": BODY, **LOGIN}),
    ("PUT", RECORD, 412, {"body": BODY, "If_None_Match": "*", **LOGIN}),
    ("PUT", RECORD, 413, {**BIG, **LOGIN}),
    (
        "PUT",
        RECORD,
        415,
        {"body": b"x", "Content_Type": "application/json", "Content_Encoding": "gzip", **LOGIN},
    ),
    ("PUT", RECORD, 422, {"body": BODY, "Idempotency_Key": "used", **LOGIN}),
    ("DELETE", "/api/handles/88.118/2", 200, LOGIN),
    ("DELETE", RECORD, 401, {}),
    ("DELETE", RECORD, 403, {"Authorization": basic(READER)}),
    ("DELETE", "/api/handles/88.118/none", 404, LOGIN),
    ("DELETE", RECORD, 412, {"If_Match": '"9"', **LOGIN}),
    ("DELETE", RECORD, 422, {"Idempotency_Key": "used", **LOGIN}),
    ("GET", "/api/handles?prefix=88.118", 200, LOGIN),
    ("GET", "/api/handles?prefix=88.118", 401, {}),
    ("GET", "/api/handles?prefix=77.7", 403, LOGIN),
    ("POST", "/api/batch", 200, ROWS),
    ("POST", "/api/batch", 401, {"Content_Type": "application/x-ndjson"}),
    ("POST", "/api/batch", 403, {"Content_Type": "application/x-ndjson", "plain": "", **LOGIN}),
    ("POST", "/api/batch", 415, {"Content_Type": "text/csv", **LOGIN}),
    ("GET", "/api/changes?after=9", 200, OPERATOR),
    ("GET", "/api/changes", 401, {}),
    ("GET", "/api/changes", 403, LOGIN),
    ("GET", "/api/changes", 410, OPERATOR),
    ("GET", "/api/prefixes", 200, LOGIN),
    ("GET", "/api/prefixes", 401, {}),
    ("GET", "/api/prefixes", 403, {"plain": "", **LOGIN}),
    ("POST", "/api/prefixes?prefix=88.118.1", 200, OPERATOR),
    ("POST", "/api/prefixes", 401, {"body": {"prefix": "88.118.1"}}),
    ("POST", "/api/prefixes", 403, {"body": {"prefix": "88.118.1"}, **OF_READER}),
    ("POST", "/api/prefixes", 413, {**BIG, **LOGIN}),
    ("POST", "/api/prefixes?prefix=88.118.1", 422, {"Idempotency_Key": "used", **LOGIN}),
    ("DELETE", "/api/prefixes?prefix=88.118.1", 200, OPERATOR),
    ("DELETE", "/api/prefixes?prefix=88.118", 401, {}),
    ("DELETE", "/api/prefixes?prefix=88.118", 403, {"Authorization": basic(READER)}),
    ("DELETE", "/api/prefixes?prefix=99.9", 404, OPERATOR),
    ("DELETE", "/api/prefixes", 413, {**BIG, **LOGIN}),
    ("DELETE", "/api/prefixes?prefix=88.118", 422, {"Idempotency_Key": "used", **LOGIN}),
    ("POST", "/api/prefixes/88.118.2", 200, OPERATOR),
    ("POST", "/api/prefixes/88.118.2", 401, {}),
    ("POST", "/api/prefixes/88.118.2", 403, OF_READER),
    ("POST", "/api/prefixes/88.118.2", 422, {"Idempotency_Key": "used", **LOGIN}),
    ("DELETE", "/api/prefixes/88.118.2", 200, OPERATOR),
    ("DELETE", "/api/prefixes/88.118", 401, {}),
    ("DELETE", "/api/prefixes/88.118", 403, OF_READER),
    ("DELETE", "/api/prefixes/99.9", 404, OPERATOR),
    ("DELETE", "/api/prefixes/88.118", 422, {"Idempotency_Key": "used", **LOGIN}),
    ("POST", "/api/sessions", 201, {}),
    ("POST", "/api/sessions", 401, {"Authorization": basic(WRONG)}),
    ("POST", "/api/sessions", 403, {"plain": ""}),
    ("POST", "/api/sessions", 413, BIG),
    *(
        entry
        for method in ("GET", "PUT", "POST")
        for entry in (
            (method, "/api/sessions/this", 200, LOGIN),
            (method, "/api/sessions/this", 401, {"Authorization": basic(WRONG)}),
            (method, "/api/sessions/this", 403, {"Authorization": 'Handle sessionId="1"'}),
        )
    ),
    ("PUT", "/api/sessions/this", 413, BIG),
    ("POST", "/api/sessions/this", 413, BIG),
    ("DELETE", "/api/sessions/this", 403, {}),
    ("GET", f"/api/verifications/300:0.NA/88.118?{PROOF}", 200, {}),
    ("POST", "/api/verifications/300:0.NA/88.118", 200, {"body": PROOF.encode(), **FORM}),
    ("POST", "/api/verifications/300:0.NA/88.118", 413, {**BIG, **FORM}),
    ("GET", "/api/site", 404, {}),
    ("GET", "/api/openapi.json", 200, {}),
    ("GET", "/hrls/ping", 200, {}),
    *(
        entry
        for path in ("/hrls/handles", "/hrls/handles/88.118")
        for entry in (
            ("GET", f"{path}?URL=*&limit=0", 200, LOGIN),
            ("GET", f"{path}?URL=*", 401, {}),
            ("GET", f"{path}?URL=*", 403, {"plain": "", **LOGIN}),
        )
    ),
    ("GET", "/favicon.ico", 204, {}),
    ("GET", "/", 200, {}),
    ("GET", "/?handle=x", 302, {}),
    ("GET", "/88.118/1?noredirect", 200, {}),
    ("GET", "/88.118/1", 302, {}),
    ("GET", "/88.118/none", 404, {}),
)
FORWARDED = {
    (path, status) for path in ("/{handle}", "/api/handles/{handle}") for status in (502, 504)
}
"""Covered in test_forwarded.py, where there are other nodes to ask."""
LOCATIONS = (
    b"<locations>"
    + b"".join(
        b'<location id="%d" http="%d" href="https://a.cn/"/>' % (n, n) for n in (303, 307, 308)
    )
    + b"</locations>"
)
SWITCHED_OFF = {("/hrls/handles", 404), ("/hrls/handles/{handle}", 404)}
"""Covered in tests/node/search/test_hrls.py, by a node that searches nothing."""
NOT_PROVOKED = {("/api/site", 200), ("/api/sessions/this", 204), *FORWARDED, *SWITCHED_OFF}
"""Covered in test_listing.py, where a site is registered first, and in test_sessions.py, where one is begun."""


async def test_every_documented_status_is_really_given_and_no_other():
    got: set[tuple[str, str, int]] = set()
    async with running(make_config()) as running_node:
        running_node.put(
            "88.118/1",
            url("https://a.cn/"),
            Value(9, "NOTE", SECRET, permissions=SECRET_PERMISSIONS),
        )
        running_node.put("88.118/2", url("https://a.cn/"))
        await running_node.ask(
            "PUT", "/api/handles/88.118/k", BODY, Idempotency_Key="used", **LOGIN
        )
        running_node.writer.registrar._store.truncate_changes(3)
        running_node.put("88.118/loc", Value(1, "10320/loc", LOCATIONS))
        running_node.put("88.118/alias", Value(1, "HS_ALIAS", b"88.118/1"))
        running_node.put("88.118/circle", Value(1, "HS_ALIAS", b"88.118/circle"))
        admit = running_node.listener.admit
        for method, target, status, given in PROVOKE:
            headers = dict(given)
            body = headers.pop("body", b"")
            is_plain = headers.pop("plain", None) is not None

            def admit_from_elsewhere(front):
                front.peer = front.peer._replace(address="192.0.2.7", is_loopback=False)
                return admit(front)

            running_node.listener.admit = admit_from_elsewhere if is_plain else admit
            response = await running_node.ask(method, target, body, **headers)
            assert response.status == status, (method, target, response)
            got.add((_path_of(target), method, status))
    documented = {
        (path_text(route), method, status)
        for route, method, op in OPERATIONS
        for status in op.statuses
        if method != "HEAD"
    }
    assert {(path, status) for path, _, status in documented - got} == NOT_PROVOKED
    assert got <= documented


def _path_of(target: str) -> str:
    path = target.partition("?")[0]
    for below in ("/api/handles/", "/api/prefixes/", "/api/verifications/", "/hrls/handles/"):
        if path.startswith(below):
            return below + "{handle}"
    return (
        path if path.startswith(("/api", "/hrls")) or path in {"/", "/favicon.ico"} else "/{handle}"
    )


async def test_no_secret_comes_out_of_any_route_without_the_right(node):
    """Every route, method, role and parameter against one record whose non-public value must not be seen."""
    hidden = Value(9, "NOTE", SECRET, permissions=SECRET_PERMISSIONS)
    node.put("88.118/s", url("https://a.cn/"), hidden)
    node.put("88.118/t", hidden)
    node.submit(Operation.PUT, "0.NA/77.1", hidden)
    queries = (
        "",
        "?publicOnly=false",
        "?auth=true&publicOnly=false&type=NOTE",
        "?index=9",
        "?noredirect&index=9",
        "?pretty&index=9",
    )
    asked = 0
    for route, method, _ in OPERATIONS:
        if method in {"PUT", "DELETE"} or route.path == b"/api/batch":
            continue
        for login in (None, READER):
            for query in queries:
                for handle in (
                    ("88.118/s", "88.118/t", "88.118") if route.takes_identifier else ("",)
                ):
                    path = path_text(route).replace("{handle}", "") + handle
                    extra = (
                        "prefix=88.118&" if route.path in {b"/api/handles", b"/api/changes"} else ""
                    )
                    target = path + ("?" + extra + query[1:] if extra else query)
                    headers = {"Accept": "text/html"} | (
                        {"Authorization": basic(login)} if login else {}
                    )
                    response = await node.ask(method, target, **headers)
                    for secret in (SECRET, b"s3cret", b"outsider", SECRET.hex().encode()):
                        assert secret not in response.body, target
                    asked += 1
    assert asked > 100
