"""Prefixes: ``/api/prefixes``: which are hosted here, taking one on, giving one up (Handle.Net manual, JSON API).

The prefix is in the path, ``?prefix=``, or ``prefix`` of a JSON body; ``0.NA/`` in front or not. Hosting one whose
record exists keeps the record; giving one up keeps it as well, and what is below it out of sight. The registry decides
who may.
"""

import asyncio

from node.hosted import list_right, listable
from node.http.api import Api, challenge
from node.http.errors import failure
from node.http.listing import read_page
from node.http.reply import Reply, json_reply
from node.http.request import Request
from node.http.target import decode_path
from node.http.writing import read_request_id
from protocols.errors import Malformed, ProtocolError
from protocols.identifier import Identifier, prefix_record_named
from protocols.message import Command, Operation, Outcome, Principal
from protocols.rest.codes import CODES
from protocols.rest.json_reader import parse_json

MAX_BODY_BYTES = 8192
MAX_PAGE = 10_000
_MAX_TEXT_BYTES = 4096


async def list_prefixes(api: Api, request: Request) -> Reply:
    """Those hosted here below which the asker may list, one page of them or all."""
    principal = await api.need(request)
    if isinstance(principal, Reply):
        return principal
    page, size = read_page(request, "page"), read_page(request, "pageSize")
    names = await _listable(api, principal)
    shown = names
    if page >= 0 and size >= 0:
        size = min(size, MAX_PAGE)
        shown = names[page * size : (page + 1) * size]
    content = {
        "responseCode": 1, "totalCount": str(len(names)),
        "page": max(page, 0), "pageSize": size, "handles": shown,
    }  # fmt: skip
    headers = (("Cache-Control", "private, no-cache"),)
    return json_reply(200, content, headers, is_pretty=request.is_pretty)


async def host_prefix(api: Api, request: Request) -> Reply:
    """Take responsibility for a prefix."""
    return await _move(api, request, Operation.HOST)


async def give_up_prefix(api: Api, request: Request) -> Reply:
    """Give it up."""
    return await _move(api, request, Operation.UNHOST)


async def host_named_prefix(api: Api, request: Request) -> Reply:
    """The same, the prefix in the path."""
    return await _move(api, request, Operation.HOST)


async def give_up_named_prefix(api: Api, request: Request) -> Reply:
    """The same, the prefix in the path."""
    return await _move(api, request, Operation.UNHOST)


async def _move(api: Api, request: Request, operation: Operation) -> Reply:
    principal = await api.need(request)
    if isinstance(principal, Reply):
        return principal
    record = await _read_prefix(request)
    if isinstance(record, Reply):
        return record
    command = Command(operation, record, request_id=read_request_id(request))
    receipt = await api.service.register(principal, command, f"http {request.peer.address}")
    handle = record.text
    if receipt.outcome is Outcome.AUTHENTICATION_NEEDED:
        return challenge(request, receipt.outcome, receipt.reason, handle)
    if receipt.outcome is not Outcome.SUCCESS:
        return failure(receipt.outcome, "PUT", handle=handle, message=receipt.reason)
    content = {"responseCode": CODES[receipt.outcome].response_code, "handle": handle}
    return json_reply(200, content, is_pretty=request.is_pretty)


async def _read_prefix(request: Request) -> Identifier | Reply:
    """The record of the prefix that is meant, or why there is none. Raises ``ProtocolError``."""
    given = request.parameters.first("prefix")
    if given is None and request.media_type() == "application/json":
        body = await request.read_body(MAX_BODY_BYTES)
        asked = parse_json(body) if body.strip() else None
        if asked is not None and not asked.is_object:
            raise Malformed('body: an object like {"prefix": "88.118"} expected')
        member = None if asked is None else asked.get("prefix")
        given = None if member is None else member.read_text(_MAX_TEXT_BYTES)
    try:
        prefix = decode_path(request.suffix) or (given or "").encode()
        if not prefix:
            raise Malformed("needed, e.g. ?prefix=88.118")
        return prefix_record_named(prefix)
    except ProtocolError as error:
        return failure(
            Outcome.INVALID_IDENTIFIER, "PUT", message=f"prefix: {error}", field="prefix"
        )


async def _listable(api: Api, principal: Principal) -> list[str]:
    names: list[str] = []
    may_list = list_right(api.service.may, principal)
    for page in listable(api.service.reader, may_list):
        names += [f"0.NA/{one.spelling.decode()}" for one in page]
        await asyncio.sleep(0)
    return names
