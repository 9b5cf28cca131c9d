"""Native requests off the hot path: one whole message in, one answer or silence out; the same for UDP and TCP.

A question that another node must be asked comes back as ``Asked``: ``ask`` begins, ``finish`` makes the message of the
answer. Op 1 (resolve) and op 2 (get-site-info) are answered, everything else gets RC 5: never RC 402, which the
national SDK reads as success. Bad bytes are answered from what could be read of them (RFC 3652 §3.3).
"""

from collections.abc import Callable
from typing import Protocol

from node.driver import Then
from node.logs import get_log
from node.metrics import NATIVE_ANSWERS, NATIVE_FAULTS, QUERY_ERRORS
from node.service import Service, forget_nothing
from node.site import SiteInfo
from protocols.errors import ProtocolError, Unsupported
from protocols.handle.codec import Body, Head, Message, decode, decode_head, encode
from protocols.handle.codes import AUTH, DNRF, PUBL, RECU, RESPONSE_CODES, OpCode, ResponseCode
from protocols.handle.envelope import COMPRESSED, ENCRYPTED, ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import DEFAULT_EXPIRATION_S
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.site_info import SiteAnswer
from protocols.handle.versions import DO_IRP_3, OLDEST
from protocols.handle.via import read_via, write_trail
from protocols.identifier import read_identifier
from protocols.message import Answer, Outcome, Query
from resolver.source import Now, Peer

HEARTBEAT = b"0"
"""Resolving "0" is how pools of the national SDK ask whether a connection lives; RC 100 says yes."""
USE_TCP = "answer too large for UDP: use TCP"
NO_ADMIN = "not supported by this server: operation {}"

OWNER_GONE = Answer(Outcome.ERROR, reason="this session is over")
TOO_MANY_RELAYED = Answer(Outcome.BUSY, reason="too many messages of other sessions wait")
_SESSION_ID = slice(4, 8)
"""Of the envelope (RFC 3652 §2.1.2), which is never encrypted."""

log = get_log("native")


class Asked:
    """A message whose answer comes later."""

    __slots__ = ()


class Question(Asked):
    """One that another node must be asked."""

    __slots__ = ("peer", "query", "request")

    def __init__(self, request: Message, query: Query, peer: Peer) -> None:
        self.request, self.query, self.peer = request, query, peer


class Relayed(Asked):
    """One that belongs to a session of another worker, which answers it."""

    __slots__ = ("answer", "message", "owner", "peer")

    def __init__(self, message: bytes, owner: int, peer: Peer) -> None:
        self.message, self.owner, self.peer = message, owner, peer
        self.answer: bytes | None = None


class Siblings(Protocol):
    """The other workers, as far as listeners need them (``node/relay.py``)."""

    def owner_of(self, session_id: int) -> int | None:
        """The slot of the living worker, other than this one, that made the id."""

    def pass_datagram(
        self, owner: int, place: int, message: bytes, peer: Peer, most_bytes: int
    ) -> bool:
        """Have it answered to the client by the owner's own socket ``place``; False when it cannot be passed on."""

    def pass_message(
        self, owner: int, message: bytes, peer: Peer, then: Callable[[bytes | None], None]
    ) -> Callable[[], None] | None:
        """Have it answered to ``then``, once, None = the owner is gone; returns how to forget it. None = no room."""


