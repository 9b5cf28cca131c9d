"""Redirect: ``GET /{handle}``: to where the identifier points, or a page with what it says (as the Handle proxies do).

What is plain, a URL value to follow or a page to show, is told at once; ``proxy/leading.py`` says where an alias or
one of several locations leads, and ``links.py`` which URL may be followed at all.
"""

import html
import random

from node.http.api import Api
from node.http.asked import foreign_query, read_asked_identifier, read_indexes
from node.http.cache_status import cache_status
from node.http.dates import http_date
from node.http.errors import failure
from node.http.links import choose_location, encode_rest
from node.http.pages import (
    STYLE_HASH,
    choose_language,
    record_page,
    trouble_page,
    welcome_page,
)
from node.http.proxy.choosing import Asker, read_pairs
from node.http.proxy.leading import (
    Lead,
    alias_of,
    all_locations,
    goes_in_circles,
    is_special,
    lead_of,
)
from node.http.proxy.namespace import inactive_namespace
from node.http.proxy.negotiating import read_accept
from node.http.proxy.showing import locations_document
from node.http.reading import AtHand, cache_s, max_age
from node.http.reply import HTML, XML, Reply
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
_DRAW = random.SystemRandom()
_Headers = tuple[tuple[str, str], ...]


async def welcome(api: Api, request: Request) -> Reply:
    """The front page; its form comes back as ``/?handle=`` and is sent on to the identifier's own page."""
    language = choose_language(request)
    handle = (request.parameters.first("handle") or "").strip()
    if handle:
        location = f"/{encode_path(handle.encode())}?noredirect&lang={language}"
        return Reply(302, _link(302, location), HTML, (("Location", location), *SECURITY))
    body = welcome_page(language, api.config.node.prefix)
    return Reply(200, body, HTML, (("Cache-Control", "no-cache"), *SECURITY, _VARY))


async def no_icon(_api: Api, _request: Request) -> Reply:
    """Browsers ask; there is none."""
    return Reply(204, headers=(("Cache-Control", "max-age=86400"),))


async def redirect(api: Api, request: Request) -> Reply:
    """3xx to where the record leads; when it leads nowhere, or with ``?noredirect``, its page."""
    query = _read_query(request)
    if isinstance(query, Reply):
        return query
    answer = await api.service.resolve(query, request.peer, request.connection)
    if _is_plain(api, request, query, answer):
        return _told(api, request, query, answer, api.service.now().wall_s)
    return _told_by_proxy(api, request, query, answer)


def redirect_at_hand(api: Api, request: Request, now: Now) -> AtHand | Query:
    """The reply, if it can be told at once and of the plain head alone; else the question, for ``redirect``."""
    query = _read_query(request)
    if isinstance(query, Reply):
        return AtHand(query)
    answer = api.service.resolve_now(query, request.peer, now)
    if answer is None or not _is_plain(api, request, query, answer):
        return query
    return AtHand(
        _told(api, request, query, answer, now.wall_s),
        answer.verdict is Verdict.LOCAL,
        answer.outcome is Outcome.SUCCESS,
        cache_s(answer),
    )


def _read_query(request: Request) -> Query | Reply:
    identifier = read_asked_identifier(request)
    if isinstance(identifier, Reply):
        return identifier if not wants_page(request) else _trouble(request, 400, "")
    query = foreign_query(request, identifier)
    return query._replace(
        indexes=read_indexes(request),
        types=tuple(request.parameters.all("type")),
        authoritative=query.authoritative or request.parameters.flag("cert") is True,
    )


def _is_plain(api: Api, request: Request, query: Query, answer: Answer) -> bool:
    """Whether URL values and the page are all there is to it."""
    if request.query and any(request.parameters.first(name) for name in ("urlappend", "action")):
        return False
    return not is_special(answer.values) and inactive_namespace(api, query.identifier) is None


def _told(api: Api, request: Request, query: Query, answer: Answer, wall_s: float) -> Reply:
    """By URL values alone."""
    if answer.outcome not in {Outcome.SUCCESS, Outcome.VALUES_NOT_FOUND}:
        return _refused(request, query, answer)
    caching = _caching(query, answer, wall_s)
    location = None
    if request.parameters.flag("noredirect") is not True:
        location = choose_location(answer.values, api.config.http.redirect_schemes)
    if location is not None:
        return _sent(Lead(302, location), caching)
    body = record_page(query.identifier, answer, choose_language(request))
    return Reply(200, body, HTML, (*caching, *SECURITY, _VARY))


def _told_by_proxy(api: Api, request: Request, query: Query, answer: Answer) -> Reply:
    """By everything a Handle proxy looks at (Handle.Net manual, proxy server)."""
    identifier, parameters = query.identifier, request.parameters
    namespace = inactive_namespace(api, identifier)
    if namespace is not None:
        return _inactive(request, identifier, namespace.message)
    if answer.outcome not in {Outcome.SUCCESS, Outcome.VALUES_NOT_FOUND}:
        return _refused(request, query, answer)
    action = parameters.first("action") or ""
    headers = (*_caching(query, answer, api.service.now().wall_s), *SECURITY, _VARY)
    if action == "showlocations":
        return Reply(200, locations_document(*all_locations(answer.values)), XML, headers)
    if action != "showvalues" and parameters.flag("noredirect") is not True:
        sent = _sent_on(api, request, query, answer)
        if sent is not None:
            return sent
    return Reply(200, record_page(identifier, answer, choose_language(request)), HTML, headers)


