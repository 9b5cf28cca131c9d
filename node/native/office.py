"""Office: what is done with native requests that need to know who is speaking, or take time.

``take`` says at once what can be said at once, challenges among it; everything else comes back as work. One table says
who does which operation; every answer that somebody wants proved or encrypted leaves through ``Dresser``.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from functools import partial

from node.logs import get_log
from node.metrics import NATIVE_WAITING, POOL_REFUSED, POOL_WAITING, QUERY_ERRORS
from node.native.administering import OPERATIONS, Administration, refused
from node.native.challenging import Challenger
from node.native.dressing import Dresser
from node.native.exchange import Exchange, Said
from node.native.kept import Kept
from node.native.key_exchange import KeyExchange
from node.native.listing import LISTS, Listing
from node.native.resolving import read_query, say
from node.native.sessions import Repeatable, Sessions, told_to
from node.native.telling import Teller
from node.overload import TOO_BUSY, Work
from node.proving.claim import read_proof
from node.proving.pool import PoolFull
from node.server_keys import ServerKeys
from node.service import Service
from node.site import SiteInfo
from node.slots import new_id
from protocols.errors import ProtocolError, Unsupported
from protocols.handle.authentication import SECRET_KEY, VerifyAnswer, VerifyRequest
from protocols.handle.codec import Message
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.proof import challenge_content
from protocols.handle.site_info import SiteAnswer
from protocols.message import Answer, Outcome, Query
from resolver.source import Now

USE_TCP = "answer too large for UDP: use TCP"
PROVED_OVER_TCP = "signed answers are told over TCP only"
ONLY_OVER_TCP = "operation {} is for TCP only"
NO_ADMIN = "not supported by this server: operation {}"
POOL_FULL = "too many proofs and signatures wait; ask again"
MOST_LISTED_BYTES = 131_072
"""Of a list that has to be told in one piece, because it goes through HTTP."""
TOO_LONG = "the list is too long for this way; ask over TCP, or GET /api/handles?prefix="
CUT = "the list ends here: its parts were not taken in time; ask again"

Task = Callable[[], Awaitable[bytes]]
"""Makes the encoded answer; raises nothing."""

log = get_log("native")


class Office:
    """One for all native listeners of a worker. ``new_id``: of a challenge or session (``node/slots.py``)."""

    def __init__(
        self,
        service: Service,
        site: SiteInfo,
        keys: ServerKeys | None,
        new_id: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._service, self._site = service, site
        self.sessions = Sessions(new_id)
        self._teller = Teller(site)
        self._dresser = Dresser(keys, service.pool, random)
        self._administration = Administration(service)
        self._listing = Listing(service)
        self._key_exchange = KeyExchange(self.sessions, service.pool, random)
        self.kept = Kept()
        self._challenger = Challenger(
            service, self._teller, self.sessions, self.kept, new_id, random
        )
        self.known = self._challenger.known

    def take(self, exchange: Exchange, message: bytes, now: Now) -> Message | Task | Query:
        """The answer, work that makes it, or the question that another node must be asked."""
        if exchange.peer.transport == "udp" and self._would_sign(exchange, now):
            return self._teller.message(exchange, refused(Outcome.ERROR, PROVED_OVER_TCP), now)
        if exchange.op_code in _ONLY_OVER_TCP and exchange.peer.transport == "udp":
            reason = ONLY_OVER_TCP.format(exchange.op_code)
            return self._teller.message(exchange, refused(Outcome.ERROR, reason), now)
        work = _SHED.get(exchange.op_code, Work.READ if exchange.wants_proof else None)
        if work is not None and self._service.overload.refuses(work):
            return self._teller.message(exchange, refused(Outcome.BUSY, TOO_BUSY), now)
        said = self._at_once(exchange, now)
        if said is not None and exchange.is_plain:
            return said if isinstance(said, Query) else self.message(exchange, said, now)
        if exchange.speaking.session is not None:
            return partial(self._in_session, exchange, message, said, now)
        return partial(self._work, exchange, message, said)

    def _would_sign(self, exchange: Exchange, now: Now) -> bool:
        """Whether the answer is to have the server's signature: in a session it has a MAC, which costs nothing.

        An answer to a challenge says by its id alone that it belongs to one; the Java client goes on over UDP in a
        session that it has set up over TCP.
        """
        if not exchange.wants_proof or exchange.speaking.session is not None:
            return False
        id_ = exchange.request.envelope.session_id
        is_answer = exchange.op_code == OpCode.CHALLENGE_ANSWER
        return not (is_answer and self.sessions.find(id_, now.monotonic_s) is not None)

    def _at_once(self, exchange: Exchange, now: Now) -> Said | Query | None:
        """What needs no waiting; None = it takes time."""
        op_code = exchange.op_code
        if op_code in OPERATIONS:
            return self._administration.look(exchange, now)
        if op_code in LISTS:
            return self._listing.look(exchange)
        if op_code in _WORK:
            return None
        look = _AT_ONCE.get(op_code)
        if look is None:
            return refused(Outcome.NOT_SUPPORTED, NO_ADMIN.format(op_code))
        return look(self, exchange, now)

    def _resolve(self, exchange: Exchange, now: Now) -> Said | Query:
        query = read_query(exchange.request, exchange.speaking.principal)
        if isinstance(query, Said):
            return query
        answer = self._service.resolve_now(query, exchange.peer, now)
        return query if answer is None else _asking_who(say(exchange.request, answer), answer)

    async def _in_session(
        self, exchange: Exchange, message: bytes, said: Said | Query | None, now: Now
    ) -> bytes:
        """The same, kept for a while: the client may not hear the answer and send the message again."""
        session = exchange.speaking.session
        assert session is not None
        if not exchange.speaking.counter or exchange.op_code in LISTS:
            return await self._work(exchange, message, said)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        digest = hashlib.sha256(message).digest()
        kept = Repeatable(future, exchange.peer.address, exchange.link, now.monotonic_s)
        session.remember(digest, kept)
        answer = await told_to(future, self._work(exchange, message, said))
        now_s = self._service.now().monotonic_s
        self.kept.keep(len(answer), partial(session.recent.pop, digest, None), now_s)
        return answer

    async def _work(self, exchange: Exchange, message: bytes, said: Said | Query | None) -> bytes:
        if exchange.op_code == OpCode.CHALLENGE_ANSWER:
            return await self._challenger.pass_on(exchange, message, self._carry_out)
        return await self._carry_out(exchange, said)

    async def _carry_out(self, exchange: Exchange, said: Said | Query | None) -> bytes:
        """The request itself, for whoever is speaking. A bug here costs one question."""
        try:
            if exchange.op_code == OpCode.SESSION_SETUP:
                return await self._set_up(exchange)
            return await self._carried_out(exchange, said)
        except PoolFull:
            failed = refused(Outcome.BUSY, POOL_FULL)
        except Unsupported as error:
            failed = refused(Outcome.NOT_SUPPORTED, str(error))
        except Exception:  # one question must not stop the worker
            QUERY_ERRORS.inc()
            log.exception("a request met a bug", extra={"op_code": exchange.op_code})
            failed = refused(Outcome.ERROR, "internal error")
        now = self._service.now()
        return self._dresser.sealed(self._teller.message(exchange, failed, now), exchange)

    async def _carried_out(self, exchange: Exchange, said: Said | Query | None) -> bytes:
        if said is None:
            said = self._at_once(exchange, self._service.now())
        if said is None and exchange.op_code in LISTS:
            return await self._listed(exchange)
        return await self._dressed(exchange, await self._said(exchange, said))

    async def _said(self, exchange: Exchange, said: Said | Query | None) -> Said:
        if isinstance(said, Said):
            return said
        if isinstance(said, Query):
            answer = await self._service.resolve(said, exchange.peer)
            return _asking_who(say(exchange.request, answer), answer)
        if exchange.op_code in OPERATIONS:
            return await self._administration.carry_out(exchange)
        assert exchange.op_code == OpCode.VERIFY_CHALLENGE, "what takes time is in _WORK"
        return await self._verified(exchange)

    async def _listed(self, exchange: Exchange) -> bytes:
        """A list: sent as it is looked up, or, where that is not possible, whole if it is short enough."""
        send_part = exchange.link.send_part if exchange.link else None
        parts: list[bytes] = []
        async for said in self._listing.tell(exchange):
            parts.append(await self._dressed(exchange, said))
            if send_part is not None and said.has_more:
                try:
                    await send_part(parts.pop())
                except ConnectionResetError:  # somebody hears of it if he was only too slow
                    return await self._dressed(exchange, refused(Outcome.BUSY, CUT))
            elif sum(map(len, parts)) > MOST_LISTED_BYTES:
                return await self._dressed(exchange, refused(Outcome.ERROR, TOO_LONG))
        return b"".join(parts)

    async def _dressed(self, exchange: Exchange, said: Said) -> bytes:
        made = self.message(exchange, said, self._service.now())
        return await self._dresser.dress(made, exchange)

    async def _verified(self, exchange: Exchange) -> Said:
        """Op 201: another node asks whether a proof by a secret key that is held here is right."""
        body = exchange.request.body
        assert isinstance(body, VerifyRequest)
        content = challenge_content(body.nonce, body.digest_value)
        try:
            proof = read_proof(SECRET_KEY, body.signed_response)
            handle = body.user_handle.decode()
        except (ProtocolError, UnicodeDecodeError):
            return Said(ResponseCode.SUCCESS, VerifyAnswer(0))
        assert proof is not None, "that type is known"
        right = await self._service.verify(handle, body.user_index, content, proof, exchange.peer)
        if isinstance(right, Outcome):
            return refused(right, "this proof cannot be verified here")
        return Said(ResponseCode.SUCCESS, VerifyAnswer(int(right)))

    async def _set_up(self, exchange: Exchange) -> bytes:
        said, session = await self._key_exchange.set_up(exchange, self._service.now())
        id_ = None if session is None else session.id
        made = self._teller.message(exchange, said, self._service.now(), id_)
        return await self._dresser.dress(made, exchange)

    def _told_site(self, _exchange: Exchange, _now: Now) -> Said:
        self._site.look()
        if not self._site.data:
            return refused(Outcome.NOT_SUPPORTED, "this node publishes no site")
        return Said(ResponseCode.SUCCESS, SiteAnswer(self._site.data))

    def _login(self, exchange: Exchange, _now: Now) -> Said:
        return self._challenger.begin_login(exchange)

    def _end_session(self, exchange: Exchange, _now: Now) -> Said:
        return self._key_exchange.end(exchange)

    def refresh_gauges(self) -> None:
        """Bring the gauges up to date; called when somebody scrapes."""
        NATIVE_WAITING.labels("sessions").set(len(self.sessions))
        NATIVE_WAITING.labels("challenges").set(len(self._challenger.challenges))
        POOL_WAITING.set(self._service.pool.waiting)
        POOL_REFUSED.set(self._service.pool.refused)

    def message(self, exchange: Exchange, said: Said, now: Now) -> Message:
        """What is said as a message; "who are you" becomes a challenge."""
        if said.code == ResponseCode.AUTHENTICATION_NEEDED:
            return self._challenger.challenge(exchange, now)
        return self._teller.message(exchange, said, now)


_WORK = frozenset({OpCode.CHALLENGE_ANSWER, OpCode.VERIFY_CHALLENGE, OpCode.SESSION_SETUP})
"""Operations that always take time."""


_ONLY_OVER_TCP = frozenset({OpCode.VERIFY_CHALLENGE, OpCode.SESSION_SETUP})
"""Forged datagrams would fill the table of sessions, and make the address that they name look like a guesser's. Java
clients ask again over TCP at once."""

_SHED: dict[int, Work] = {
    **dict.fromkeys(OPERATIONS, Work.WRITE),
    **dict.fromkeys(LISTS, Work.BULK),
    **dict.fromkeys((OpCode.SESSION_SETUP, OpCode.SDK_LOGIN, OpCode.VERIFY_CHALLENGE), Work.WRITE),
}
"""As what operations are refused when the event loop comes late. An answer to a challenge is always looked at: its
request was let in before."""

_AT_ONCE: dict[int, Callable[[Office, Exchange, Now], Said | Query]] = {
    OpCode.RESOLVE: Office._resolve,  # noqa: SLF001  # the class's own table
    OpCode.GET_SITE_INFO: Office._told_site,  # noqa: SLF001
    OpCode.SDK_LOGIN: Office._login,  # noqa: SLF001
    OpCode.SESSION_TERMINATE: Office._end_session,  # noqa: SLF001
}


def _asking_who(said: Said, answer: Answer) -> Said:
    """A value that only administrators see asks for a login."""
    if answer.outcome is Outcome.AUTHENTICATION_NEEDED:
        return said._replace(code=ResponseCode.AUTHENTICATION_NEEDED)
    return said


def make_office(service: Service, site: SiteInfo, keys: ServerKeys | None, slot: int = 0) -> Office:
    """The office of the worker in ``slot``."""
    return Office(service, site, keys, lambda: new_id(slot), secrets.token_bytes)
