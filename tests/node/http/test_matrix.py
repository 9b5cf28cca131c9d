"""Who may do what over HTTP: every resource and method of the OpenAPI document by every kind of asker.

The document says what there is; the table here says what each asker must get. A resource or method that is in one and
not in the other fails. Whoever is refused must have changed nothing, and must have seen nothing that is not public.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from node.http.openapi import openapi_document
from node.http.reply import NDJSON
from node.http.routes import ROUTES
from protocols.message import Operation, Outcome
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import SECRET_PERMISSIONS, Value
from tests.node.http.conftest import (
    ADMIN,
    OPERATOR_LOGIN,
    SECRET,
    Node,
    basic,
    grant,
    running,
    url,
)
from tests.node.http.handle_client import begin, by_secret, handle

OWN = "0.NA/88.118"
BARE = (304, OWN, "bare")
"""An administrator of the prefix without a single permission."""
FOREIGN = (300, "0.NA/88.119", "foreign")
"""All permissions, over another tenant's prefix."""
STRANGER = (300, "88.119/worker", "stranger")
"""Somebody with a password and no rights anywhere."""
WRONG = (300, OWN, "wrong")

ROLES = ("anonymous", "wrong", "stranger", "foreign", "bare", "own", "operator")
LOGINS = {
    "wrong": WRONG, "stranger": STRANGER, "foreign": FOREIGN, "bare": BARE, "own": ADMIN,
    "operator": OPERATOR_LOGIN,
}  # fmt: skip

OPEN = (200, 200, 200, 200, 200, 200, 200)
"""For anybody, and nobody looks at passwords."""
READ = (200, 401, 200, 200, 200, 200, 200)
"""For anybody; but who says who he is must prove it."""
ALL = (200, 401, 403, 403, 403, 200, 200)
"""Whoever logs in asks for everything, and not for the public part (Handle.Net manual)."""
OURS = (401, 401, 403, 403, 403, 200, 200)
"""For the prefix's administrators with the permission, and the operator."""
MADE = (401, 401, 403, 403, 403, 201, 201)
HIS = (401, 401, 403, 403, 403, 403, 200)
"""For the operator."""
FOUND = (401, 401, 503, 503, 503, 503, 503)
"""For whoever logs in; there is no index here, which is as far as a request gets (tests/node/search has one)."""
LISTED = (401, 401, 200, 200, 200, 200, 200)
"""For whoever logs in, and each sees what he may."""
SESSION = (201, 401, 201, 201, 201, 201, 201)


class Case(NamedTuple):
    """One way to use a method; ``{role}`` in the target is the asker's, so that nobody finds what another one left."""

    target: str
    expected: tuple[int, ...]
    body: object = b""
    content_type: str = ""
    writers: tuple[str, ...] = ()
    """Who changes something."""


TENANT = ("own", "operator")
BODY = {"values": [{"index": 1, "type": "URL", "data": "https://new.cn/"}]}
ROW = json.dumps({"handle": "88.118/row-ROLE", **BODY}).encode()
FORM = "application/x-www-form-urlencoded"
PROOF = "nonce=AAAA&cnonce=AAAA&alg=HMAC-SHA256&signature=AAAA"
HIDDEN = "publicOnly=false"
RECORD = "/api/handles/{handle}"


def both(case: Case) -> dict[str, list[Case]]:
    return {"get": [case], "head": [case]}


