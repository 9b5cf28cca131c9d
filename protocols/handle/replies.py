"""Replies: from a request's head to the message that answers it, with the fields every answer copies or sets.

Version, flags, ids and request digest follow RFC 3652 §2.2 and what Handle.Net servers do; the body is the caller's.
"""

from protocols.handle.codec import Body, Head, Message
from protocols.handle.codes import AUTH, ECHOED_FLAGS, RECU, RRDG, ResponseCode, spell_code
from protocols.handle.digest import request_digest
from protocols.handle.envelope import Envelope
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import Header
from protocols.handle.versions import DO_IRP_3, OWN, answer_version


def reply(  # noqa: PLR0913  # an answer's fields
    request: Head | Message,
    response_code: int,
    body: Body,
    *,
    serial: int,
    expiration_s: int,
    session_id: int | None = None,
    is_authoritative: bool = True,
) -> Message:
    """The answer to ``request``; encode it with ``codec.encode``.

    ``response_code`` as of today, spelled for old versions here; ``serial`` of our HS_SITE; ``expiration_s`` seconds
    since 1970, in the future; ``session_id`` when it is not the request's; ``is_authoritative`` = from the records of
    the responsible node, which AUTH tells the client.
    """
    version = answer_version(request.envelope.version, request.envelope.suggested)
    flags = request.header.op_flags & ECHOED_FLAGS | RECU
    flags = flags | AUTH if is_authoritative else flags & ~AUTH
    if response_code == ResponseCode.AUTHENTICATION_NEEDED:
        flags |= RRDG  # a challenge always names its request
    own = DO_IRP_3 if version >= DO_IRP_3 else OWN
    envelope = Envelope(
        *version,
        suggested_major=own[0],
        suggested_minor=own[1],
        session_id=request.envelope.session_id if session_id is None else session_id,
        request_id=request.envelope.request_id,
    )
    header = Header(
        request.header.op_code,
        spell_code(response_code, version),
        flags,
        serial,
        expiration_s=expiration_s,
    )
    digest = request_digest(version, request.received) if flags & RRDG else None
    return Message(envelope, header, body, digest)


def error_reply(
    request: Head | Message, response_code: int, text: str, *, serial: int, expiration_s: int
) -> Message:
    """The answer when something is wrong; ``text`` says to people what, where and why."""
    body = ErrorAnswer(text.encode())
    return reply(request, response_code, body, serial=serial, expiration_s=expiration_s)
