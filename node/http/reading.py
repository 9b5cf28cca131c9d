"""Reading: ``GET``, ``HEAD`` and ``POST`` of ``/api/handles/{handle}`` (Handle.Net manual, JSON API)."""

from typing import NamedTuple

import orjson

from node.http.api import Api, challenge
from node.http.asked import (
    content_etag,
    etag,
    foreign_query,
    is_authoritative,
    read_asked_identifier,
    read_etags,
    read_indexes,
)
from node.http.cache_status import cache_status
from node.http.errors import failure
from node.http.reply import JSON, Reply
from node.http.request import Request
from protocols.identifier import Identifier
from protocols.message import ANONYMOUS, Answer, Outcome, Principal, Query
from protocols.record import DELETED, HEAD, NO_VALUES, public_offset
from protocols.rest.public_json import render_public
from protocols.rest.record_json import prettify, render_no_values, render_record
from protocols.trail import Verdict, trail_document
from protocols.values.value import TTL_RELATIVE
from resolver.source import Now

MAX_CACHE_S = 172_800
"""Handle clients keep no answer longer than two days; HTTP caches shall not either."""
OPEN = ("Access-Control-Allow-Origin", "*")
"""Public reading is for every web page; credentials are not, so nothing else is allowed."""


class AtHand(NamedTuple):
    """A reply that needed nobody else."""

    reply: Reply
    is_local: bool = True
    """Made from this node's own records; otherwise from what another node told."""
    lasts: bool = False
    """The same question gets the same reply until the record changes, or what was told is forgotten or grows older."""
    ttl_s: int = 0
    """What ``Expires`` lies behind the moment of the answer, where there is such a field."""


async def read_record(api: Api, request: Request) -> Reply:
    """The record, or the values of it that are asked for."""
    if request.query or request.method == "POST" or "Authorization" in request.headers:
        return await _read_selection(api, request)
    found = read_at_hand(api, request, api.service.now())
    if isinstance(found, AtHand):
        return found.reply
    answer = await api.service.resolve_elsewhere(found, request.peer, request.connection)
    return _told(request, found.identifier, answer)


def read_at_hand(api: Api, request: Request, now: Now) -> AtHand | Query:
    """The whole public record for anybody, if it can be told at once; else the question that others must be asked."""
    identifier = read_asked_identifier(request)
    if isinstance(identifier, Reply):
        return AtHand(identifier)
    stored = api.service.reader.stored(identifier.spelling)
    if stored is not None and not stored[1] & DELETED:
        # A public record is rendered from its stored bytes, no value is ever built.
        public = bytes(stored[public_offset(stored) :])
        if public != NO_VALUES:
            return AtHand(_stored_reply(request, identifier, stored, public), lasts=True)
    query = foreign_query(request, identifier)
    answer = api.service.resolve_now(query, request.peer, now)
    if answer is None:
        return query
    lasts = answer.outcome is Outcome.SUCCESS and not answer.is_authoritative
    return AtHand(_told(request, identifier, answer), answer.verdict is Verdict.LOCAL, lasts)


def _stored_reply(request: Request, identifier: Identifier, stored: bytes, public: bytes) -> Reply:
    _, _, version, _, _, ttl_s = HEAD.unpack_from(stored)
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
    query = foreign_query(request, identifier)._replace(
        indexes=read_indexes(request),
        types=tuple(parameters.all("type")),
        public_only=principal == ANONYMOUS if public_only is None else public_only,
        principal=principal,
        may_refer=parameters.flag("doNotRefer") is not True,
        wants_trail=parameters.flag("trace") is True,
    )
    answer = await api.service.resolve(query, request.peer, request.connection)
    return _told(request, identifier, answer, principal)


def _told(
    request: Request, identifier: Identifier, answer: Answer, principal: Principal = ANONYMOUS
) -> Reply:
    """An answer as JSON, the way it came along when that was asked for."""
    reply = _plain(request, identifier, answer, principal)
    if answer.trail is not None and reply.body:
        content = {**orjson.loads(reply.body), "trail": trail_document(answer.trail)}
        reply = reply._replace(body=orjson.dumps(content))
    return reply._replace(body=prettify(reply.body)) if request.is_pretty and reply.body else reply


def _plain(request: Request, identifier: Identifier, answer: Answer, principal: Principal) -> Reply:
    status = cache_status(answer, cache_s(answer), is_authoritative=is_authoritative(request))
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
            headers=(*status, OPEN),
        )
    tag = etag(answer.version) if answer.version else content_etag(answer.values)
    headers = (("ETag", tag), *_caching(request, answer, principal), *status, OPEN)
    asked_tags = request.headers.get("If-None-Match")
    is_known = asked_tags is not None and bool(read_etags(asked_tags) & {tag, "*"})
    if is_known and answer.trail is None:  # a trail is never the same twice
        return Reply(304, b"", JSON, headers)
    return Reply(200, body, JSON, headers)


def _caching(request: Request, answer: Answer, principal: Principal) -> tuple[tuple[str, str], ...]:
    """How long caches on the way may keep an answer: the least TTL; never what a login was needed for."""
    if principal != ANONYMOUS or answer.trail is not None or is_authoritative(request):
        return (("Cache-Control", "private, no-cache"),)
    return (("Cache-Control", max_age(answer, cache_s(answer))),)


def max_age(answer: Answer, ttl_s: int) -> str:
    """Cache-Control of a public answer. Another node's is for who may have it fetched: no shared cache tells it."""
    return f"{'' if answer.is_authoritative else 'private, '}max-age={ttl_s}"


def cache_s(answer: Answer) -> int:
    """Seconds an answer may be kept; of another node's, what is left of them."""
    ttls = (value.ttl for value in answer.values if value.ttl_type == TTL_RELATIVE)
    return min(min(ttls, default=0), MAX_CACHE_S)
