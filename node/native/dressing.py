"""Dressing: an answer as it goes out: signed or with a MAC where the client asked for it, encrypted where he spoke so.

A MAC and the cipher take microseconds and are computed at once; the server's signature takes a millisecond and goes
through the pool (RFC 3652 §2.2.4: over ids, header and body, so it is made anew for each answer).
"""

from collections.abc import Callable

from node.native.exchange import Exchange
from node.proving.pool import CpuPool
from node.server_keys import ServerKeys
from protocols.handle.codec import Message, encode, encode_payload
from protocols.handle.codes import CERT, ENCR
from protocols.handle.encryption import encrypt
from protocols.handle.signing import make_mac, make_signature
from protocols.handle.versions import IV_IN_FRONT

IV_BYTES = 16


class Dresser:
    """``keys`` None: this node signs nothing, and answers without the flag CERT. ``random``: so many random bytes."""

    def __init__(
        self, keys: ServerKeys | None, pool: CpuPool, random: Callable[[int], bytes]
    ) -> None:
        self._keys, self._pool, self._random = keys, pool, random

    async def dress(self, made: Message, exchange: Exchange) -> bytes:
        """The encoded answer. Raises ``PoolFull``, ``Unsupported`` (a version whose signatures are not spoken)."""
        if exchange.wants_proof:
            made = await self._proved(made, exchange)
        return self.sealed(made, exchange)

    def sealed(self, made: Message, exchange: Exchange) -> bytes:
        """Encoded, and encrypted if the request was, or asks for it inside a session."""
        speaking, data = exchange.speaking, encode(made)
        wants = bool(exchange.request.header.op_flags & ENCR)
        if speaking.session is None or not (speaking.is_encrypted or wants):
            return data
        if made.envelope.version < IV_IN_FRONT:
            return data
        return encrypt(data, speaking.session.key, self._random(IV_BYTES))

    async def _proved(self, made: Message, exchange: Exchange) -> Message:
        made = _certified(made, is_certified=True)
        payload = encode_payload(made)
        session = exchange.speaking.session
        if session is not None:
            counter = exchange.speaking.counter
            credential = make_mac(session.key, made.envelope, counter, payload)
            return made._replace(credential=credential)
        if self._keys is None:
            return _certified(made, is_certified=False)
        key = self._keys.signing_key(exchange.request.header.site_serial)
        credential = await self._pool.run(make_signature, key, made.envelope, 0, payload)
        return made._replace(credential=credential)


def _certified(made: Message, *, is_certified: bool) -> Message:
    flags = made.header.op_flags | CERT if is_certified else made.header.op_flags & ~CERT
    return made._replace(header=made.header._replace(op_flags=flags))
