"""Native requests off the hot path: one whole message in, one answer or silence out; the same for UDP and TCP.

What takes time comes back as ``Asked``: another node or worker is asked, a proof is checked, a record changed, an
answer signed. ``ask`` begins it, ``finish`` gives the message of the answer. What requests mean is the office's to know
(``node/native/office.py``). Bad bytes are answered from what could be read of them (RFC 3652 §3.3).
"""

import asyncio
from collections.abc import Callable
from functools import partial

from node.driver import Then
from node.logs import get_log
from node.metrics import NATIVE_ANSWERS, NATIVE_FAULTS, QUERY_ERRORS
from node.native.administering import OPERATIONS
from node.native.asked import Asked, Deed, Question, Relayed, Siblings
from node.native.deeds import Deeds
from node.native.exchange import Exchange, Refusal, Speaking
from node.native.identity import BAD_CIPHERTEXT, identify, open_sealed
from node.native.link import Link
from node.native.office import USE_TCP, Office, Task
from node.native.resolving import say
from node.native.sessions import Repeatable
from node.native.telling import code_name, expiration_s
from node.service import Service, forget_nothing
from node.site import SiteInfo
from protocols.errors import ProtocolError, Unsupported
from protocols.handle.codec import Head, Message, decode, decode_head, encode
from protocols.handle.codes import RESPONSE_CODES, OpCode, ResponseCode
from protocols.handle.envelope import COMPRESSED, ENCRYPTED, ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import Header
from protocols.handle.replies import error_reply
from protocols.handle.resolution import Referral, ResolveAnswer
from protocols.handle.versions import OLDEST
from protocols.message import Answer, Outcome, Query
from resolver.source import Now, Peer

OWNER_GONE = Answer(Outcome.ERROR, reason="this session is over")
MAY_BE_DONE = (
    "no answer in time from the worker that has this session or challenge: the request may have been carried out; "
    "send the same message again within a minute to hear what came of it, or resolve the handle"
)
DONE = Answer(Outcome.SUCCESS)
"""What is told of a deed, whose answer is made already."""
TOO_MANY_RELAYED = Answer(Outcome.BUSY, reason="too many messages of other sessions wait")
TOO_MANY_DEEDS = Answer(Outcome.BUSY, reason="too many requests are under way; ask again")
_SESSION_ID = slice(4, 8)
"""Of the envelope (RFC 3652 §2.1.2), which is never encrypted."""

log = get_log("native")


