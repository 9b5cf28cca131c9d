"""Errors as JSON: ``{"responseCode", "handle", "message", "field"}``: what went wrong, where and why.

An outcome has one response code and one status (``protocols.rest.codes``); what goes wrong below the API, in HTTP
itself, has a status of its own and the response code that says whose fault it is.
"""

from node.http.reply import Reply, json_reply
from protocols.errors import ProtocolError, TooLarge, Unsupported
from protocols.message import Outcome
from protocols.rest.codes import CODES, RETRY_AFTER_S

PROTOCOL_ERROR, ERROR, BUSY, NOT_SUPPORTED = 4, 2, 3, 5

_TROUBLES: dict[int, tuple[int, str]] = {
    400: (PROTOCOL_ERROR, "this is not a well-formed HTTP/1.1 request"),
    404: (PROTOCOL_ERROR, "no such resource; /api/openapi.json lists what there is"),
    405: (NOT_SUPPORTED, "this resource does not know the method; see the Allow header"),
    410: (ERROR, "what you ask for was removed"),
    408: (PROTOCOL_ERROR, "the request was not complete in time; send it faster"),
    413: (PROTOCOL_ERROR, "the body is too large"),
    415: (PROTOCOL_ERROR, "the body has a form this resource does not read"),
    429: (
        BUSY,
        "too many connections from your address; reuse them, or try again in a few seconds",
    ),
    431: (PROTOCOL_ERROR, "request line or header fields are too long"),
    500: (ERROR, "this node failed at the request; its log says why"),
    501: (NOT_SUPPORTED, "this node does not know the method"),
    503: (BUSY, "all connections are taken; try again in a few seconds"),
}
_FULL_RETRY_S = {429: "2", 503: "2"}
"""What is recommended when connections run out: long enough to let a burst pass."""
_READS = frozenset({"GET", "HEAD", "POST"})


def http_trouble(
    status: int, message: str = "", headers: tuple[tuple[str, str], ...] = (), **facts: str
) -> Reply:
    """An error of HTTP itself; ``message`` replaces the usual words, ``facts`` are further members."""
    code, words = _TROUBLES.get(status, _TROUBLES[500])
    if status in _FULL_RETRY_S:
        headers = (*headers, ("Retry-After", _FULL_RETRY_S[status]))
    return json_reply(status, {"responseCode": code, "message": message or words, **facts}, headers)


def failure(
    outcome: Outcome,
    method: str,
    *,
    handle: str = "",
    message: str = "",
    field: str = "",
    headers: tuple[tuple[str, str], ...] = (),
) -> Reply:
    """What an outcome other than success is answered with."""
    code = CODES[outcome]
    content: dict[str, object] = {"responseCode": code.response_code}
    if handle:
        content["handle"] = handle
    if message:
        content["message"] = message
    if field:
        content["field"] = field
    if outcome in RETRY_AFTER_S:
        headers = (*headers, ("Retry-After", str(RETRY_AFTER_S[outcome])))
    status = code.read_status if method in _READS else code.write_status
    return json_reply(status, content, headers)


def bad_input(error: ProtocolError, handle: str = "") -> Reply:
    """What bytes that cannot be read are answered with."""
    content: dict[str, object] = {"responseCode": PROTOCOL_ERROR}
    if handle:
        content["handle"] = handle
    content["message"] = str(error)
    if error.field:
        content["field"] = error.field
    status = 413 if isinstance(error, TooLarge) and not error.field else 400
    return json_reply(415 if isinstance(error, Unsupported) else status, content)