class NativeSpeaker:
    """Answers whole native messages; one for all native listeners of a worker."""

    def __init__(self, service: Service, site: SiteInfo) -> None:
        self._service = service
        self._site = site
        self._place = 0
        """Which of the worker's UDP sockets it speaks for."""
        self.siblings: Siblings | None = None
        """Those who may own a session; None = there are no others."""

    def of_socket(self, place: int) -> "NativeSpeaker":
        """The same for UDP socket number ``place`` of the worker, so that an owner can answer from its like."""
        other = NativeSpeaker(self._service, self._site)
        other._place, other.siblings = place, self.siblings
        return other

    def answer(self, message: bytes, peer: Peer, now: Now, most_bytes: int) -> bytes | Asked | None:
        """The encoded answer, at most ``most_bytes`` long; None = silence. A bug here costs one question."""
        owner = self._owner(message)
        if owner is None:
            return self.answer_here(message, peer, now, most_bytes)
        if peer.transport != "udp":
            return Relayed(message, owner, peer)
        if not self._pass_datagram(message, owner, peer, most_bytes):
            NATIVE_FAULTS.labels(peer.transport, "not-relayed").inc()
        return None  # the owner answers; or the client, who hears nothing, asks again

    def answer_here(
        self, message: bytes, peer: Peer, now: Now, most_bytes: int
    ) -> bytes | Question | None:
        """The same whoever owns the session: what a sibling has passed on is never passed on again."""
        try:
            head = decode_head(message)
        except ProtocolError:
            NATIVE_FAULTS.labels(peer.transport, "too-short").inc()
            return None
        if not head.header.is_request:
            NATIVE_FAULTS.labels(peer.transport, "response").inc()
            return None
        try:
            made = self._answer(message, head, peer, now)
        except Exception:  # one question must not stop the worker
            QUERY_ERRORS.inc()
            log.exception("a question met a bug", extra={"op_code": head.header.op_code})
            made = self.refusal(head, ResponseCode.ERROR, "internal error", now)
        if isinstance(made, Question):
            return made
        return self._fit(made, head, peer, now, most_bytes)

    def ask(self, asked: Asked, now: Now, then: Then) -> Callable[[], None]:
        """Have others asked; ``then`` gets what ``finish`` takes, perhaps at once. Returns how to forget about it."""
        if isinstance(asked, Relayed):
            return self._pass_message(asked, then)
        assert isinstance(asked, Question)
        return self._service.resolve_later(asked.query, asked.peer, now, then)

    def finish(self, asked: Asked, answer: Answer, now: Now, most_bytes: int) -> bytes | None:
        """The encoded answer to a question that others were asked; None = silence."""
        if isinstance(asked, Relayed):
            return asked.answer or self._without_owner(asked, answer, now, most_bytes)
        assert isinstance(asked, Question)
        request, peer = asked.request, asked.peer
        head = Head(request.envelope, request.header, request.received)
        return self._fit(self._told(request, answer, now), head, peer, now, most_bytes)

    def refusal(self, head: Head, code: int, text: str, now: Now) -> Message:
        """An error answer to a message of which only the head is known."""
        return error_reply(
            head, code, text, serial=self._site.serial, expiration_s=_expiration_s(now)
        )

    def refuse(
        self, message: bytes, code: int, text: str, now: Now, most_bytes: int
    ) -> bytes | None:
        """The encoded refusal of a message that is not looked at further; None when it has no whole head."""
        try:
            head = decode_head(message)
        except ProtocolError:
            return None
        encoded = encode(self.refusal(head, code, text, now))
        if len(encoded) > most_bytes:
            encoded = encode(self.refusal(head, code, "", now))
        return encoded if len(encoded) <= most_bytes else None

    def _owner(self, message: bytes) -> int | None:
        """Whose session the message belongs to, if it is a sibling's."""
        if self.siblings is None or len(message) < ENVELOPE_BYTES:
            return None
        session_id = int.from_bytes(message[_SESSION_ID])
        return self.siblings.owner_of(session_id) if session_id else None

    def _pass_datagram(self, message: bytes, owner: int, peer: Peer, most_bytes: int) -> bool:
        assert self.siblings is not None
        return self.siblings.pass_datagram(owner, self._place, message, peer, most_bytes)

    def _pass_message(self, relayed: Relayed, then: Then) -> Callable[[], None]:
        assert self.siblings is not None

        def tell(answer: bytes | None) -> None:
            relayed.answer = answer
            then(OWNER_GONE)  # ``finish`` says it only if there is no answer

        forget = self.siblings.pass_message(relayed.owner, relayed.message, relayed.peer, tell)
        if forget is None:
            then(TOO_MANY_RELAYED)
        return forget or forget_nothing

    def _without_owner(
        self, relayed: Relayed, answer: Answer, now: Now, most_bytes: int
    ) -> bytes | None:
        """A session that nobody holds any more is over (RC 500), and clients begin a new one."""
        code = ResponseCode.SESSION_TIMEOUT
        if answer.outcome is Outcome.BUSY:
            code = ResponseCode(RESPONSE_CODES[Outcome.BUSY])
        NATIVE_ANSWERS.labels(relayed.peer.transport, _code_name(code)).inc()
        return self.refuse(relayed.message, code, answer.reason, now, most_bytes)

    def _answer(self, message: bytes, head: Head, peer: Peer, now: Now) -> Message | Question:
        trouble = _envelope_trouble(head)
        if trouble is not None:
            return self.refusal(head, *trouble, now)
        handler = HANDLERS.get(head.header.op_code)
        if handler is None:
            text = NO_ADMIN.format(head.header.op_code)
            return self.refusal(head, ResponseCode.NOT_SUPPORTED, text, now)
        try:
            request = decode(message)
        except Unsupported as error:
            return self.refusal(head, ResponseCode.NOT_SUPPORTED, str(error), now)
        except ProtocolError as error:
            NATIVE_FAULTS.labels(peer.transport, "malformed").inc()
            return self.refusal(head, ResponseCode.PROTOCOL_ERROR, str(error), now)
        return handler(self, request, peer, now)

    def _resolve(self, request: Message, peer: Peer, now: Now) -> Message | Question:
        body = request.body
        assert isinstance(body, ResolveRequest)
        if body.handle == HEARTBEAT:
            return self._error(request, Outcome.NOT_FOUND, "", now)
        try:
            identifier = read_identifier(body.handle)
        except ProtocolError as error:
            return self._error(request, Outcome.INVALID_IDENTIFIER, str(error), now)
        flags = request.header.op_flags
        via, wants_trail = read_via(body.surplus)
        query = Query(
            identifier, body.indexes, body.types,
            public_only=bool(flags & PUBL),
            authoritative=bool(flags & AUTH),
            may_recurse=bool(flags & RECU),
            may_refer=not flags & DNRF,
            hop_count=request.header.recursion_count,
            via=via,
            wants_trail=wants_trail,
        )  # fmt: skip
        answer = self._service.resolve_now(query, peer, now)
        return (
            Question(request, query, peer) if answer is None else self._told(request, answer, now)
        )

    def _told(self, request: Message, answer: Answer, now: Now) -> Message:
        """An answer as a message."""
        body = request.body
        assert isinstance(body, ResolveRequest)
        trail = b"" if answer.trail is None else write_trail(answer.trail)
        made: Body
        if answer.outcome is Outcome.SUCCESS:
            made = ResolveAnswer(body.handle, answer.values, trail)
        elif answer.outcome is Outcome.REFERRAL:
            made = Referral(b"", answer.values, trail)
        else:
            # From version 3.0 on, a list of indexes may stand where the trail would.
            surplus = trail if request.envelope.version < DO_IRP_3 else b""
            made = ErrorAnswer(answer.reason.encode(), surplus=surplus)
        return reply(
            request, RESPONSE_CODES[answer.outcome], made,
            serial=self._site.serial,
            expiration_s=_expiration_s(now),
            is_authoritative=answer.is_authoritative,
        )  # fmt: skip

    def _get_site(self, request: Message, _peer: Peer, now: Now) -> Message:
        self._site.look()
        if not self._site.data:
            return self._error(request, Outcome.NOT_SUPPORTED, "this node publishes no site", now)
        return reply(
            request, ResponseCode.SUCCESS, SiteAnswer(self._site.data),
            serial=self._site.serial, expiration_s=_expiration_s(now),
        )  # fmt: skip

    def _error(self, request: Message, outcome: Outcome, text: str, now: Now) -> Message:
        return error_reply(
            request,
            RESPONSE_CODES[outcome],
            text,
            serial=self._site.serial,
            expiration_s=_expiration_s(now),
        )

    def _fit(
        self, made: Message, head: Head, peer: Peer, now: Now, most_bytes: int
    ) -> bytes | None:
        """Encoded, and made smaller until it fits; None when nothing does."""
        encoded = encode(made)
        while len(encoded) > most_bytes:
            smaller = self._smaller(made, head, now)
            if smaller is None:
                break
            made, encoded = smaller, encode(smaller)
        NATIVE_ANSWERS.labels(peer.transport, _code_name(made.header.response_code)).inc()
        return encoded if len(encoded) <= most_bytes else None

    def _smaller(self, made: Message, head: Head, now: Now) -> Message | None:
        """Without the trail; else an error without its text, anything else as RC 2: clients go to TCP at once."""
        body = made.body
        if isinstance(body, ResolveAnswer | Referral | ErrorAnswer) and body.surplus:
            return made._replace(body=body._replace(surplus=b""))
        if isinstance(body, ErrorAnswer):
            return made._replace(body=ErrorAnswer(b"")) if body.message else None
        return self.refusal(head, ResponseCode.ERROR, USE_TCP, now)


