"""Sessions as resources: ``/api/sessions`` and ``/api/sessions/this`` (Handle.Net manual, JSON API).

``POST /api/sessions`` begins one: 201, its id and a nonce in the body. ``PUT`` or ``POST`` of ``this`` logs in to it,
with the fields of ``Authorization: Handle`` in the header or as a JSON object in the body; ``GET`` shows who is logged
in; ``DELETE`` ends it. Sessions are for connections over which passwords may travel, anybody else gets 403.
"""

from urllib.parse import quote

from node.http.api import Api
from node.http.challenge import PLAIN_HTTP, challenge, session_document
from node.http.errors import failure
from node.http.handle_auth import Fields, collect, read_fields
from node.http.handle_login import NO_SESSION, Refusal
from node.http.reply import Reply, json_reply
from node.http.request import Request
from protocols.errors import Malformed, ProtocolError
from protocols.message import ANONYMOUS, Outcome, Principal
from protocols.rest.codes import CODES
from protocols.rest.json_reader import parse_json

MAX_BODY_BYTES = 32_768
"""Fields of a login, base64 in JSON."""
_MAX_FIELDS = 32
_PRIVATE = ("Cache-Control", "no-store")
_FULL = "there is no room for another session now"
_NAMED = "a session is begun without the id of another one"


async def begin_session(api: Api, request: Request) -> Reply:
    """A new session; who shows a password or a certificate along with it is logged in at once."""
    if not request.is_secure:
        return _refused(request, Refusal(Outcome.PERMISSION_DENIED, PLAIN_HTTP))
    fields = await _read(request)
    if fields.session_id:
        return _refused(request, Refusal(Outcome.PROTOCOL_ERROR, _NAMED))
    if api.login.open(request) is None:
        return _refused(request, Refusal(Outcome.BUSY, _FULL))
    said = await _identify(api, request, fields)
    if isinstance(said, Refusal):
        return _refused(request, said)
    headers = (("Location", "/api/sessions/this"), _PRIVATE)
    return json_reply(201, session_document(request, said), headers, is_pretty=request.is_pretty)


async def use_session(api: Api, request: Request) -> Reply:
    """Log in to the session, or only look at it."""
    if not request.is_secure:
        return _refused(request, Refusal(Outcome.PERMISSION_DENIED, PLAIN_HTTP))
    fields = await _read(request)
    said = await _identify(api, request, fields)
    if fields.session_id and request.session is None:
        return _refused(request, Refusal(Outcome.PERMISSION_DENIED, NO_SESSION))
    if isinstance(said, Refusal):
        return _refused(request, said)
    return json_reply(
        200, session_document(request, said), (_PRIVATE,), is_pretty=request.is_pretty
    )


async def end_session(api: Api, request: Request) -> Reply:
    """Log out."""
    if not request.is_secure:
        return _refused(request, Refusal(Outcome.PERMISSION_DENIED, PLAIN_HTTP))
    fields = await _read(request)
    if not fields.session_id or await api.login.look(request, fields.session_id) is None:
        return _refused(request, Refusal(Outcome.PERMISSION_DENIED, NO_SESSION))
    await api.login.close(request, fields.session_id)
    return Reply(204)


async def _read(request: Request) -> Fields:
    """From the header, and what it does not say from the body. Raises ``ProtocolError``."""
    header = request.headers.get("Authorization", "")
    is_handle = header.strip().partition(" ")[0].lower() == "handle"
    fields = read_fields(header) if is_handle else Fields()
    if request.method not in {"POST", "PUT"} or request.media_type() != "application/json":
        return fields
    body = await request.read_body(MAX_BODY_BYTES)
    said = parse_json(body).value if body.strip() else {}
    if not isinstance(said, dict) or len(said) > _MAX_FIELDS:
        raise Malformed("body: an object with the fields of a login expected")
    texts = [(name, _text(name, value)) for name, value in said.items()]
    more = collect(texts)
    return Fields(*(first or second for first, second in zip(fields, more, strict=True)))


def _text(name: str, value: object) -> str:
    """A member as the header would have it, where the id is percent-encoded."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise Malformed(f"{name[:20]}: text expected")
    return quote(str(value), safe=":/") if name.lower() == "id" else str(value)


async def _identify(api: Api, request: Request, fields: Fields) -> Principal | Refusal:
    header = request.headers.get("Authorization", "")
    said: Principal | Refusal
    if header.strip().partition(" ")[0].lower() in {"", "handle"}:
        said = await api.login.identify(request, fields)
    else:
        try:
            said = await api.identify_by_password(request, header)
        except ProtocolError as error:
            said = Refusal(Outcome.AUTHENTICATION_FAILED, str(error))
    if isinstance(said, Principal) and said != ANONYMOUS:
        session = request.session
        if session is not None and not session.is_admitted:
            await api.login.admit(request, said)
    return said


def _refused(request: Request, refusal: Refusal) -> Reply:
    """The session as far as there is one, and what was wrong."""
    outcome, words = refusal
    if outcome in {Outcome.AUTHENTICATION_FAILED, Outcome.AUTHENTICATION_NEEDED}:
        told = challenge(request, Outcome.AUTHENTICATION_NEEDED, words, error=words)
        code = CODES[Outcome.AUTHENTICATION_NEEDED].response_code
        content = {"responseCode": code, "message": words, **session_document(request, error=words)}
        return json_reply(401, content, (*told.headers, _PRIVATE))
    return failure(outcome, request.method, message=words)
