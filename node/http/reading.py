"""Reading: ``GET``, ``HEAD`` and ``POST`` of ``/api/handles/{handle}`` (Handle.Net manual, JSON API)."""

from node.http.api import Api, challenge
from node.http.asked import etag, read_asked_identifier, read_etags, read_indexes
from node.http.dates import http_date
from node.http.errors import failure
from node.http.reply import JSON, Reply
from node.http.request import Request
from protocols.identifier import Identifier
from protocols.message import ANONYMOUS, Answer, Outcome, Principal, Query
from protocols.record import DELETED, HEAD, public_offset
from protocols.rest.public_json import render_public
from protocols.rest.record_json import prettify, render_no_values, render_record
from protocols.values.value import TTL_RELATIVE

MAX_CACHE_S = 172_800
"""Handle clients keep no answer longer than two days; HTTP caches shall not either."""
OPEN = ("Access-Control-Allow-Origin", "*")
"""Public reading is for every web page; credentials are not, so nothing else is allowed."""


async def read_record(api: Api, request: Request) -> Reply:
    """The record, or the values of it that are asked for."""
    if request.query or request.method == "POST" or "Authorization" in request.headers:
        return await _read_selection(api, request)
    identifier = read_asked_identifier(request)
    if isinstance(identifier, Reply):
        return identifier
    # The hot path: a public record is rendered from its stored bytes, no value is ever built.
    stored = api.service.reader.stored(identifier.spelling)
    if stored is None or stored[1] & DELETED:
        return _told(request, identifier, _ask(api, request, Query(identifier)))
    _, _, version, _, _, ttl_s = HEAD.unpack_from(stored)
    public = bytes(stored[public_offset(stored) :])
    if public == b"\0\0\0\0":
        return _told(request, identifier, _ask(api, request, Query(identifier)))
    tag = etag(version)
    headers = (("ETag", tag), ("Cache-Control", f"max-age={min(ttl_s, MAX_CACHE_S)}"), OPEN)
    asked_tags = request.headers.get("If-None-Match")
    if asked_tags is not None and read_etags(asked_tags) & {tag, "*"}:
        return Reply(304, b"", JSON, headers)
    return Reply(200, render_public(identifier.spelling, public), JSON, headers)


async def _read_selection(api: Api, request: Request) -> Reply:
    if request.method == "POST" and not request.payload.at_eof():
        await request.read_form()
    identifier = read_asked_identifier(request)
    if isinstance(identifier, Reply):
        return identifier
    principal = await api.identify(request)
    if isinstance(principal, Reply):
        return principal
    parameters = request.parameters
    public_only = parameters.flag("publicOnly")
    query = Query(
        identifier,
        read_indexes(request),
        tuple(parameters.all("type")),
        public_only=principal == ANONYMOUS if public_only is None else public_only,
        authoritative=parameters.flag("auth") is True,
        principal=principal,
    )
    return _told(request, identifier, _ask(api, request, query), principal)


def _ask(api: Api, request: Request, query: Query) -> Answer:
    return api.service.resolve_now(query, request.peer, api.service.now())


def _told(
    request: Request, identifier: Identifier, answer: Answer, principal: Principal = ANONYMOUS
) -> Reply:
    """An answer as JSON."""
    if answer.outcome is Outcome.SUCCESS:
        body = render_record(identifier.spelling, answer.values)
    elif answer.outcome is Outcome.VALUES_NOT_FOUND:
        body = render_no_values(identifier.spelling)
    elif answer.outcome is Outcome.AUTHENTICATION_NEEDED:
        words = answer.reason or "some of the values are for administrators only"
        return challenge(request, answer.outcome, words, identifier.text)
    else:
        return failure(
            answer.outcome,
            request.method,
            handle=identifier.text,
            message=answer.reason,
            headers=(OPEN,),
        )
    headers = (("ETag", etag(answer.version)), *_caching(request, answer, principal), OPEN)
    asked_tags = request.headers.get("If-None-Match")
    if asked_tags is not None and read_etags(asked_tags) & {etag(answer.version), "*"}:
        return Reply(304, b"", JSON, headers)
    return Reply(200, prettify(body) if request.is_pretty else body, JSON, headers)


def _caching(request: Request, answer: Answer, principal: Principal) -> tuple[tuple[str, str], ...]:
    """How long caches on the way may keep an answer: the least TTL; never what a login was needed for."""
    if principal != ANONYMOUS or request.parameters.flag("auth"):
        return (("Cache-Control", "private, no-cache"),)
    return (("Cache-Control", f"max-age={cache_s(answer)}"),)


def cache_s(answer: Answer) -> int:
    """Seconds an answer may be kept."""
    ttls = (value.ttl for value in answer.values if value.ttl_type == TTL_RELATIVE)
    return min(ttls, default=0) if answer.values else 0


def expires(answer: Answer, wall_s: float) -> str:
    """The same as a date, for redirects (what the Handle proxies send)."""
    return http_date(wall_s + min(cache_s(answer), MAX_CACHE_S))