class NativeSpeaker:
    """Answers whole native messages; one for all native listeners of a worker."""

    def __init__(self, service: Service, site: SiteInfo, office: Office) -> None:
        self._service, self._site, self._office = service, site, office
        self._deeds = Deeds(self._spoiled)
        self._place = 0
        """Which of the worker's UDP sockets it speaks for."""
        self.siblings: Siblings | None = None
        """Those who may own a session; None = there are no others."""

    def of_socket(self, place: int) -> "NativeSpeaker":
        """The same for UDP socket number ``place`` of the worker, so that an owner can answer from its like."""
        other = NativeSpeaker(self._service, self._site, self._office)
        other._place, other.siblings, other._deeds = place, self.siblings, self._deeds
        return other

    def answer(
        self, message: bytes, peer: Peer, now: Now, most_bytes: int, link: Link | None = None
    ) -> bytes | Asked | None:
        """The encoded answer, at most ``most_bytes`` long; None = silence. A bug here costs one question.

        ``link``: the connection it came on, where logins on it count.
        """
        owner = self._owner(message)
        if owner is None:
            return self.answer_here(message, peer, now, most_bytes, link)
        if peer.transport != "udp":
            return Relayed(message, owner, peer, link.send_part if link else None)
        if not self._pass_datagram(message, owner, peer, most_bytes):
            NATIVE_FAULTS.labels(peer.transport, "not-relayed").inc()
        return None  # the owner answers; or the client, who hears nothing, asks again

    def answer_here(
        self, message: bytes, peer: Peer, now: Now, most_bytes: int, link: Link | None = None
    ) -> bytes | Asked | None:
        """The same whoever owns the session: what a sibling has passed on is never passed on again."""
        head = _read_head(message)
        if head is None:
            NATIVE_FAULTS.labels(peer.transport, "too-short").inc()
            return None
        if not head.header.is_request:
            NATIVE_FAULTS.labels(peer.transport, "response").inc()
            return None
        try:
            made = self._answer(message, head, peer, now, link)
        except Exception:  # one question must not stop the worker
            QUERY_ERRORS.inc()
            log.exception("a question met a bug", extra={"op_code": head.header.op_code})
            made = self.refusal(head, ResponseCode.ERROR, "internal error", now)
        if isinstance(made, Asked):
            return made
        if callable(made):
            return Deed(made, head, peer, most_bytes)
        return self._fit(made, head, now, most_bytes)

    def ask(self, asked: Asked, now: Now, then: Then) -> Callable[[], None]:
        """Have it begun; ``then`` gets what ``finish`` takes, perhaps at once. Returns how to forget about it."""
        if isinstance(asked, Relayed):
            return self._pass_message(asked, then)
        if isinstance(asked, Deed):
            forget = self._deeds.begin(asked, lambda: then(DONE))
            if forget is None:
                then(TOO_MANY_DEEDS)
            return forget or forget_nothing
        assert isinstance(asked, Question)
        return self._service.resolve_later(asked.query, asked.peer, now, then)

    async def drain(self, drain_s: float) -> None:
        """Finish what was begun, for siblings and for clients that left, too; for ``drain_s`` seconds at most."""
        await self._deeds.end(drain_s)

    def finish(self, asked: Asked, answer: Answer, now: Now, most_bytes: int) -> bytes | None:
        """The encoded answer to what was begun; None = silence."""
        if isinstance(asked, Relayed):
            return asked.answer or self._without_owner(asked, answer, now, most_bytes)
        if isinstance(asked, Deed):
            if not asked.answer:
                busy = self.refusal(asked.head, ResponseCode.TOO_BUSY, answer.reason, now)
                return self._fit(busy, asked.head, now, most_bytes)
            if len(asked.answer) <= most_bytes:
                return asked.answer
            return self._fit(
                self.refusal(asked.head, ResponseCode.ERROR, USE_TCP, now),
                asked.head, now, most_bytes,
            )  # fmt: skip
        assert isinstance(asked, Question)
        request, peer = asked.request, asked.peer
        exchange = Exchange(request, _head_of(request), Speaking(), peer, None)
        made = self._office.message(exchange, say(request, answer), now)
        return self._fit(made, exchange.reply_to, now, most_bytes)

    def refusal(self, head: Head, code: int, text: str, now: Now) -> Message:
        """An error answer to a message of which only the head is known."""
        return error_reply(
            head, code, text, serial=self._site.serial, expiration_s=expiration_s(now)
        )

    def refuse(
        self, message: bytes, code: int, text: str, now: Now, most_bytes: int
    ) -> bytes | None:
        """The encoded refusal of a message that is not looked at further; None when it has no whole head."""
        head = _read_head(message)
        if head is None:
            return None
        encoded = encode(self.refusal(head, code, text, now))
        if len(encoded) > most_bytes:
            encoded = encode(self.refusal(head, code, "", now))
        return encoded if len(encoded) <= most_bytes else None

    def _owner(self, message: bytes) -> int | None:
        """Whose session the request belongs to, if it is a sibling's."""
        if self.siblings is None or len(message) < ENVELOPE_BYTES:
            return None
        session_id = int.from_bytes(message[_SESSION_ID])
        owner = self.siblings.owner_of(session_id) if session_id else None
        head = None if owner is None else _read_head(message)
        return owner if head is not None and head.header.is_request else None

    def _pass_datagram(self, message: bytes, owner: int, peer: Peer, most_bytes: int) -> bool:
        assert self.siblings is not None
        return self.siblings.pass_datagram(owner, self._place, message, peer, most_bytes)

    def _pass_message(self, relayed: Relayed, then: Then) -> Callable[[], None]:
        assert self.siblings is not None

        def tell(answer: bytes | None) -> None:
            relayed.answer = answer
            then(OWNER_GONE)  # ``finish`` says it only if there is no answer

        forget = self.siblings.pass_message(relayed, tell)
        if forget is None:
            then(TOO_MANY_RELAYED)
        return forget or forget_nothing

    def _without_owner(
        self, relayed: Relayed, answer: Answer, now: Now, most_bytes: int
    ) -> bytes | None:
        """A session that nobody holds any more is over (RC 500), and clients begin a new one.

        Then they send the request anew, in the new session, where nothing shows that it is the same. So what may have
        changed something fails instead (RC 2): whoever asked must look.
        """
        code, reason = ResponseCode.SESSION_TIMEOUT, answer.reason
        if answer.outcome is Outcome.BUSY:
            code = ResponseCode(RESPONSE_CODES[Outcome.BUSY])
        elif _may_change(relayed.message):
            code, reason = ResponseCode.ERROR, MAY_BE_DONE
        NATIVE_ANSWERS.labels(relayed.peer.transport, code_name(code)).inc()
        return self.refuse(relayed.message, code, reason, now, most_bytes)

    def _answer(
        self, message: bytes, head: Head, peer: Peer, now: Now, link: Link | None
    ) -> Message | Question | Task:
        trouble = _envelope_trouble(head)
        if trouble is not None:
            return self._refused(head, Refusal(*trouble), peer, now)
        plain, is_encrypted = message, bool(head.envelope.flags & ENCRYPTED)
        if is_encrypted:
            opened = open_sealed(self._office.sessions, head.envelope, message, now)
            if isinstance(opened, Refusal):
                return self._refused(head, opened, peer, now)
            plain = opened
        try:
            request = decode(plain)
        except ProtocolError as error:
            if is_encrypted:
                return self._refused(head, BAD_CIPHERTEXT, peer, now)
            return self._refused(head, _fault(error, peer), peer, now)
        if not request.header.is_request:
            return self._refused(head, BAD_CIPHERTEXT, peer, now)
        return self._take(request, message, peer, now, link, is_encrypted=is_encrypted)

    def _take(  # everything that is known of it
        self,
        request: Message,
        message: bytes,
        peer: Peer,
        now: Now,
        link: Link | None,
        *,
        is_encrypted: bool,
    ) -> Message | Question | Task:
        sessions, head = self._office.sessions, _head_of(request)
        speaking = identify(
            sessions,
            request,
            message,
            peer,
            link,
            now,
            self._office.known,
            is_encrypted=is_encrypted,
        )
        if isinstance(speaking, Refusal):
            return self._refused(head, speaking, peer, now)
        if isinstance(speaking, Repeatable):
            return partial(asyncio.shield, speaking.answer)
        exchange = Exchange(request, head, speaking, peer, link)
        taken = self._office.take(exchange, message, now)
        return Question(request, taken, peer) if isinstance(taken, Query) else taken

    def _refused(self, head: Head, refusal: Refusal, peer: Peer, now: Now) -> Message:
        NATIVE_ANSWERS.labels(peer.transport, code_name(refusal.code)).inc()
        return self.refusal(head, refusal.code, refusal.text, now)

    def _spoiled(self, deed: Deed) -> bytes:
        now = self._service.now()
        return encode(self.refusal(deed.head, ResponseCode.ERROR, "internal error", now))

    def _fit(self, made: Message, head: Head, now: Now, most_bytes: int) -> bytes | None:
        """Encoded, and made smaller until it fits; None when nothing does."""
        encoded = encode(made)
        while len(encoded) > most_bytes:
            smaller = self._smaller(made, head, now)
            if smaller is None:
                break
            made, encoded = smaller, encode(smaller)
        return encoded if len(encoded) <= most_bytes else None

    def _smaller(self, made: Message, head: Head, now: Now) -> Message | None:
        """Without the trail; else an error without its text, anything else as RC 2: clients go to TCP at once."""
        body = made.body
        if isinstance(body, ResolveAnswer | Referral | ErrorAnswer) and body.surplus:
            return made._replace(body=body._replace(surplus=b""))
        if isinstance(body, ErrorAnswer):
            return made._replace(body=ErrorAnswer(b"")) if body.message else None
        return self.refusal(head, ResponseCode.ERROR, USE_TCP, now)


