"""Challenge: how a client is told what to log in with (RFC 9110 §11.6.1, Handle.Net manual).

::

    WWW-Authenticate: Basic realm="handle", charset="UTF-8"
    WWW-Authenticate: Handle sessionId="…", nonce="…", serverAlg="SHA-256", serverSignature="…", error="…"

Scripts of web pages (``X-Requested-With: XMLHttpRequest``) are not told of Basic: their browsers would ask people for
a password. Each 401 begins a session unless the request was of one; when there is no room, only Basic is offered.
"""

import base64

from node.http.errors import failure
from node.http.reply import Reply
from node.http.request import Request
from node.http.sessions import State
from protocols.message import ANONYMOUS, Outcome, Principal

PLAIN_HTTP = (
    "passwords are accepted over HTTPS, or from this machine itself, only; this connection is neither, "
    "and a password sent over it should be changed"
)
MAX_ERROR_CHARS = 200
"""Some error messages repeat a name, which may be long; the body has the whole of it."""
SERVER_ALGORITHM = "SHA-256"
_BASIC = 'Basic realm="handle", charset="UTF-8"'


def challenge(
    request: Request, outcome: Outcome, message: str, handle: str = "", error: str = ""
) -> Reply:
    """401 with what to log in with, or 403 where a password could not be accepted anyway (Handle.Net manual).

    ``error``: what was wrong with a Handle login, told in its own field as well.
    """
    if not request.is_secure:
        return failure(
            Outcome.PERMISSION_DENIED,
            request.method,
            handle=handle,
            message=f"{message}; {PLAIN_HTTP}",
        )
    headers = tuple(("WWW-Authenticate", line) for line in _lines(request, error))
    reply = failure(outcome, request.method, handle=handle, message=message, headers=headers)
    return reply._replace(status=401)


def session_document(
    request: Request, principal: Principal = ANONYMOUS, error: str = ""
) -> dict[str, object]:
    """The session as JSON: what the challenge says, and who is there, logged in to the session or not."""
    state = request.session
    shown: dict[str, object] = {}
    if state is not None:
        shown |= {"sessionId": state.id, "nonce": _base64(state.nonce)}
    if request.server_proof:
        shown |= {
            "serverAlg": SERVER_ALGORITHM,
            "serverSignature": _base64(request.server_proof),
        }
    if principal != ANONYMOUS:
        shown |= {"authenticated": True, "id": principal.name}
    if error:
        shown["error"] = error
    return shown or {"authenticated": False}


def _lines(request: Request, error: str) -> list[str]:
    is_script = request.headers.get("X-Requested-With", "").lower() == "xmlhttprequest"
    state = request.session or request.open_session()
    lines = [] if is_script else [_BASIC]
    return [*lines, _handle_line(request, state, error)] if state is not None else lines


def _handle_line(request: Request, state: State, error: str) -> str:
    fields = [f'sessionId="{state.id}"', f'nonce="{_base64(state.nonce)}"']
    if request.server_proof:
        fields.append(f'serverAlg="{SERVER_ALGORITHM}"')
        fields.append(f'serverSignature="{_base64(request.server_proof)}"')
    if error:
        fields.append(f'error="{_quotable(error)}"')
    return "Handle " + ", ".join(fields)


def _quotable(error: str) -> str:
    """As it may stand between quotes in a header, whatever names are in it."""
    plain = error[:MAX_ERROR_CHARS].encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() and c not in '"\\' else "'" for c in plain)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
