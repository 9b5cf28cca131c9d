"""Routes: every resource, its methods, parameters and statuses: one table, read by the router and by OpenAPI.

A path that ends in ``/`` takes the rest of the target, raw, as the identifier. Longer paths go before shorter ones.
"""

from node.http.api import Api
from node.http.batch import register_batch
from node.http.changes import list_changes
from node.http.hrls import ping, search, search_below
from node.http.listing import list_handles
from node.http.openapi import openapi_document
from node.http.prefixes import (
    give_up_named_prefix,
    give_up_prefix,
    host_named_prefix,
    host_prefix,
    list_prefixes,
)
from node.http.reading import read_record
from node.http.redirect import no_icon, redirect, welcome
from node.http.reply import HTML, NDJSON, Reply, json_reply
from node.http.request import Request
from node.http.route import REST, Operation, Route
from node.http.session_api import begin_session, end_session, use_session
from node.http.site import read_site
from node.http.verifications import verify_proof
from node.http.writing import delete_record, put_record
from node.overload import Work

_SELECTION = ("index", "type")
_READ = Operation(
    read_record,
    "Resolve an identifier: its public values, or those selected by index or type",
    (*_SELECTION, "auth", "cert", "trace", "publicOnly", "doNotRefer", "callback", "pretty"),
    ("If-None-Match", "Cache-Control", "CDN-Loop", "Authorization"),
    (200, 304, 401, 403, 404, 502, 504),
    schema="Record",
)
_PUT = Operation(
    put_record,
    "Register or replace a record; with index, add or replace these values of it",
    ("index", "overwrite", "mintNewSuffix", "pretty"),
    ("If-Match", "If-None-Match", "Idempotency-Key", "Authorization"),
    (200, 201, 401, 403, 404, 409, 412, 413, 415, 422),
    body="application/json",
    takes="Values",
    needs_login=True,
    work=Work.WRITE,
)
_DELETE = Operation(
    delete_record,
    "Delete a record; with index, remove these values from it",
    ("index", "pretty"),
    ("If-Match", "If-None-Match", "Idempotency-Key", "Authorization"),
    (200, 401, 403, 404, 412, 422),
    needs_login=True,
    work=Work.WRITE,
)
_HOST = Operation(
    host_prefix,
    "Take responsibility for a prefix",
    ("prefix", "pretty"),
    ("Idempotency-Key", "Authorization"),
    (200, 401, 403, 422),
    body="application/json",
    takes="PrefixName",
    needs_login=True,
    work=Work.WRITE,
)
_GIVE_UP = _HOST._replace(
    handler=give_up_prefix,
    summary="Give responsibility for a prefix up",
    statuses=(*_HOST.statuses, 404),
)
_NAMED = _HOST._replace(parameters=("pretty",), body="", takes="")
"""The prefix is in the path."""
_SESSION = Operation(
    use_session,
    "Who is logged in to the session",
    ("pretty",),
    ("Authorization",),
    (200, 401, 403),
    schema="Session",
    work=Work.WRITE,
)
_LOGIN = _SESSION._replace(
    summary="Log in to the session, by the fields of Authorization: Handle in header or body",
    statuses=(*_SESSION.statuses, 413),
    body="application/json",
    takes="Login",
)
_VERIFY = Operation(
    verify_proof,
    "For other nodes: is a proof right by the HS_SECKEY at index:handle?",
    ("index", "nonce", "cnonce", "alg", "signature", "salt", "iterations", "length", "pretty"),
    (),
    (200,),
    schema="Verification",
    work=Work.WRITE,
)
_SEARCH = Operation(
    search,
    "Reverse look-up: identifiers whose public values are like the patterns, of all prefixes or of one",
    ("TYPE", "limit", "page", "after", "retrieverecords", "pretty"),
    ("Authorization",),
    (200, 401, 403, 404),
    schema="Found",
    needs_login=True,
    work=Work.BULK,
)
_PAGE = Operation(
    welcome, "What this node is, for people", ("handle", "lang"), (), (200, 302), answer=HTML
)
_REDIRECT = Operation(
    redirect,
    "Go to where the identifier points (302), or see its public values",
    (
        *_SELECTION,
        "auth",
        "cert",
        "noredirect",
        "action",
        "ignore_aliases",
        "locatt",
        "urlappend",
        "lang",
    ),
    ("Accept", "Accept-Language", "Cache-Control"),
    (200, 301, 302, 303, 307, 308, 404, 502, 504, 508),
    answer=HTML,
)


