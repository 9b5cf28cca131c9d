"""Challenging: "prove who you are", and what becomes of the answer (RFC 3652 §3.5).

The challenge holds the request. Whoever answers it rightly has the request carried out in his name, and is told what
came of it under the op code of the request. Three kinds differ in where the challenge is found again:

* of its own: the session id of challenge and answer is the challenge's
* in a session: the session's id; who has proved to be there speaks in it from then on, by its MAC alone
* a login of the national SDK (op 2001): the id that the client chose, on its connection
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from node.native.administering import NEEDS_LOGIN, refused
from node.native.challenges import LASTS_S, Challenge, Challenges
from node.native.exchange import Exchange, Said, Speaking
from node.native.kept import Kept
from node.native.link import Login
from node.native.listing import LISTS
from node.native.sessions import Session, Sessions, told_to
from node.native.telling import Teller
from node.proving.claim import read_claim
from node.service import Service
from protocols.errors import ProtocolError
from protocols.handle.administration import Done
from protocols.handle.authentication import NONCE_BYTES, ChallengeAnswer, LoginRequest
from protocols.handle.authentication import Challenge as ChallengeBody
from protocols.handle.codec import Message, encode
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.digest import request_digest
from protocols.handle.failures import ErrorAnswer
from protocols.handle.proof import challenge_content
from protocols.handle.versions import answer_version
from protocols.identifier import parse_identifier
from protocols.message import ANONYMOUS, Outcome, Principal
from resolver.source import Now

TOO_MANY = "too many challenges wait for their answer; ask again"
NOT_LOGGED_IN = "this connection is not logged in"
ALREADY_ANSWERED = "this challenge was answered before; ask again"
TOO_LATE = "there is no such challenge, or not any more; ask again"
WRONG = "the proof is not right for the key of that index and handle"
NEEDS_MAC = "what needs an administrator carries the session's MAC; encryption alone proves nothing"
LOGIN_OVER_TCP = "a login counts on its TCP connection; there is none"
FAILURES: dict[Outcome, tuple[ResponseCode, str]] = {
    Outcome.AUTHENTICATION_FAILED: (ResponseCode.AUTHENTICATION_FAILED, WRONG),
    Outcome.BUSY: (ResponseCode.TOO_BUSY, "too many proofs of your address wait; try again"),
    Outcome.UNREACHABLE: (
        ResponseCode.AUTHENTICATION_ERROR,
        "the node that holds the key does not answer",
    ),
}

CarryOut = Callable[[Exchange, Said | None], Awaitable[bytes]]
"""Makes the encoded answer to a request: by doing it, or by telling what is to be said."""


class Challenger:
    """One for all native listeners of a worker."""

    def __init__(
        self,
        service: Service,
        teller: Teller,
        sessions: Sessions,
        kept: Kept,
        new_id: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._service, self._teller, self._sessions = service, teller, sessions
        self._kept, self._random = kept, random
        self.challenges = Challenges(new_id)

    def begin_login(self, exchange: Exchange) -> Said:
        """Op 2001: a challenge, where there is a connection to log in on."""
        if exchange.link is None or exchange.link.is_elsewhere:
            return refused(Outcome.NOT_SUPPORTED, LOGIN_OVER_TCP)
        if exchange.link.is_full:
            return refused(Outcome.BUSY, TOO_MANY)
        return Said(ResponseCode.AUTHENTICATION_NEEDED, ErrorAnswer(NEEDS_LOGIN.encode()))

    def challenge(self, exchange: Exchange, now: Now) -> Message:
        """RC 402, or a refusal where a challenge would be misunderstood, or finds no room."""
        request, is_login = exchange.request, exchange.op_code == OpCode.SDK_LOGIN
        if exchange.speaking.has_own_id and not is_login:
            said = Said(ResponseCode.NOT_ADMINISTRATOR, ErrorAnswer(NOT_LOGGED_IN.encode()))
            return self._teller.message(exchange, said, now)
        if exchange.speaking.session is not None and request.credential is None:
            # Encrypted without a MAC: it may have been changed or repeated by whoever cannot read it. Nobody is asked
            # to stand for it, and the challenge that waits in the session stays. Clients in a session send a MAC with
            # everything but the answer to a challenge, which proves itself.
            said = Said(ResponseCode.INVALID_CREDENTIAL, ErrorAnswer(NEEDS_MAC.encode()))
            return self._teller.message(exchange, said, now)
        version = answer_version(request.envelope.version, request.envelope.suggested)
        nonce = self._random(NONCE_BYTES)
        challenge = Challenge(
            request, nonce, request_digest(version, request.received).value,
            exchange.peer.address, now.monotonic_s + LASTS_S, exchange.peer.transport == "udp",
        )  # fmt: skip
        id_ = self.challenges.add(challenge, now.monotonic_s)
        if id_ is None:
            return self._teller.message(exchange, refused(Outcome.BUSY, TOO_MANY), now)
        session_id = id_
        if is_login:
            assert exchange.link is not None, "begin_login has looked"
            session_id = request.envelope.session_id
            exchange.link.logins.pop(session_id, None)
            exchange.link.pending[session_id] = id_
        elif exchange.speaking.session is not None:
            exchange.speaking.session.pending = id_
            session_id = exchange.speaking.session.id
        said = Said(ResponseCode.AUTHENTICATION_NEEDED, ChallengeBody(nonce))
        return self._teller.message(exchange, said, now, session_id)

    async def pass_on(self, exchange: Exchange, message: bytes, carry_out: CarryOut) -> bytes:
        """What the challenged request comes to, once the answer is right; else why not."""
        now = self._service.now()
        challenge, session = self._find(exchange, now)
        if challenge is None:
            said = Said(ResponseCode.AUTHENTICATION_TIMEOUT, ErrorAnswer(TOO_LATE.encode()))
            return encode(self._teller.message(exchange, said, now))
        digest = hashlib.sha256(message).digest()
        if challenge.answer_digest:
            if challenge.is_repeated_by(digest) and challenge.result is not None:
                return await asyncio.shield(challenge.result)
            said = Said(ResponseCode.AUTHENTICATION_FAILED, ErrorAnswer(ALREADY_ANSWERED.encode()))
            return encode(self._teller.message(exchange, said, now))
        challenge.answer_digest = digest
        result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if challenge.request.header.op_code not in LISTS:  # of these the end alone would be kept
            challenge.result = result
        answer = await told_to(result, self._let_pass(exchange, challenge, session, carry_out))
        size = len(answer) + len(challenge.request.received)
        self._kept.keep(size, challenge.forget_result, self._service.now().monotonic_s)
        return answer

    def _find(self, exchange: Exchange, now: Now) -> tuple[Challenge | None, Session | None]:
        id_, session = exchange.request.envelope.session_id, None
        is_login = exchange.link is not None and id_ in exchange.link.pending
        if exchange.link is not None and is_login:
            id_ = exchange.link.pending[id_]
        else:
            session = self._sessions.find(id_, now.monotonic_s)
            if session is not None:
                id_ = session.pending
        found = self.challenges.find(id_, exchange.peer.address, now.monotonic_s)
        if found is not None and is_login != (found.request.header.op_code == OpCode.SDK_LOGIN):
            return (
                None,
                None,
            )  # a login is completed on its connection, under the id that it began with
        return found, session

    async def _let_pass(
        self,
        exchange: Exchange,
        challenge: Challenge,
        session: Session | None,
        carry_out: CarryOut,
    ) -> bytes:
        answer = exchange.request
        assert isinstance(answer.body, ChallengeAnswer)
        speaking = Speaking(session=session, is_encrypted=exchange.speaking.is_encrypted)
        passed = exchange._replace(request=challenge.request).proved(answer, speaking)
        content = challenge_content(challenge.nonce, challenge.digest)
        claim = read_claim(answer.body, content)
        who: Principal | Outcome = Outcome.AUTHENTICATION_FAILED
        if claim is not None and _is_meant(challenge.request, claim.handle, claim.index):
            who = await self._service.prove(claim, exchange.peer)
        if isinstance(who, Outcome):
            code, text = FAILURES.get(who, FAILURES[Outcome.AUTHENTICATION_FAILED])
            said = Said(code, ErrorAnswer(text.encode()))
            if session is not None:  # its client believes nothing without the session's MAC
                return await carry_out(passed, said)
            return encode(self._teller.message(passed, said, self._service.now()))
        if passed.op_code == OpCode.SDK_LOGIN:
            return self._logged_in(passed, who)
        if session is not None:
            session.login, session.pending = self._login(who), 0
        return await carry_out(passed._replace(speaking=speaking._replace(principal=who)), None)

    def known(self, login: Login) -> Principal:
        """Whose login it is, nobody's when the key that proved it is another one now."""
        principal = login.principal
        if principal == ANONYMOUS:
            return principal
        now = self._service.key_print(principal.handle, principal.index)
        return principal if now == login.key_print else ANONYMOUS

    def _login(self, who: Principal) -> Login:
        return Login(who, self._service.key_print(who.handle, who.index))

    def _logged_in(self, passed: Exchange, who: Principal) -> bytes:
        assert passed.link is not None, "a login is found on its connection only"
        id_ = passed.request.envelope.session_id
        passed.link.pending.pop(id_, None)
        passed.link.logins[id_] = self._login(who)
        now = self._service.now()
        return encode(self._teller.message(passed, Said(ResponseCode.SUCCESS, Done()), now))


def _is_meant(request: Message, handle: str, index: int) -> bool:
    """Whether a login is answered by whom it named."""
    body = request.body
    if not isinstance(body, LoginRequest):
        return True
    try:
        named = parse_identifier(body.user_handle.decode()).folded()
        return body.user_index == index and named == parse_identifier(handle).folded()
    except (ProtocolError, UnicodeDecodeError):
        return False
