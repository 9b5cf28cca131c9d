"""Message making: a question as a native request, and a native answer as a reply (RFC 3652 §3.2, §3.3).

Asked is always for the whole public record: no indexes, no types, PUBL set.
"""

from node.upstream.job import Job
from protocols.errors import Malformed
from protocols.handle.administration import HandleRequest
from protocols.handle.authentication import VerifyRequest
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import AUTH, CACR, CERT, PUBL, RECU, RRDG, OpCode, outcome_of
from protocols.handle.envelope import ENVELOPE_BYTES, HEADER_BYTES, Envelope
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import DEFAULT_EXPIRATION_S, Header
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.via import read_trail, write_via
from protocols.message import Outcome
from protocols.values.value import Value
from resolver.asking import Question, Reply

MAX_REASON_CHARS = 500
"""Of a server's own words; they go into answers and logs of ours."""
MAX_RECURSION_COUNT = 255
"""One byte."""
_LENGTH_AT = ENVELOPE_BYTES + HEADER_BYTES - 4


def question_message(
    question: Question, request_id: int, wall_s: float, *, wants_proof: bool, says_via: bool
) -> bytes:
    """The resolve request. With ``wants_proof`` the answer shall be signed, and name its request by digest."""
    flags = (
        CACR
        | PUBL
        | RECU * question.may_recurse
        | AUTH * question.authoritative
        | (CERT | RRDG) * wants_proof
    )
    header = Header(
        OpCode.RESOLVE,
        op_flags=flags,
        recursion_count=min(question.hop_count, MAX_RECURSION_COUNT),
        expiration_s=int(wall_s) + DEFAULT_EXPIRATION_S,
    )
    surplus = write_via(question.via, question.wants_trail) if says_via else b""
    body = ResolveRequest(question.spelling, surplus=surplus)
    return encode(Message(Envelope(request_id=request_id), header, body))


def site_message(request_id: int, wall_s: float) -> bytes:
    """A get-site-info request: the server's site names its keys."""
    header = Header(OpCode.GET_SITE_INFO, expiration_s=int(wall_s) + DEFAULT_EXPIRATION_S)
    return encode(Message(Envelope(request_id=request_id), header, HandleRequest()))


def verify_message(body: VerifyRequest, request_id: int, wall_s: float) -> bytes:
    """Is this proof right (op 201)? The answer shall be signed, and name its request by digest."""
    header = Header(
        OpCode.VERIFY_CHALLENGE,
        op_flags=CERT | RRDG,
        expiration_s=int(wall_s) + DEFAULT_EXPIRATION_S,
    )
    return encode(Message(Envelope(request_id=request_id), header, body))


def signed_part(message: bytes) -> bytes:
    """Header and body of an encoded message of ours: what the digest in an answer is over."""
    end = ENVELOPE_BYTES + HEADER_BYTES
    end += int.from_bytes(message[_LENGTH_AT : _LENGTH_AT + 4])
    return message[ENVELOPE_BYTES:end]


def decode_answer(data: bytes, job: Job) -> Message:
    """A whole message that answers ``job``. Raises ``ProtocolError`` when it is none."""
    message = decode(data)
    if message.header.is_request:
        raise Malformed("a request where an answer belongs", ENVELOPE_BYTES + 4)
    if message.header.op_code != job.op_code:
        raise Malformed(f"an answer to op code {message.header.op_code}", ENVELOPE_BYTES)
    return message


def is_for(message: Message, question: Question) -> bool:
    """Whether an answer is for the asked identifier, as far as it says so (case is ASCII only)."""
    body = message.body
    return not isinstance(body, ResolveAnswer) or body.handle.upper() == question.spelling.upper()


def reply_of(message: Message, *, is_signed: bool) -> Reply:
    """What a native answer says."""
    body, header = message.body, message.header
    reply = Reply(
        outcome_of(header.response_code, message.envelope.version),
        expires_s=header.expiration_s,
        is_signed=is_signed,
    )
    match body:
        case ResolveAnswer(handle, values, surplus):
            return reply._replace(
                spelling=handle, values=public_by_index(values), trail=read_trail(surplus)
            )
        case Referral(handle, values, surplus):
            found = public_by_index(values or ())
            return reply._replace(values=found, referral=handle, trail=read_trail(surplus))
        case ErrorAnswer(_, _, surplus):
            words = printable(body.text)
            return reply._replace(reason=words, trail=read_trail(surplus))
        case _:  # a challenge
            return reply


def public_by_index(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Public values by index: nothing else was asked for, and nothing else is passed on."""
    return tuple(sorted((v for v in values if v.is_public), key=lambda value: value.index))


def printable(text: str) -> str:
    """A server's words, cut, without control characters that could forge lines of a log."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_REASON_CHARS])


TELLS_NOTHING = frozenset(
    {Outcome.ERROR, Outcome.BUSY, Outcome.PROTOCOL_ERROR, Outcome.NOT_SUPPORTED}
)
"""Outcomes about a server rather than an identifier: believed without proof, since nothing is learned from them."""
