"""Native requests off the hot path: one whole message in, one answer or silence out; the same for UDP and TCP.

A question that another node must be asked comes back as ``Asked``: ``ask`` begins, ``finish`` makes the message of the
answer. Op 1 (resolve) and op 2 (get-site-info) are answered, everything else gets RC 5: never RC 402, which the
national SDK reads as success. Bad bytes are answered from what could be read of them (RFC 3652 §3.3).
"""

from collections.abc import Callable
from typing import NamedTuple

from node.driver import Then
from node.logs import get_log
from node.metrics import NATIVE_ANSWERS, NATIVE_FAULTS, QUERY_ERRORS
from node.service import Service
from node.site import SiteInfo
from protocols.errors import ProtocolError, Unsupported
from protocols.handle.codec import Body, Head, Message, decode, decode_head, encode
from protocols.handle.codes import AUTH, DNRF, PUBL, RECU, RESPONSE_CODES, OpCode, ResponseCode
from protocols.handle.envelope import COMPRESSED, ENCRYPTED, MAX_MESSAGE_BYTES
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

log = get_log("native")


class Asked(NamedTuple):
    """A question that another node must be asked."""

    request: Message
    query: Query
    peer: Peer


class NativeSpeaker:
    """Answers whole native messages; one for all native listeners of a worker."""

    def __init__(self, service: Service, site: SiteInfo) -> None:
        self._service = service
        self._site = site

    def answer(self, message: bytes, peer: Peer, now: Now, most_bytes: int) -> bytes | Asked | None:
        """The encoded answer, at most ``most_bytes`` long; None = silence. A bug here costs one question."""
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
        return made if isinstance(made, Asked) else self._fit(made, head, peer, now, most_bytes)

    def ask(self, asked: Asked, now: Now, then: Then) -> Callable[[], None]:
        """Have others asked; ``then`` gets what ``finish`` takes, perhaps at once. Returns how to forget about it."""
        return self._service.resolve_later(asked.query, asked.peer, now, then)

    def finish(self, asked: Asked, answer: Answer, now: Now, most_bytes: int) -> bytes | None:
        """The encoded answer to a question that others were asked; None = silence."""
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

    def _answer(self, message: bytes, head: Head, peer: Peer, now: Now) -> Message | Asked:
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

    def _resolve(self, request: Message, peer: Peer, now: Now) -> Message | Asked:
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
        return Asked(request, query, peer) if answer is None else self._told(request, answer, now)

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


Handler = Callable[[NativeSpeaker, Message, Peer, Now], Message | Asked]
HANDLERS: dict[int, Handler] = {
    OpCode.RESOLVE: NativeSpeaker._resolve,  # noqa: SLF001  # the class's own table
    OpCode.GET_SITE_INFO: NativeSpeaker._get_site,  # noqa: SLF001
}
_CODE_NAMES = {int(code): code.name.lower().replace("_", "-") for code in ResponseCode}