EXPECTED: dict[str, dict[str, list[Case]]] = {
    RECORD: {
        method: [
            Case("/api/handles/88.118/shown", ALL),
            Case("/api/handles/88.118/shown?publicOnly=true", READ),
            Case(f"/api/handles/88.118/shown?{HIDDEN}", OURS),
            Case("/api/handles/88.118/shown?index=9&" + HIDDEN, OURS),
        ]
        for method in ("get", "head")
    }
    | {
        "post": [
            Case("/api/handles/88.118/shown", ALL, b"pretty=true", FORM),
            Case("/api/handles/88.118/shown", READ, b"type=URL", FORM),
            Case("/api/handles/88.118/shown", OURS, HIDDEN.encode(), FORM),
        ],
        "put": [
            Case("/api/handles/88.118/new-{role}", MADE, BODY, writers=TENANT),
            Case("/api/handles/88.118/?mintNewSuffix=true", MADE, BODY, writers=TENANT),
            Case("/api/handles/88.118/put-{role}", OURS, BODY, writers=TENANT),
            Case("/api/handles/88.118/put-{role}?index=1", OURS, BODY),
            Case("/api/handles/88.118/add-{role}?index=various", OURS, BODY, writers=TENANT),
            Case("/api/handles/0.NA/88.118.{role}", MADE, BODY, writers=TENANT),
            Case("/api/handles/0.NA/77.{role}", (401, 401, 403, 403, 403, 403, 201), BODY, writers=("operator",)),
        ],
        "delete": [
            Case("/api/handles/88.118/gone-{role}?index=1", OURS, writers=TENANT),
            Case("/api/handles/88.118/gone-{role}", OURS, writers=TENANT),
        ],
    },
    "/api/handles": both(Case("/api/handles?prefix=88.118", OURS)),
    "/api/batch": {
        "post": [Case("/api/batch", LISTED, ROW, NDJSON, writers=TENANT)]
    },
    "/api/changes": {
        method: [
            Case("/api/changes?prefix=88.118", OURS),
            Case("/api/changes", HIS),
        ]
        for method in ("get", "head")
    },
    "/api/prefixes": both(Case("/api/prefixes", LISTED))
    | {
        "post": [
            Case("/api/prefixes?prefix=88.118.h{role}", OURS, writers=TENANT),
            Case("/api/prefixes", HIS, {"prefix": "66.ROLE"}, writers=("operator",)),
        ],
        "delete": [
            Case("/api/prefixes?prefix=88.118.u{role}", OURS, writers=TENANT),
            Case("/api/prefixes?prefix=55.{role}", HIS, writers=("operator",)),
        ],
    },
    "/api/prefixes/{handle}": {
        "post": [Case("/api/prefixes/88.118.n{role}", OURS, writers=TENANT)],
        "delete": [Case("/api/prefixes/0.NA%2F88.118.n{role}", OURS, writers=TENANT)],
    },
    "/api/sessions": {"post": [Case("/api/sessions", SESSION)]},
    "/api/sessions/this": {
        method: [Case("/api/sessions/this", READ)] for method in ("get", "head", "put", "post")
    },
    "/api/verifications/{handle}": both(Case(f"/api/verifications/300:{OWN}?{PROOF}", OPEN))
    | {"post": [Case(f"/api/verifications/300:{OWN}", OPEN, PROOF.encode(), FORM)]},
    "/api/site": both(Case("/api/site", OPEN)),
    "/api/openapi.json": both(Case("/api/openapi.json", OPEN)),
    "/favicon.ico": both(Case("/favicon.ico", (204,) * 7)),
    "/": both(Case("/", OPEN)),
    "/{handle}": both(Case("/88.118/shown", (302,) * 7)),
    "/hrls/ping": both(Case("/hrls/ping", OPEN)),
    "/hrls/handles": both(Case("/hrls/handles?URL=*shown*", FOUND)),
    "/hrls/handles/{handle}": both(Case("/hrls/handles/88.118?URL=*shown*", FOUND)),
}  # fmt: skip
ENDED = {("/api/sessions/this", "delete")}
"""Needs a session of one's own; the last thing each asker does here."""

DOCUMENT = openapi_document(ROUTES)
DOCUMENTED = {
    (path, method) for path, item in DOCUMENT["paths"].items() for method in item if method != "parameters"
}  # fmt: skip


def test_every_method_of_every_resource_has_an_expectation_and_no_other():
    expected = {(path, method) for path, methods in EXPECTED.items() for method in methods}
    assert expected | ENDED == DOCUMENTED


def test_whoever_is_to_log_in_is_told_so_in_the_document():
    """And nobody else is: what the document says of security is what the table says."""
    for path, methods in EXPECTED.items():
        for method, cases in methods.items():
            operation = DOCUMENT["paths"][path][method]
            is_closed = all(case.expected[0] == 401 for case in cases)
            looks = any(case.expected[1] == 401 for case in cases)
            security = operation.get("security")
            assert (security is not None) == looks, (path, method)
            assert is_closed == (security is not None and {} not in security), (path, method)