def _read_head(message: bytes) -> Head | None:
    """None when there is no whole one. Of an encrypted message nothing behind the envelope can be read."""
    try:
        head = decode_head(message)
    except ProtocolError:
        return None
    if head.envelope.flags & ENCRYPTED:
        return Head(head.envelope, Header(OpCode.RESOLVE), b"")
    return head


def _may_change(message: bytes) -> bool:
    """Whether it asks for a change, or may: of what is encrypted, or lets another request pass, nobody here knows."""
    head = _read_head(message)
    if head is None or head.envelope.flags & ENCRYPTED:
        return head is not None
    return head.header.op_code in OPERATIONS or head.header.op_code == OpCode.CHALLENGE_ANSWER


def _head_of(request: Message) -> Head:
    return Head(request.envelope, request.header, request.received)


def _fault(error: ProtocolError, peer: Peer) -> Refusal:
    if isinstance(error, Unsupported):
        return Refusal(ResponseCode.NOT_SUPPORTED, str(error))
    NATIVE_FAULTS.labels(peer.transport, "malformed").inc()
    return Refusal(ResponseCode.PROTOCOL_ERROR, str(error))


def _envelope_trouble(head: Head) -> tuple[ResponseCode, str] | None:
    envelope = head.envelope
    if envelope.version < OLDEST:
        return ResponseCode.PROTOCOL_ERROR, "version 2.0 is not spoken here; use 2.1 to 2.11"
    if envelope.flags & COMPRESSED:
        return ResponseCode.PROTOCOL_ERROR, "compressed messages are not supported"
    if envelope.length > MAX_MESSAGE_BYTES:
        return ResponseCode.PROTOCOL_ERROR, f"message above {MAX_MESSAGE_BYTES} bytes"
    return None
