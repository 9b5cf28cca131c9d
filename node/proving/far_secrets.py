"""Secrets of other nodes: whoever keeps the HS_SECKEY is asked whether a proof made with it is right (op 201).

The servers are those of the prefix that the account lies under: delegated from here, or named by HS_SITE in the
prefix's record, which is resolved like any question of a client. All of it together takes no longer than
``PATIENCE_S``; two servers are asked at most, over TCP, and only signed answers count.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.handle.authentication import (
    MAX_COUNTED_DIGEST_BYTES,
    MAX_NONCE_BYTES,
    NONCE_BYTES,
    VerifyRequest,
)
from protocols.handle.proof import SecretProof, encode_secret_proof
from protocols.identifier import Identifier, parent_prefix, prefix_record_of, read_identifier
from protocols.message import OPERATOR, Answer, Outcome, Query
from protocols.values.site import TCP, Site
from resolver.asking import Role, Target
from resolver.delegation import Delegated, NotHere
from resolver.sites import candidates, read_service, read_sites
from resolver.source import Peer

PATIENCE_S = 3.0
"""As long as a client's question about another node's record may take."""
MAX_SERVERS = 2
"""Asked one after the other: a second one stands in for a silent first."""
MAX_SERVICES = 1
"""HS_SERV values that are followed on the way to the sites."""

Resolve = Callable[[Query, Peer], Awaitable[Answer]]
AskServer = Callable[[Target, VerifyRequest, float], Awaitable[bool | None]]
"""``(server, request, patience in s)`` to its verdict, None when it gave none that counts."""


class Surroundings(NamedTuple):
    """What of the node it takes to ask others."""

    resolve: Resolve
    ask: AskServer
    own_places: Collection[tuple[str, int]]
    teller: Target | None
    """Who tells the records of foreign prefixes: the first configured server."""


class FarSecrets:
    """Asks for proofs by secrets that are kept elsewhere."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    async def is_right(
        self,
        identifier: Identifier,
        index: int,
        content: bytes,
        proof: SecretProof,
        place: Delegated | NotHere,
        peer: Peer,
    ) -> bool | Outcome:
        """The responsible node's verdict, or UNREACHABLE, BUSY. On account of ``peer``: its budget pays the look-up."""
        request = make_request(identifier, index, content, proof)
        if request is None:
            return False
        try:
            async with asyncio.timeout(PATIENCE_S):
                targets = await self._servers(identifier, place, peer)
                if isinstance(targets, Outcome):
                    return targets
                return await self._ask(targets, request)
        except TimeoutError:
            return Outcome.UNREACHABLE

    async def _ask(self, targets: tuple[Target, ...], request: VerifyRequest) -> bool | Outcome:
        for target in targets[:MAX_SERVERS]:
            verdict = await self._around.ask(target, request, PATIENCE_S / MAX_SERVERS)
            if verdict is not None:
                return verdict
        return Outcome.UNREACHABLE

    async def _servers(
        self, identifier: Identifier, place: Delegated | NotHere, peer: Peer
    ) -> tuple[Target, ...] | Outcome:
        if isinstance(place, Delegated):
            return self._targets(place.sites, identifier, Role.DELEGATED, None)
        sites = await self._sites(identifier, peer)
        if isinstance(sites, Outcome):
            return sites
        return self._targets(sites, identifier, Role.LEARNED, self._around.teller)

    async def _sites(self, identifier: Identifier, peer: Peer) -> tuple[Site, ...] | Outcome:
        prefix: bytes | None = identifier.prefix
        if identifier.is_prefix_record:  # it stands where prefixes below the one above are allotted
            prefix = parent_prefix(identifier.responsible_prefix)
        if prefix is None:
            return ()
        record = prefix_record_of(prefix)
        for _ in range(1 + MAX_SERVICES):
            query = Query(record, may_recurse=True, principal=OPERATOR)
            answer = await self._around.resolve(query, peer)
            if answer.outcome is Outcome.BUSY:
                return Outcome.BUSY
            sites, service = read_sites(answer.values), read_service(answer.values)
            if sites or service is None:
                return sites
            try:
                record = read_identifier(service)
            except ProtocolError:
                return ()
        return ()

    def _targets(
        self, sites: tuple[Site, ...], identifier: Identifier, role: Role, teller: Target | None
    ) -> tuple[Target, ...]:
        """Those that are asked over TCP; never this node itself, nor where strangers must not lead it."""
        found = candidates(sites, identifier.spelling, role, teller, self._around.own_places)
        return tuple(target for target in found.targets if target.protocol == TCP)


def make_request(
    identifier: Identifier, index: int, content: bytes, proof: SecretProof
) -> VerifyRequest | None:
    """The question (op 201), None when ``content`` does not fit in it.

    Whoever is asked joins nonce and digest again, so it does not matter to him where they are cut: behind the nonce
    of a native challenge, or where the rest is as long as a digest may be.
    """
    cut = max(NONCE_BYTES, len(content) - MAX_COUNTED_DIGEST_BYTES)
    if cut > MAX_NONCE_BYTES:
        return None
    signed = encode_secret_proof(proof)
    return VerifyRequest(identifier.spelling, index, content[:cut], content[cut:], signed)
