"""Reverse look-up: ``GET /hrls/handles[/{prefix}]?TYPE=pattern&…``, which PYHANDLE's ``search_handle`` asks.

The paths and parameters of EUDAT's Handle Reverse Look-up Servlet: each parameter is a value type (without regard to
case) and a pattern in which ``*`` stands for anything; an identifier is told when for each type one of its values is
like that. The answer is an array of identifiers in order, or with ``retrieverecords`` an object of all their values.
What differs: only publicly readable values are searched and told, and HS_SECKEY gets 400.

The index follows the feed. A question waits up to a second until what was there when it came is in the index; then it
is answered anyway, ``Biaojie-Search-Behind`` says by how many changes, and what has changed since is looked at again.
"""

import asyncio
from collections.abc import Mapping

import orjson

from node.hosted import hidden, list_right
from node.http.api import Api
from node.http.asked import read_number
from node.http.errors import bad_input, failure, http_trouble
from node.http.reply import Reply
from node.http.request import Request
from node.http.target import decode_path
from node.search.cells import Term
from node.search.finder import TooMany
from node.search.finding import MAX_LIMIT, Asked, Hit
from node.search.terms import look_up, public_values, read_prefix, read_terms
from node.search.view import Answer, NotThere, TookTooLong
from protocols.errors import Malformed
from protocols.identifier import parse_identifier
from protocols.message import Outcome, Principal
from registry.holdings import folded_key

DEFAULT_LIMIT = 1000
MAX_PAGE = 10**9
MAX_RECORDS_BYTES = 16_777_216
"""Of values in one answer with ``retrieverecords``."""
PATIENCE_S = 1.0
MOST_BEHIND = 20_000
"""Changes that are never in within a second: then nobody is kept waiting."""
STEP = 500
"""Records looked up between two looks at other connections: some milliseconds."""
WORDS = frozenset({"limit", "page", "after", "retrieverecords", "enforcesql", "pretty", "callback"})
"""Parameters that are no types, in this case only: ``LIMIT=5`` searches for values of type LIMIT."""

_PRIVATE = ("Cache-Control", "private, no-cache")


async def ping(_api: Api, _request: Request) -> Reply:
    """Whether there is a reverse look-up at all."""
    return Reply(200, b"OK\n", "text/plain;charset=utf-8")


async def search(api: Api, request: Request) -> Reply:
    """One page of identifiers, or of records."""
    settings = api.config.search
    if not settings.enabled:
        return http_trouble(404, "reverse look-up is switched off at this node (search.enabled)")
    principal = await (api.identify(request) if settings.public else api.need(request))
    if isinstance(principal, Reply):
        return principal
    fields = [field for field in request.parameters.fields if field[0] not in WORDS]
    terms = read_terms(fields, api.finder.scope)
    limit = min(read_number(request, "limit", DEFAULT_LIMIT, 10**12), MAX_LIMIT)
    asked = Asked(
        terms,
        limit,
        skip=limit * read_number(request, "page", 0, MAX_PAGE),
        after=_read_after(api, request),
        prefix=read_prefix(decode_path(request.suffix)),
        hidden_prefixes=await _hidden(api, principal),
    )
    if not limit:
        return _answer(request, [], 0, 0)
    return await _search(api, request, asked)


async def search_below(api: Api, request: Request) -> Reply:
    """The same below the prefix in the path."""
    return await search(api, request)


async def _search(api: Api, request: Request, asked: Asked) -> Reply:
    head = api.service.reader.head()
    await api.finder.wait_for(head.log_id, head.seq, PATIENCE_S, MOST_BEHIND)
    answer = await _ask(api, request, asked)
    if isinstance(answer, Reply):
        return answer
    hits, state = answer
    if state.log_id != head.log_id:
        return _not_now(request, "the index is that of another store and is about to be made anew")
    behind = max(0, head.seq - state.seq)
    wants_records = request.parameters.flag("retrieverecords") is True
    if not behind and not wants_records:
        return _answer(request, [hit.spelling for hit in hits], state.seq, behind)
    records = await _look_up(api, hits, asked.terms, state.seq, wants_values=wants_records)
    if isinstance(records, Reply):
        return records
    return _answer(request, records if wants_records else list(records), state.seq, behind)


async def _ask(api: Api, request: Request, asked: Asked) -> Answer | Reply:
    """What the index says, or why it says nothing."""
    try:
        return await api.finder.find(asked)
    except TooMany:
        words = "too many searches are under way; try again in a moment"
        return failure(Outcome.BUSY, request.method, message=words)
    except NotThere as reason:
        return _not_now(request, str(reason))
    except TookTooLong:
        words = (
            f"the search was given up after {api.config.search.question_s:g} s: name more of what is looked for, "
            "three characters in a row at least, or a prefix; or go on from page to page with after="
        )
        return bad_input(Malformed(words))


def _not_now(request: Request, reason: str) -> Reply:
    words = f"nothing can be searched now: {reason}"
    return failure(Outcome.BUSY, request.method, message=words)


def _answer(request: Request, content: object, seq: int, behind: int) -> Reply:
    option = orjson.OPT_INDENT_2 if request.is_pretty else 0
    headers = [_PRIVATE, ("Biaojie-Search-Seq", str(seq))]
    if behind:
        headers.append(("Biaojie-Search-Behind", str(behind)))
    return Reply(200, orjson.dumps(content, option=option), headers=tuple(headers))


def _read_after(api: Api, request: Request) -> str:
    """Folded; "" = from the beginning. Raises ``Malformed``, ``TooLarge``."""
    text = request.parameters.first("after")
    if not text:
        return ""
    identifier = parse_identifier(text)
    return folded_key(identifier, api.service.reader.authority(identifier.prefix)).decode()


# what may be told


async def _hidden(api: Api, principal: Principal) -> tuple[str, ...]:
    """Prefixes below which nothing is told: not hosted, or private and not the asker's to list."""
    found: list[str] = []
    may_list = list_right(api.service.may, principal)
    for page in hidden(api.service.reader, may_list):
        found += [one.prefix.decode() for one in page]
        await asyncio.sleep(0)
    return tuple(found)


async def _look_up(
    api: Api, hits: list[Hit], terms: tuple[Term, ...], seq: int, *, wants_values: bool
) -> dict[str, list[Mapping[str, str]]] | Reply:
    """Public values by identifier, of those that are still what was found; empty lists unless they are wanted."""
    reader = api.service.reader
    records: dict[str, list[Mapping[str, str]]] = {}
    size = 0
    for start in range(0, len(hits), STEP):
        for hit in hits[start : start + STEP]:
            record = look_up(reader, hit, terms, seq, api.finder.scope)
            if record is None:
                continue
            records[hit.spelling] = public_values(record) if wants_values else []
            size += len(record.public) if wants_values else 0
        if size > MAX_RECORDS_BYTES:
            words = f"limit: the records of this page are more than {MAX_RECORDS_BYTES} bytes; ask for fewer at once"
            return bad_input(Malformed(words, field="limit"))
        await asyncio.sleep(0)
        reader.refresh()
    return records
