"""Broken tunnels (``conformance/checks/http_tunnel.py``)."""

from collections.abc import Callable

from protocols.handle.codec import decode, encode
from protocols.handle.envelope import decode_envelope, encode_envelope
from tests.broken_nodes.breakage import Answered, Breakage, HttpAnswer, http
from tests.broken_nodes.http_edits import http_body, http_field, http_status, http_when


def _message(change: Callable[[bytes], bytes]) -> HttpAnswer:
    """The message in a successful answer, changed."""
    return http_when(http_body(change), status=200)


def _other_id(message: bytes) -> bytes:
    return encode_envelope(decode_envelope(message)._replace(request_id=1)) + message[20:]


def _says(code: int) -> HttpAnswer:
    """Another response code, in a message that is otherwise the same."""
    return _message(lambda message: message[:24] + code.to_bytes(4) + message[28:])


def _no_values(message: bytes) -> bytes:
    decoded = decode(message)
    return encode(decoded._replace(body=decoded.body._replace(values=())))  # type: ignore[attr-defined]


BREAKAGES: dict[str, Breakage] = {
    "http.tunnel.resolve": http("forgets the values", _message(_no_values)),
    "http.tunnel.content-type": http(
        "calls messages bytes", http_field("Content-Type", "application/octet-stream")
    ),
    "http.tunnel.request-id": http("numbers its answers itself", _message(_other_id)),
    "http.tunnel.any-path": http("takes messages at / only", http_status(400)),
    "http.tunnel.not-found": http("says 404 for absent handles", http_status(500)),
    "http.tunnel.administration-needs-proof": http("says 400", _says(400)),
    "http.tunnel.garbage": http("fails", lambda _, answered: Answered(500, answered.fields)),
}