async def read_openapi(_api: Api, request: Request) -> Reply:
    """This table as an OpenAPI document."""
    headers = (("Cache-Control", "max-age=3600"), ("Access-Control-Allow-Origin", "*"))
    return json_reply(200, openapi_document(ROUTES), headers, is_pretty=request.is_pretty)


def _get(operation: Operation) -> dict[str, Operation]:
    return {"GET": operation, "HEAD": operation}


ROUTES: tuple[Route, ...] = (
    Route(
        b"/api/handles/",
        {
            **_get(_READ),
            "POST": _READ._replace(
                summary="Resolve, the parameters in the body",
                body="application/x-www-form-urlencoded",
                statuses=(*_READ.statuses, 413, 415),
            ),
            "PUT": _PUT,
            "DELETE": _DELETE,
        },
    ),
    Route(
        b"/api/handles",
        _get(
            Operation(
                list_handles,
                "List the identifiers below a prefix",
                ("prefix", "page", "pageSize", "after", "pretty"),
                ("Authorization",),
                (200, 401, 403),
                schema="Listing",
                needs_login=True,
                work=Work.BULK,
            )
        ),
    ),
    Route(
        b"/api/batch",
        {
            "POST": Operation(
                register_batch,
                "Register, change or delete many records, one JSON object a line",
                ("receipts",),
                ("Idempotency-Key", "Authorization"),
                (200, 401, 403, 415),
                body=NDJSON,
                takes="BatchRow",
                answer=NDJSON,
                schema="BatchReceipt",
                needs_login=True,
                work=Work.BULK,
            )
        },
    ),
    Route(
        b"/api/changes",
        _get(
            Operation(
                list_changes,
                "The feed: what happened to which record, without values",
                ("after", "limit", "prefix", "pretty"),
                ("Authorization",),
                (200, 401, 403, 410),
                schema="Changes",
                needs_login=True,
                work=Work.BULK,
            )
        ),
    ),
    Route(
        b"/api/prefixes",
        {
            **_get(
                Operation(
                    list_prefixes,
                    "List the prefixes hosted here below which you may list",
                    ("page", "pageSize", "pretty"),
                    ("Authorization",),
                    (200, 401, 403),
                    schema="Prefixes",
                    needs_login=True,
                    work=Work.BULK,
                )
            ),
            "POST": _HOST._replace(statuses=(*_HOST.statuses, 413)),
            "DELETE": _GIVE_UP._replace(statuses=(*_GIVE_UP.statuses, 413)),
        },
    ),
    Route(
        b"/api/prefixes/",
        {
            "POST": _NAMED._replace(handler=host_named_prefix),
            "DELETE": _NAMED._replace(
                handler=give_up_named_prefix,
                summary=_GIVE_UP.summary,
                statuses=_GIVE_UP.statuses,
            ),
        },
    ),
    Route(
        b"/api/sessions",
        {
            "POST": Operation(
                begin_session,
                "Begin a session: an id, and a nonce to sign",
                ("pretty",),
                ("Authorization",),
                (201, 401, 403, 413),
                body="application/json",
                takes="Login",
                schema="Session",
                work=Work.WRITE,
            )
        },
    ),
    Route(
        b"/api/sessions/this",
        {
            **_get(_SESSION),
            "PUT": _LOGIN,
            "POST": _LOGIN._replace(summary="As PUT"),
            "DELETE": Operation(
                end_session, "Log out", (), ("Authorization",), (204, 403), work=Work.WRITE
            ),
        },
    ),
    Route(
        b"/api/verifications/",
        {
            **_get(_VERIFY),
            "POST": _VERIFY._replace(
                summary="The same, the parameters in the body",
                body="application/x-www-form-urlencoded",
                statuses=(*_VERIFY.statuses, 413),
            ),
        },
    ),
    Route(
        b"/api/site",
        _get(
            Operation(read_site, "This node's HS_SITE", ("pretty",), (), (200, 404), schema="Site")
        ),
    ),
    Route(
        b"/api/openapi.json",
        _get(
            Operation(read_openapi, "This description", ("pretty",), (), (200,), schema="OpenApi")
        ),
    ),
    Route(
        b"/hrls/ping",
        _get(Operation(ping, "Whether there is a reverse look-up", answer="text/plain")),
    ),
    Route(b"/hrls/handles/", _get(_SEARCH._replace(handler=search_below))),
    Route(b"/hrls/handles", _get(_SEARCH)),
    Route(b"/favicon.ico", _get(Operation(no_icon, "No icon", (), (), (204,)))),
    Route(b"/", _get(_PAGE)),
    Route(REST, _get(_REDIRECT)),
)