async def no_wait(_seconds: float) -> None:
    """Wrong passwords need not be slow here."""


def furnish(node: Node) -> None:
    """Two tenants, everybody's password, and something for each asker to try."""
    secret = lambda login: Value(  # noqa: E731
        login[0], "HS_SECKEY", login[2].encode(), permissions=SECRET_PERMISSIONS
    )
    site = Site((Server(1, "192.0.2.1", (Interface(TCP, 2641),)),))
    submit = node.submit
    done = [
        submit(Operation.ADD, OWN, secret(BARE), grant(104, 0, 304), Value(3, "HS_SITE", encode_site(site))),
        submit(
            Operation.HOST, "0.NA/88.119", secret(FOREIGN),
            grant(100, 0x0FFF, 300)._replace(data=grant(100, 0x0FFF, 300).data.replace(b"88.118", b"88.119")),
        ),
        submit(Operation.PUT, "88.119/worker", secret(STRANGER)),
        submit(
            Operation.PUT, "88.118/shown", url("https://shown.cn/"),
            Value(9, "NOTE", SECRET, permissions=SECRET_PERMISSIONS),
        ),
    ]  # fmt: skip
    for role in ROLES:
        old = url("https://old.cn/")
        done += [submit(Operation.PUT, f"88.118/{kind}-{role}", old) for kind in ("put", "add")]
        done.append(submit(Operation.PUT, f"88.118/gone-{role}", old, url("https://b.cn/", 2)))
        done += [submit(Operation.HOST, f"0.NA/{prefix}{role}") for prefix in ("55.", "88.118.u")]
    assert [receipt for receipt in done if receipt.outcome is not Outcome.SUCCESS] == []


async def by_password(node: Node, role: str) -> str:
    return "" if role == "anonymous" else basic(LOGINS[role])


async def by_session(node: Node, role: str) -> str:
    """Logged in before, but for who never is: he tries with each request."""
    if role == "anonymous":
        return ""
    session = await begin(node)
    proof = by_secret(LOGINS[role], session, "HMAC-SHA256")
    if role == "wrong":
        return proof
    assert (await node.ask("PUT", "/api/sessions/this", Authorization=proof)).status == 200
    return handle(sessionId=session["sessionId"])


@pytest.mark.parametrize("log_in", [by_password, by_session])
async def test_everybody_gets_what_is_his_and_nothing_else(log_in: Callable[..., object]):
    faults = []
    async with running(sleep=no_wait) as node:
        furnish(node)
        for place, role in enumerate(ROLES):
            login = await log_in(node, role)
            for path, methods in EXPECTED.items():
                for method, cases in methods.items():
                    for case in cases:
                        if log_in is by_session and path == "/api/sessions":
                            continue  # no session is begun with the id of another
                        fault = await attempt(node, method, case, role, place, login)
                        faults += [(path, method, case.target, *fault)] if fault else []
            ended = await node.ask("DELETE", "/api/sessions/this", **headers_of(login))
            had_one = log_in is by_session and role != "anonymous"
            assert ended.status == (204 if had_one else 403), (role, ended)
    assert faults == []


def headers_of(login: str) -> dict[str, str]:
    return {"Authorization": login} if login else {}


async def attempt(
    node: Node, method: str, case: Case, role: str, place: int, login: str
) -> tuple[object, ...] | None:
    """What went wrong, if something did."""
    headers = headers_of(login)
    body = case.body
    if case.content_type:
        headers["Content_Type"] = case.content_type
    if isinstance(body, bytes):
        body = body.replace(b"ROLE", role.encode())
    else:
        body = json.loads(json.dumps(body).replace("ROLE", role))
    node.service.refresh()
    before = node.service.reader.head().seq
    response = await node.ask(method.upper(), case.target.format(role=role), body, **headers)
    node.service.refresh()
    changed = node.service.reader.head().seq != before
    if response.status != case.expected[place]:
        return role, response.status, case.expected[place], response.body
    if changed != (role in case.writers):
        return role, "changed" if changed else "unchanged", response.body
    if SECRET in response.body and role not in TENANT:
        return role, "saw what is not public", response.body
    return None