def _sent_on(api: Api, request: Request, query: Query, answer: Answer) -> Reply | None:
    """To the alias, or to one of the locations; None when there is nothing to follow."""
    now, parameters = api.service.now(), request.parameters
    alias = None
    if parameters.flag("ignore_aliases") is not True:
        alias = alias_of(answer.values)
    if alias is not None and goes_in_circles(api, query.identifier, alias, request.peer, now):
        return _circle(request, query.identifier)
    if alias is not None:
        lead: Lead | None = Lead(301, _place_of(alias, request))
    else:
        lead = lead_of(
            answer.values, _asker(api, request), parameters.first("urlappend") or "",
            api.config.http.redirect_schemes, _DRAW.random,
        )  # fmt: skip
    if lead is None:
        return None
    scope = "" if lead.is_shared else "private, "
    return _sent(lead, _caching(query, answer, now.wall_s, scope))


def _asker(api: Api, request: Request) -> Asker:
    """Who asks. The country is what a trusted proxy says of its client; nobody else is believed."""
    name, country = api.config.http.country_header, ""
    if name and request.connection.peer.address in api.proxies:
        country = request.headers.get(name, "").strip()
    return Asker(
        read_pairs(request.parameters.all("locatt")),
        request.peer.address,
        country,
        read_accept(request.headers.get("Accept", "")),
    )


def _place_of(alias: Identifier, request: Request) -> str:
    """The alias's own address here, with the same parameters."""
    query = encode_rest(request.query.decode("latin-1"))
    return f"/{encode_path(alias.spelling)}" + (f"?{query}" if query else "")


def _caching(query: Query, answer: Answer, wall_s: float, scope: str = "") -> _Headers:
    ttl_s = cache_s(answer)
    told = max_age(answer, ttl_s)
    return (
        ("Expires", http_date(wall_s + ttl_s)),  # what the Handle proxies send
        ("Cache-Control", told if told.startswith("private") else f"{scope}{told}"),
        *cache_status(answer, ttl_s, is_authoritative=query.authoritative),
    )


def wants_page(request: Request) -> bool:
    """Whether a person looks (browsers ask for HTML); programs get JSON errors."""
    return "text/html" in request.headers.get("Accept", "").lower()


def _sent(lead: Lead, caching: _Headers) -> Reply:
    headers = (("Location", lead.uri), *caching, *SECURITY, _VARY)
    return Reply(lead.status, _link(lead.status, lead.uri), HTML, headers)


def _link(status: int, location: str) -> bytes:
    shown = html.escape(location, quote=True)
    return f'<!doctype html><meta charset="utf-8"><title>{status}</title><a href="{shown}">{shown}</a>\n'.encode()


def _refused(request: Request, query: Query, answer: Answer) -> Reply:
    identifier = query.identifier
    if answer.outcome in _SHOWN:
        return _not_found(request, identifier, answer)
    status = cache_status(answer, cache_s(answer), is_authoritative=query.authoritative)
    told = failure(
        answer.outcome, request.method,
        handle=identifier.text, message=answer.reason, headers=(*status, _VARY),
    )  # fmt: skip
    is_shown = answer.outcome in _UNANSWERED and wants_page(request)
    return _unanswered(request, identifier, told) if is_shown else told


def _not_found(request: Request, identifier: Identifier, answer: Answer) -> Reply:
    if wants_page(request):
        return _trouble(request, 404, identifier.text)
    reply = failure(answer.outcome, request.method, handle=identifier.text, message=answer.reason)
    return reply._replace(status=404, headers=(*reply.headers, _VARY))


def _inactive(request: Request, identifier: Identifier, message: str) -> Reply:
    """The prefix is out of use; ``message`` is its owner's."""
    if wants_page(request):
        return _trouble(request, 404, identifier.text, kind="inactive", detail=message)
    words = message or "the prefix says that its identifiers are not in use any more"
    reply = failure(Outcome.NOT_FOUND, request.method, handle=identifier.text, message=words)
    return reply._replace(status=404, headers=(*reply.headers, _VARY))


def _circle(request: Request, identifier: Identifier) -> Reply:
    """Aliases that lead back to one of them (508, RFC 5842 §7.2)."""
    if wants_page(request):
        return _trouble(request, 508, identifier.text, kind="circle")
    words = "its aliases (HS_ALIAS) lead in a circle or never end; ?noredirect shows the values"
    reply = failure(Outcome.ERROR, request.method, handle=identifier.text, message=words)
    return reply._replace(status=508, headers=(*reply.headers, _VARY))


def _unanswered(request: Request, identifier: Identifier, told: Reply) -> Reply:
    body = trouble_page("unanswered", identifier.text, choose_language(request))
    headers = (("Cache-Control", "no-cache"), *SECURITY, *told.headers)
    return Reply(told.status, body, HTML, headers)


def _trouble(request: Request, status: int, handle: str, kind: str = "", detail: str = "") -> Reply:
    body = trouble_page(kind or f"{status}", handle, choose_language(request), detail)
    return Reply(status, body, HTML, (("Cache-Control", "no-cache"), *SECURITY, _VARY))
