"""Redirect: ``GET /{handle}``: to where the identifier points, or a page with what it says (as the Handle proxies do).

The first value of type URL, else the first ``URL.…``, gives a 302; ``links.py`` says which may be followed.
"""

import html

from node.http.api import Api
from node.http.asked import foreign_query, read_asked_identifier, read_indexes
from node.http.cache_status import cache_status
from node.http.dates import http_date
from node.http.errors import failure
from node.http.links import choose_location
from node.http.pages import (
    STYLE_HASH,
    choose_language,
    record_page,
    trouble_page,
    welcome_page,
)
from node.http.reading import AtHand, cache_s, max_age
from node.http.reply import HTML, Reply
from node.http.request import Request
from node.http.target import encode_path
from protocols.identifier import Identifier
from protocols.message import Answer, Outcome, Query
from protocols.trail import Verdict
from resolver.source import Now

_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
SECURITY = (
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "no-referrer"),
)  # fmt: skip
"""Pages bring everything they need with them and load nothing, so they are allowed nothing."""
_VARY = ("Vary", "Accept, Accept-Language")
_SHOWN = frozenset({Outcome.NOT_FOUND, Outcome.NOT_RESPONSIBLE, Outcome.INVALID_IDENTIFIER})
_UNANSWERED = frozenset({Outcome.UNREACHABLE, Outcome.UNTRUSTED, Outcome.HOP_LIMIT, Outcome.BUSY})
"""What people are told in a sentence, and that trying again later may help."""


async def welcome(api: Api, request: Request) -> Reply:
    """The front page; its form comes back as ``/?handle=`` and is sent on to the identifier's own page."""
    language = choose_language(request)
    handle = (request.parameters.first("handle") or "").strip()
    if handle:
        location = f"/{encode_path(handle.encode())}?noredirect&lang={language}"
        return Reply(302, _link(location), HTML, (("Location", location), *SECURITY))
    body = welcome_page(language, api.config.node.prefix)
    return Reply(200, body, HTML, (("Cache-Control", "no-cache"), *SECURITY, _VARY))


async def no_icon(_api: Api, _request: Request) -> Reply:
    """Browsers ask; there is none."""
    return Reply(204, headers=(("Cache-Control", "max-age=86400"),))


async def redirect(api: Api, request: Request) -> Reply:
    """302 to the URL value; without one, or with ``?noredirect``, the page with the public values."""
    found = redirect_at_hand(api, request, api.service.now())
    if isinstance(found, AtHand):
        return found.reply
    answer = await api.service.resolve_elsewhere(found, request.peer, request.connection)
    return _told(request, found, answer, api.service.now().wall_s)


def redirect_at_hand(api: Api, request: Request, now: Now) -> AtHand | Query:
    """The reply, if it can be told at once; else the question that others must be asked."""
    identifier = read_asked_identifier(request)
    if isinstance(identifier, Reply):
        return AtHand(identifier if not wants_page(request) else _trouble(request, 400, ""))
    query = foreign_query(request, identifier)._replace(
        indexes=read_indexes(request), types=tuple(request.parameters.all("type"))
    )
    answer = api.service.resolve_now(query, request.peer, now)
    if answer is None:
        return query
    return AtHand(
        _told(request, query, answer, now.wall_s),
        answer.verdict is Verdict.LOCAL,
        answer.outcome is Outcome.SUCCESS,
        cache_s(answer),
    )


def _told(request: Request, query: Query, answer: Answer, wall_s: float) -> Reply:
    identifier = query.identifier
    ttl_s = cache_s(answer)
    status = cache_status(answer, ttl_s, is_authoritative=query.authoritative)
    if answer.outcome in _SHOWN:
        return _not_found(request, identifier, answer)
    if answer.outcome not in {Outcome.SUCCESS, Outcome.VALUES_NOT_FOUND}:
        told = failure(
            answer.outcome, request.method,
            handle=identifier.text, message=answer.reason, headers=(*status, _VARY),
        )  # fmt: skip
        is_shown = answer.outcome in _UNANSWERED and wants_page(request)
        return _unanswered(request, identifier, told) if is_shown else told
    caching = (
        ("Expires", http_date(wall_s + ttl_s)),  # what the Handle proxies send
        ("Cache-Control", max_age(answer, ttl_s)),
        *status,
    )
    location = None if request.parameters.flag("noredirect") else choose_location(answer.values)
    if location is not None:
        return Reply(
            302, _link(location), HTML, (("Location", location), *caching, *SECURITY, _VARY)
        )
    body = record_page(identifier, answer, choose_language(request))
    return Reply(200, body, HTML, (*caching, *SECURITY, _VARY))


def wants_page(request: Request) -> bool:
    """Whether a person looks (browsers ask for HTML); programs get JSON errors."""
    return "text/html" in request.headers.get("Accept", "").lower()


def _link(location: str) -> bytes:
    shown = html.escape(location, quote=True)
    return f'<!doctype html><meta charset="utf-8"><title>302</title><a href="{shown}">{shown}</a>\n'.encode()


def _not_found(request: Request, identifier: Identifier, answer: Answer) -> Reply:
    if wants_page(request):
        return _trouble(request, 404, identifier.text)
    reply = failure(answer.outcome, request.method, handle=identifier.text, message=answer.reason)
    return reply._replace(status=404, headers=(*reply.headers, _VARY))


def _unanswered(request: Request, identifier: Identifier, told: Reply) -> Reply:
    body = trouble_page("unanswered", identifier.text, choose_language(request))
    headers = (("Cache-Control", "no-cache"), *SECURITY, *told.headers)
    return Reply(told.status, body, HTML, headers)


def _trouble(request: Request, status: int, handle: str) -> Reply:
    body = trouble_page(f"{status}", handle, choose_language(request))
    return Reply(status, body, HTML, (("Cache-Control", "no-cache"), *SECURITY, _VARY))
