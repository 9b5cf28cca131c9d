"""Authentication: does the asker hold the key at that index (RFC 3651 §3.2.6, RFC 3652 §3.5)?

He shows the secret itself, or a proof made with it or with a private key. Guessing is slowed alike for all of them
(``guessing``), keys are found here or elsewhere (``keys``), what takes time is computed in the pool (``checking``), and
all of it happens before a command is handed to anybody.
"""

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_bytes

from node.logs import get_log
from node.metrics import PROOFS
from node.proving.checking import Verdict, check_secret, check_signature
from node.proving.claim import Claim, Proof
from node.proving.far_secrets import FarSecrets
from node.proving.guessing import Guesses
from node.proving.keys import Elsewhere, Key, KeyType, Resolve, fetch_public, find_here
from node.proving.pool import CpuPool, PoolFull
from protocols.errors import ProtocolError
from protocols.handle.proof import SecretProof, SignatureProof, decode_secret_proof, prove_secret
from protocols.handle.versions import Version
from protocols.identifier import Identifier, parse_identifier
from protocols.message import Outcome, Principal
from protocols.values.secret import MAX_SECRET_BYTES, secret_matches
from registry.errors import StoreError
from registry.holdings import Holdings
from resolver.buckets import source_network
from resolver.source import Peer

VERSION: Version = (2, 11)
"""Of the proofs that this node makes itself."""
CONTENT_BYTES, SALT_BYTES = 48, 16
"""As long as nonce and digest of a challenge."""

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
        """The principal when the secret is right, else AUTHENTICATION_FAILED; BUSY, UNREACHABLE like ``prove``."""
        return await self._judge(
            "password",
            handle,
            index,
            lambda: self._look_password(handle, index, secret, peer),
            peer,
        )

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
        account, source = f"{index}:{handle.upper()}", source_network(peer.address)
        if not await self.guesses.enter(source, account):
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
            self.guesses.leave(source)
        PROOFS.labels(kind, found.value).inc()
        if isinstance(found, Outcome):
            if found is Outcome.UNREACHABLE:
                self.guesses.was_in_vain(source)
            return found
        if found is Verdict.RIGHT:
            self.guesses.was_right(source, account)
            return Principal(handle, index)
        self.failed_count += 1
        self.guesses.was_wrong(source, account)
        return Outcome.AUTHENTICATION_FAILED

    async def _look_password(self, handle: str, index: int, secret: bytes, peer: Peer) -> Found:
        identifier = _read(handle)
        found = self._find(identifier, index, KeyType.SECRET)
        if isinstance(found, Key):
            if secret_matches(found.data or b"", secret):
                return Verdict.RIGHT
            return Verdict.NO_KEY if found.data is None else Verdict.WRONG
        if not 0 < len(secret) <= MAX_SECRET_BYTES:
            return Verdict.WRONG
        # Elsewhere the secret itself is never told: a proof over chance of our own is, and slow to guess from.
        content, salt = token_bytes(CONTENT_BYTES), token_bytes(SALT_BYTES)
        signed = await self.pool.run(prove_secret, VERSION, secret, content, salt)
        claim = Claim(handle, index, decode_secret_proof(signed), content)
        return await self._look(claim, peer)

    async def _look(self, claim: Claim, peer: Peer) -> Found:
        if isinstance(claim.proof, SecretProof):
            return await self._look_secret(claim, claim.proof, peer)
        return await self._look_signature(claim, claim.proof, peer)

    async def _look_here(self, claim: Claim, proof: SecretProof) -> Found:
        found = self._find(_read(claim.handle), claim.index, KeyType.SECRET)
        if isinstance(found, Elsewhere):
            return Outcome.NOT_RESPONSIBLE
        return await self.pool.run(check_secret, claim, proof, found.data)

    async def _look_secret(self, claim: Claim, proof: SecretProof, peer: Peer) -> Found:
        identifier = _read(claim.handle)
        found = self._find(identifier, claim.index, KeyType.SECRET)
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
        found = self._find(identifier, claim.index, KeyType.PUBLIC)
        if isinstance(found, Key):
            return await self.pool.run(check_signature, claim, proof, found.data)
        if self._resolve is None or identifier is None:
            return await self.pool.run(check_signature, claim, proof, None)
        key = await fetch_public(identifier, claim.index, self._resolve, peer)
        if isinstance(key, Outcome):
            return key
        verdict = await self.pool.run(check_signature, claim, proof, key.data)
        if verdict is Verdict.RIGHT or not key.is_remembered:
            return verdict
        # The key may have been exchanged since it was remembered: the new one works at once.
        new = await fetch_public(identifier, claim.index, self._resolve, peer, anew=True)
        if isinstance(new, Outcome) or new.data in {None, key.data}:
            return verdict
        return await self.pool.run(check_signature, claim, proof, new.data)

    def _find(self, identifier: Identifier | None, index: int, type_: KeyType) -> Key | Elsewhere:
        """Index 0 is a wildcard of administrators' lists: it names no key."""
        if identifier is None or index == 0:
            return Key(None)
        return find_here(identifier, index, type_, self._holdings)


def _read(handle: str) -> Identifier | None:
    try:
        return parse_identifier(handle)
    except ProtocolError:
        return None


def _kind_of(proof: Proof) -> str:
    return "secret" if isinstance(proof, SecretProof) else "signature"