def _envelope_trouble(head: Head) -> tuple[int, str] | None:
    envelope = head.envelope
    if envelope.version < OLDEST:
        return ResponseCode.PROTOCOL_ERROR, "version 2.0 is not spoken here; use 2.1 to 2.11"
    if envelope.flags & ENCRYPTED:
        return ResponseCode.SESSION_TIMEOUT, "encrypted, but there is no such session"
    if envelope.flags & COMPRESSED:
        return ResponseCode.PROTOCOL_ERROR, "compressed messages are not supported"
    if envelope.length > MAX_MESSAGE_BYTES:
        return ResponseCode.PROTOCOL_ERROR, f"message above {MAX_MESSAGE_BYTES} bytes"
    return None


def _expiration_s(now: Now) -> int:
    return int(now.wall_s) + DEFAULT_EXPIRATION_S


def _code_name(code: int) -> str:
    return _CODE_NAMES.get(code, "other")


Handler = Callable[[NativeSpeaker, Message, Peer, Now], Message | Question]
HANDLERS: dict[int, Handler] = {
    OpCode.RESOLVE: NativeSpeaker._resolve,  # noqa: SLF001  # the class's own table
    OpCode.GET_SITE_INFO: NativeSpeaker._get_site,  # noqa: SLF001
}
_CODE_NAMES = {int(code): code.name.lower().replace("_", "-") for code in ResponseCode}
