"""Service: the calls listeners may make, whatever their wire format.

Reading is synchronous and never waits. Writing goes to the registrar and returns after this worker's own reader has
passed the change, so whoever wrote can read what was written.
"""

from collections.abc import Sequence

from node.authentication import Authenticator
from node.clock import read_clocks
from node.follower import Follower
from node.metrics import DAMAGED_RECORDS, RECEIPTS, REGISTER_SECONDS
from node.writer import Writer
from protocols.identifier import Identifier
from protocols.message import Answer, Command, Outcome, Principal, Query, Receipt
from registry.errors import DamagedRecord
from registry.holdings import Holdings
from registry.registrar import Submission
from registry.stores.store import Reader
from resolver.answering import answer_now
from resolver.source import Now, Peer

UNREADABLE = "the record is damaged and cannot be read; the operator of this node can restore it"


class Service:
    """One worker's share of the node; made in ``node/app.py``."""

    def __init__(
        self,
        reader: Reader,
        holdings: Holdings,
        writer: Writer,
        follower: Follower,
        authenticator: Authenticator,
    ) -> None:
        self.reader = reader
        """This worker's view of the store; call ``refresh`` once per wake-up before looking things up."""
        self._holdings = holdings
        self._writer = writer
        self._follower = follower
        self._authenticator = authenticator

    def now(self) -> Now:
        """Both clocks; read them once per wake-up."""
        return read_clocks()

    def resolve_now(self, query: Query, peer: Peer, now: Now) -> Answer:
        """The answer to one question, from what this node holds."""
        try:
            answer = answer_now(query, self._holdings, peer, now)
        except DamagedRecord:
            # Counted, not logged: whoever asks for it again and again must not fill the log.
            DAMAGED_RECORDS.inc()
            return Answer(Outcome.ERROR, reason=UNREADABLE)
        if answer is None:
            return Answer(
                Outcome.NOT_RESPONSIBLE, reason="this node answers for its own prefixes only"
            )
        return answer

    async def register(self, principal: Principal, command: Command, source: str) -> Receipt:
        """One command; durable, and visible to this worker, when the receipt says SUCCESS."""
        (receipt,) = await self.register_many([Submission(principal, command, source)])
        return receipt

    async def register_many(self, submissions: Sequence[Submission]) -> list[Receipt]:
        """One receipt for each, in order; a rejected one does not stop the others."""
        started_s = self.now().monotonic_s
        receipts = await self._writer.submit(submissions)
        await self._follower.passed(max((receipt.seq for receipt in receipts), default=0))
        REGISTER_SECONDS.observe(self.now().monotonic_s - started_s)
        for receipt in receipts:
            RECEIPTS.labels(receipt.outcome.value).inc()
        return receipts

    async def authenticate(
        self, handle: str, index: int, secret: bytes, peer: Peer
    ) -> Principal | Outcome:
        """Who knows the HS_SECKEY at ``index`` of ``handle``, or AUTHENTICATION_FAILED, BUSY (too many wait)."""
        return await self._authenticator.authenticate(handle, index, secret, peer)

    def may(self, principal: Principal, identifier: Identifier, permission: int) -> Outcome:
        """SUCCESS when the principal has the HS_ADMIN bits over the identifier, else the outcome to refuse with."""
        return self._holdings.may(principal, identifier, permission)
