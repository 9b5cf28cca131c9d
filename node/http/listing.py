"""Listing: ``GET /api/handles?prefix=P``: the identifiers below a prefix, in order (Handle.Net manual, JSON API).

Pages are for people who look around. Who wants everything goes on with ``after=`` the last suffix of the answer before:
that costs the same for the last page as for the first, and no identifier is missed or told twice while others are
registered.
"""

import asyncio

from node.http.api import Api, challenge
from node.http.asked import read_number
from node.http.errors import failure
from node.http.reply import JSON, Reply
from node.http.request import Request
from protocols.errors import Malformed, ProtocolError
from protocols.identifier import Identifier, fold_suffix, prefix_record_of
from protocols.message import Outcome
from protocols.rest.record_json import prettify, render_listing
from protocols.values.admin import LIST_HANDLES
from registry.stores.store import Authority

DEFAULT_PAGE = 1000
MAX_PAGE = 10_000
"""Identifiers in one answer: with the longest ones that is 20 MB, with usual ones 300 kB."""
MAX_DEPTH = 100_000
"""Records that a page number may skip; ``after=`` skips nothing and has no bound."""
STEP = 1000
"""Records read between two looks at other connections, about 5 ms."""


async def list_handles(api: Api, request: Request) -> Reply:
    """One page, or what follows ``after``."""
    prefix = request.parameters.first("prefix")
    if not prefix:
        words = "prefix: needed to list identifiers, e.g. /api/handles?prefix=88.118"
        return failure(Outcome.INVALID_IDENTIFIER, request.method, message=words, field="prefix")
    try:
        asked = prefix_record_of(prefix.removeprefix("0.NA/").removeprefix("0.na/"))
    except ProtocolError as error:
        return failure(
            Outcome.INVALID_IDENTIFIER, request.method, message=f"prefix: {error}", field="prefix"
        )
    refusal = await need_list_right(api, request, asked, prefix)
    if refusal is not None:
        return refusal
    authority = api.service.reader.authority(asked.responsible_prefix)
    if authority is None:
        words = f"prefix {prefix} is not hosted on this node"
        return failure(Outcome.NOT_RESPONSIBLE, request.method, message=words, field="prefix")
    return await _list(api, request, prefix, authority)


async def need_list_right(
    api: Api, request: Request, over: Identifier, handle: str
) -> Reply | None:
    """None when whoever asks may list below the prefix record ``over``."""
    principal = await api.need(request)
    if isinstance(principal, Reply):
        return principal
    outcome = api.service.may(principal, over, LIST_HANDLES)
    if outcome is Outcome.SUCCESS:
        return None
    words = f"{principal.name} has not the right to list {handle}"
    if outcome is Outcome.AUTHENTICATION_NEEDED:
        return challenge(request, outcome, words)
    return failure(outcome, request.method, message=words)


async def _list(api: Api, request: Request, prefix: str, authority: Authority) -> Reply:
    parameters = request.parameters
    after = parameters.first("after")
    page = read_page(request, "page")
    size = read_page(request, "pageSize")
    is_paged = page >= 0 and size >= 0 and after is None
    size = min(size, MAX_PAGE) if size >= 0 else MAX_PAGE if page < 0 else DEFAULT_PAGE
    skipped = max(page, 0) * size if is_paged else 0
    if skipped > MAX_DEPTH:
        words = (
            f"page: at most {MAX_DEPTH} identifiers can be skipped; go on with after=<last suffix>"
        )
        raise Malformed(words, field="page")
    start = b""
    if after:
        start = fold_suffix(authority.prefix, after.encode(), authority.is_case_sensitive)
    spellings = await _collect(api, authority, start, skipped, size)
    total = api.service.reader.count(authority.prefix)
    handles = [spelling.decode() for spelling in spellings]
    body = render_listing(prefix, total, max(page, 0), size, handles)
    shown = prettify(body) if request.is_pretty else body
    return Reply(200, shown, JSON, (("Cache-Control", "private, no-cache"),))


def read_page(request: Request, name: str) -> int:
    """A number of ``page`` or ``pageSize``; -1 when absent or negative: no paging."""
    text = request.parameters.first(name)
    if text is None or (text.startswith("-") and text[1:].isdecimal()):
        return -1
    return read_number(request, name, 0, 10**9)


async def _collect(
    api: Api, authority: Authority, start: bytes, skipped: int, size: int
) -> list[bytes]:
    """Spellings of ``size`` records behind ``start``, the first ``skipped`` of them left out."""
    reader = api.service.reader
    spellings: list[bytes] = []
    while len(spellings) < size:
        wanted = min(STEP, skipped + size - len(spellings))
        records = reader.list_records(authority.prefix, start, wanted)
        spellings += [record.spelling for record in records[skipped:]]
        skipped = max(0, skipped - len(records))
        if len(records) < wanted:
            break
        suffix = records[-1].key.partition(b"/")[2]
        start = suffix
        await asyncio.sleep(0)
        reader.refresh()
    return spellings[:size]
