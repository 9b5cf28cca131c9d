"""Key exchange: session set-up and end (RFC 3652 §3.6; Handle.Net manual, "sessions").

The client sends a Diffie-Hellman group and its public number, the node answers with its own in the same group, signed
with the server key, and both derive the session key. Of the modes, this one alone works between today's peers; in all
others a key is sent that was encrypted with another, and clients that offer them are told that they are not supported.
"""

from collections.abc import Callable
from typing import NamedTuple

from node.native.administering import refused
from node.native.exchange import Exchange, Said
from node.native.identity import NUMBERED, OLD_SESSION
from node.native.sessions import Session, Sessions
from node.proving.pool import CpuPool
from protocols.errors import Malformed, ProtocolError, TooLarge, Unsupported
from protocols.handle.administration import Done
from protocols.handle.codes import ResponseCode
from protocols.handle.encryption import session_key, shared_secret
from protocols.handle.failures import ErrorAnswer
from protocols.handle.sessions import (
    CIPHER_AES,
    KeyMode,
    SessionSetupAnswer,
    SessionSetupRequest,
    write_dh_answer,
)
from protocols.message import Outcome
from protocols.values.keys import DhKey, decode_public_key, encode_public_key
from resolver.buckets import Bucket, Generations, source_network
from resolver.source import Now

PRIVATE_BYTES = 64
"""512 bits: twice the strength of the strongest group taken; the cost of the node's half grows with it."""
MOST_GROUP_BITS = 4096
"""The client chooses, we compute: two powers of 30 ms each, and the interpreter stands still meanwhile."""
SETUP_BURST, SETUPS_PER_S = 256.0, 16.0
"""Of one source, in agreements of ``UNIT_BITS``: some 5 % of a processor that works at nothing but these."""
UNIT_BITS = 1024
"""What classic Java clients propose; twice the bits cost four times as much."""
MOST_SOURCES = 4096
"""Of one generation of the table."""


class _Agreed(NamedTuple):
    key: bytes
    answer: bytes


class KeyExchange:
    """``random``: so many random bytes."""

    def __init__(self, sessions: Sessions, pool: CpuPool, random: Callable[[int], bytes]) -> None:
        self._sessions, self._pool, self._random = sessions, pool, random
        self._sources: Generations[str, Bucket] = Generations(
            MOST_SOURCES, lambda _, now_s: Bucket(SETUP_BURST, now_s)
        )

    async def set_up(self, exchange: Exchange, now: Now) -> tuple[Said, Session | None]:
        """The answer and the session it opens. Raises ``PoolFull``."""
        body = exchange.request.body
        assert isinstance(body, SessionSetupRequest)
        try:
            group = _group(body, exchange)
        except ProtocolError as error:
            return _said(error), None
        if not self._sessions.has_room(exchange.peer.address, now.monotonic_s):
            return refused(Outcome.BUSY, "too many sessions are open"), None
        if not self._is_paid(group.p.bit_length(), exchange.peer.address, now.monotonic_s):
            return refused(Outcome.BUSY, "too many sessions are set up from your address"), None
        private = int.from_bytes(self._random(PRIVATE_BYTES))
        try:
            agreed = await self._pool.run(_agree, group, private)
        except ProtocolError as error:
            return _said(error), None
        address, wanted_s = exchange.peer.address, float(body.timeout_s)
        session = self._sessions.open(agreed.key, address, wanted_s, now.monotonic_s)
        if session is None:
            return refused(Outcome.BUSY, "too many sessions are open"), None
        answer = SessionSetupAnswer(KeyMode.DIFFIE_HELLMAN, agreed.answer)
        return Said(ResponseCode.SUCCESS, answer), session

    def _is_paid(self, bits: int, address: str, now_s: float) -> bool:
        """Whether the source may have an agreement of that size computed now; then it is counted."""
        bucket = self._sources.get(source_network(address), now_s)
        if not bucket.has_token(SETUPS_PER_S, SETUP_BURST, now_s):
            return False
        bucket.tokens -= max(1.0, (bits / UNIT_BITS) ** 2)
        return True

    def end(self, exchange: Exchange) -> Said:
        """Op 401. Only whoever has the key may end a session: a number heard is not enough."""
        session = exchange.speaking.session
        if session is None or exchange.request.credential is None:
            reason = "a session is ended by a message that carries its MAC"
            return Said(ResponseCode.SESSION_TIMEOUT, ErrorAnswer(reason.encode()))
        self._sessions.end(session)
        return Said(ResponseCode.SUCCESS, Done())


def _group(body: SessionSetupRequest, exchange: Exchange) -> DhKey:
    """The client's half. Raises ``ProtocolError``."""
    if body.mode != KeyMode.DIFFIE_HELLMAN:
        raise Unsupported(f"session mode {body.mode}; 4 (Diffie-Hellman) is spoken here")
    if exchange.request.envelope.version < NUMBERED:
        raise Unsupported(OLD_SESSION)
    assert isinstance(body.key, bytes), "that mode has a key"
    key = decode_public_key(body.key)
    if not isinstance(key, DhKey):
        raise Malformed("session public key: not a Diffie-Hellman key")
    if key.p.bit_length() > MOST_GROUP_BITS:
        raise TooLarge(f"DH group of {key.p.bit_length()} bits, at most {MOST_GROUP_BITS} allowed")
    if not 1 < key.g < key.p - 1:
        raise Malformed("DH generator out of range")
    return key


def _agree(group: DhKey, private: int) -> _Agreed:
    """Our half of the agreement. Raises ``ProtocolError``."""
    key = session_key(shared_secret(group.p, private, group.y))
    own = encode_public_key(DhKey(pow(group.g, private, group.p), group.p, group.g))
    return _Agreed(key, write_dh_answer(CIPHER_AES, own))


def _said(error: ProtocolError) -> Said:
    outcome = Outcome.NOT_SUPPORTED if isinstance(error, Unsupported) else Outcome.PROTOCOL_ERROR
    return refused(outcome, str(error))
