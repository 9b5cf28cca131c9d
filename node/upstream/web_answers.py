"""Answers of the Handle JSON API as replies.

A document with a response code is believed as far as it goes; a body without one is told by its HTTP status, and never
says that an identifier does not exist: any web server has a page for that.
"""

from node.upstream.messages import printable, public_by_index
from protocols.errors import ProtocolError
from protocols.handle.codes import outcome_of
from protocols.handle.versions import OWN
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.message import Outcome
from protocols.rest.json_reader import JsonReader, parse_json
from protocols.rest.value_json import read_values_json
from protocols.trail import read_trail_document
from resolver.asking import Reply, Trouble

OK = 200
SERVER_TROUBLE = 500
BUSY_STATUSES = frozenset({429, 503})
"""Too many requests; service unavailable."""
MAX_REASON_BYTES = 65_536
"""Of a server's own words, before they are cut; nobody means more as a reason."""


def read_answer(status: int, body: bytes) -> Reply | Trouble:
    """What a response says; GARBAGE when that cannot be known."""
    try:
        document = parse_json(body)
        if not document.is_object:
            return _by_status(status)
        code = document.get("responseCode")
        return _by_status(status) if code is None else _read_document(document, code, status)
    except ProtocolError:
        return _by_status(status)


def _read_document(document: JsonReader, code: JsonReader, status: int) -> Reply | Trouble:
    outcome = outcome_of(code.read_int(), OWN)
    if outcome is Outcome.SUCCESS and status != OK:
        return Trouble.GARBAGE
    handle, values = document.get("handle"), document.get("values")
    message, trail = document.get("message"), document.get("trail")
    spelling = handle.read_text(MAX_IDENTIFIER_BYTES).encode() if handle is not None else b""
    return Reply(
        outcome,
        spelling,
        public_by_index(read_values_json(values)) if values is not None else (),
        reason=printable(message.read_text(MAX_REASON_BYTES)) if message is not None else "",
        trail=read_trail_document(trail.value) if trail is not None else None,
    )


def _by_status(status: int) -> Reply | Trouble:
    if status in BUSY_STATUSES:
        return Reply(Outcome.BUSY, reason=f"HTTP status {status}")
    if status >= SERVER_TROUBLE:
        return Reply(Outcome.ERROR, reason=f"HTTP status {status}")
    return Trouble.GARBAGE
