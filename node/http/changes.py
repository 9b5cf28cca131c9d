"""Changes: ``GET /api/changes?after=&limit=[&prefix=]``: the feed, for mirrors, caches and auditors.

An entry says what happened to which record, when and by whom, with version and digest; never a value. The whole feed is
for whoever may list ``0.NA`` (the operator, as a rule); with ``prefix`` the right to list that prefix is enough.
"""

from typing import Final

from node.change_json import change_to_json
from node.http.api import Api
from node.http.asked import read_number
from node.http.errors import failure, http_trouble
from node.http.listing import need_list_right
from node.http.reply import Reply, json_reply
from node.http.request import Request
from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY, prefix_record_of
from protocols.message import Outcome
from registry.errors import Gone

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
"""Entries read for one answer; 1,000 take some 5 ms and 400 kB."""
MAX_SEQ: Final = 2**63 - 1


async def list_changes(api: Api, request: Request) -> Reply:
    """Entries behind number ``after``; ``next`` is where to go on, ``head`` where the feed stands."""
    prefix = request.parameters.first("prefix") or "0.NA"
    try:
        asked = prefix_record_of(prefix.removeprefix("0.NA/"))
    except ProtocolError as error:
        return failure(
            Outcome.INVALID_IDENTIFIER, request.method, message=f"prefix: {error}", field="prefix"
        )
    refusal = await need_list_right(api, request, asked, prefix)
    if refusal is not None:
        return refusal
    after = read_number(request, "after", 0, MAX_SEQ)
    limit = max(1, read_number(request, "limit", DEFAULT_LIMIT, MAX_LIMIT))
    reader = api.service.reader
    try:
        changes = reader.changes(after, limit)
    except Gone as gone:
        words = f"{gone}; begin anew with a backup or an export"
        return http_trouble(410, words, oldestAvailable=str(gone.oldest_available))
    head = reader.head()
    only = asked.responsible_prefix
    content = {
        "responseCode": 1,
        "logId": head.log_id.hex(),
        "head": head.seq,
        "oldestAvailable": head.oldest_available,
        "next": changes[-1].seq if changes else after,
        "changes": [change_to_json(change) for change in changes if _is_below(change.key, only)],
    }
    headers = (("Cache-Control", "private, no-cache"),)
    return json_reply(200, content, headers, is_pretty=request.is_pretty)


def _is_below(key: bytes, prefix: bytes) -> bool:
    """Whether a record belongs to the prefix; everything belongs to ``0.NA``."""
    if prefix == PREFIX_AUTHORITY:
        return True
    return key.startswith(prefix + b"/") or key == PREFIX_AUTHORITY + b"/" + prefix
