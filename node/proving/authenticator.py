"""Authentication: does the asker hold the key at that index (RFC 3651 §3.2.6, RFC 3652 §3.5)?

He shows the secret itself, or a proof made with it or with a private key. Guessing is slowed alike for all of them
(``guessing``), keys are found here or elsewhere (``keys``), what takes time is computed in the pool (``checking``), and
all of it happens before a command is handed to anybody.
"""

import asyncio
from collections.abc import Awaitable, Callable

from node.logs import get_log
from node.metrics import PROOFS
from node.proving.checking import Verdict, check_secret, check_signature
from node.proving.claim import Claim, Proof
from node.proving.far_secrets import FarSecrets
from node.proving.guessing import Guesses
from node.proving.keys import Elsewhere, Key, KeyType, Resolve, fetch_public, find_here
from node.proving.pool import CpuPool, PoolFull
from protocols.errors import ProtocolError
from protocols.handle.proof import SecretProof, SignatureProof
from protocols.identifier import Identifier, parse_identifier
from protocols.message import Outcome, Principal
from protocols.values.secret import secret_matches
from registry.errors import StoreError
from registry.holdings import Holdings
from resolver.source import Peer

log = get_log("proving")

Found = Verdict | Outcome
"""What a try comes to; the outcomes (BUSY, UNREACHABLE, NOT_RESPONSIBLE, ERROR) say nothing about the key."""


class Authenticator:
    """``monotonic_s`` is the clock, ``sleep`` how to wait; both are handed in so that tests need no time.

    ``resolve`` and ``far_secrets`` ask other nodes; without them only keys held here prove anything.
    """

    def __init__(
        self,
        holdings: Holdings,
        monotonic_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        *,
        pool: CpuPool | None = None,
        resolve: Resolve | None = None,
        far_secrets: FarSecrets | None = None,
    ) -> None:
        self._holdings = holdings
        self.guesses = Guesses(monotonic_s, sleep)
        self.pool = pool or CpuPool()
        self._resolve = resolve
        self._far_secrets = far_secrets
        self.failed_count = 0
        """Wrong secrets and proofs so far, for the metrics."""

    async def authenticate(
        self, handle: str, index: int, secret: bytes, peer: Peer
    ) -> Principal | Outcome:
        """The principal when the secret is right, else AUTHENTICATION_FAILED; BUSY when it was not even looked at."""

        async def look() -> Found:
            return self._knows(handle, index, secret)

        return await self._judge("password", handle, index, look, peer)

    async def prove(self, claim: Claim, peer: Peer) -> Principal | Outcome:
        """The principal when the proof is right, else AUTHENTICATION_FAILED.

        BUSY: too much is tried or computed; UNREACHABLE: the node that keeps the key is silent, or not believed.
        """
        return await self._judge(
            _kind_of(claim.proof), claim.handle, claim.index, lambda: self._look(claim, peer), peer
        )

    async def verify(
        self, handle: str, index: int, content: bytes, proof: Proof, peer: Peer
    ) -> bool | Outcome:
        """Whether ``proof`` is right by the HS_SECKEY held here (op 201); NOT_RESPONSIBLE when it is held elsewhere.

        BUSY like ``prove``, and guessing through it is slowed alike. Nobody else is asked, so it cannot go in circles.
        """
        if not isinstance(proof, SecretProof):
            return False
        claim = Claim(handle, index, proof, content)
        said = await self._judge(
            _kind_of(proof), handle, index, lambda: self._look_here(claim, proof), peer
        )
        if isinstance(said, Principal):
            return True
        return False if said is Outcome.AUTHENTICATION_FAILED else said

    async def _judge(
        self,
        kind: str,
        handle: str,
        index: int,
        look: Callable[[], Awaitable[Found]],
        peer: Peer,
    ) -> Principal | Outcome:
        """Have ``look`` look, not before guessing has had its price, and remember what came of it."""
        account = f"{index}:{handle.upper()}"
        if not await self.guesses.enter(peer.address, account):
            PROOFS.labels(kind, Outcome.BUSY.value).inc()
            return Outcome.BUSY
        try:
            found = await look()
        except PoolFull:
            found = Outcome.BUSY
        except StoreError:
            log.exception("a record with a key cannot be read", extra={"account": account})
            found = Outcome.ERROR
        finally:
            self.guesses.leave(peer.address)
        PROOFS.labels(kind, found.value).inc()
        if isinstance(found, Outcome):
            return found
        if found is Verdict.RIGHT:
            self.guesses.was_right(peer.address, account)
            return Principal(handle, index)
        self.failed_count += 1
        self.guesses.was_wrong(peer.address, account)
        return Outcome.AUTHENTICATION_FAILED

    def _knows(self, handle: str, index: int, secret: bytes) -> Verdict:
        identifier = _read(handle)
        key = (
            None
            if identifier is None
            else find_here(identifier, index, KeyType.SECRET, self._holdings)
        )
        data = key.data if isinstance(key, Key) else None
        if secret_matches(data or b"", secret):
            return Verdict.RIGHT
        return Verdict.NO_KEY if data is None else Verdict.WRONG

    async def _look(self, claim: Claim, peer: Peer) -> Found:
        if isinstance(claim.proof, SecretProof):
            return await self._look_secret(claim, claim.proof, peer)
        return await self._look_signature(claim, claim.proof, peer)

    async def _look_here(self, claim: Claim, proof: SecretProof) -> Found:
        found = self._find(_read(claim.handle), claim, KeyType.SECRET)
        if isinstance(found, Elsewhere):
            return Outcome.NOT_RESPONSIBLE
        return await self.pool.run(check_secret, claim, proof, found.data)

    async def _look_secret(self, claim: Claim, proof: SecretProof, peer: Peer) -> Found:
        identifier = _read(claim.handle)
        found = self._find(identifier, claim, KeyType.SECRET)
        if isinstance(found, Key):
            return await self.pool.run(check_secret, claim, proof, found.data)
        if self._far_secrets is None or identifier is None:
            return await self.pool.run(check_secret, claim, proof, None)
        said = await self._far_secrets.is_right(
            identifier, claim.index, claim.content, proof, found.place, peer
        )
        if isinstance(said, Outcome):
            return said
        return Verdict.RIGHT if said else Verdict.WRONG

    async def _look_signature(self, claim: Claim, proof: SignatureProof, peer: Peer) -> Found:
        identifier = _read(claim.handle)
        found: Key | Elsewhere | Outcome = self._find(identifier, claim, KeyType.PUBLIC)
        if isinstance(found, Elsewhere):
            if self._resolve is None or identifier is None:
                found = Key(None)
            else:
                found = await fetch_public(identifier, claim.index, self._resolve, peer)
        if isinstance(found, Outcome):
            return found
        return await self.pool.run(check_signature, claim, proof, found.data)

    def _find(self, identifier: Identifier | None, claim: Claim, type_: KeyType) -> Key | Elsewhere:
        """Index 0 is a wildcard of administrators' lists: it names no key."""
        if identifier is None or claim.index == 0:
            return Key(None)
        return find_here(identifier, claim.index, type_, self._holdings)


def _read(handle: str) -> Identifier | None:
    try:
        return parse_identifier(handle)
    except ProtocolError:
        return None


def _kind_of(proof: Proof) -> str:
    return "secret" if isinstance(proof, SecretProof) else "signature"
