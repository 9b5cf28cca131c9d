"""Resolving: native questions as queries, and answers as what is said about them (RFC 3652 §3.2, §3.3)."""

from node.native.exchange import Said
from protocols.errors import ProtocolError
from protocols.handle.codec import Message
from protocols.handle.codes import AUTH, DNRF, PUBL, RECU, RESPONSE_CODES
from protocols.handle.failures import ErrorAnswer
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.versions import DO_IRP_3
from protocols.handle.via import read_via, write_trail
from protocols.identifier import read_identifier
from protocols.message import Answer, Outcome, Principal, Query

HEARTBEAT = b"0"
"""Resolving "0" is how pools of the national SDK ask whether a connection lives; RC 100 says yes."""


def read_query(request: Message, principal: Principal) -> Query | Said:
    """The question, or why it is none."""
    body = request.body
    assert isinstance(body, ResolveRequest)
    if body.handle == HEARTBEAT:
        return _failed(Outcome.NOT_FOUND, "")
    try:
        identifier = read_identifier(body.handle)
    except ProtocolError as error:
        return _failed(Outcome.INVALID_IDENTIFIER, str(error))
    flags = request.header.op_flags
    via, wants_trail = read_via(body.surplus)
    return Query(
        identifier, body.indexes, body.types,
        public_only=bool(flags & PUBL),
        authoritative=bool(flags & AUTH),
        may_recurse=bool(flags & RECU),
        may_refer=not flags & DNRF,
        hop_count=request.header.recursion_count,
        principal=principal,
        via=via,
        wants_trail=wants_trail,
    )  # fmt: skip


def say(request: Message, answer: Answer) -> Said:
    """An answer to a resolve request."""
    body = request.body
    assert isinstance(body, ResolveRequest)
    trail = b"" if answer.trail is None else write_trail(answer.trail)
    code, is_authoritative = RESPONSE_CODES[answer.outcome], answer.is_authoritative
    if answer.outcome is Outcome.SUCCESS:
        return Said(code, ResolveAnswer(body.handle, answer.values, trail), is_authoritative)
    if answer.outcome is Outcome.REFERRAL:
        return Said(code, Referral(b"", answer.values, trail), is_authoritative)
    # From version 3.0 on, a list of indexes may stand where the trail would.
    surplus = trail if request.envelope.version < DO_IRP_3 else b""
    return Said(code, ErrorAnswer(answer.reason.encode(), surplus=surplus), is_authoritative)


def _failed(outcome: Outcome, reason: str) -> Said:
    return Said(RESPONSE_CODES[outcome], ErrorAnswer(reason.encode()))
