"""Service: the calls listeners may make, whatever their wire format.

Reading what is at hand is synchronous and never waits; ``resolve_now`` says None when another node must be asked, and
``resolve_later`` has it asked. Writing goes to the registrar and returns after this worker's own reader has
passed the change, so whoever wrote can read what was written.
"""

import asyncio
from collections.abc import Callable, Container, Sequence
from hashlib import sha256
from typing import Protocol

from node.clock import read_clocks
from node.driver import Driver, Then
from node.follower import Follower, KeepsAnything, OnChanges
from node.lane.memo import Memo
from node.logs import get_log
from node.metrics import DAMAGED_RECORDS, ENUMERATION, RECEIPTS, REGISTER_SECONDS
from node.overload import TOO_BUSY, Overload, Work
from node.proving.authenticator import Authenticator
from node.proving.claim import Claim, Proof
from node.proving.keys import Elsewhere, Key, KeyType, fetch_public, find_here
from node.registrar_wire import Parcel
from node.writer import Writer
from protocols.identifier import (
    MAX_PREFIX_BYTES,
    PREFIX_AUTHORITY,
    Identifier,
    parent_prefix,
    parse_identifier,
)
from protocols.message import ANONYMOUS, Answer, Command, Outcome, Principal, Query, Receipt
from protocols.trail import Trail
from registry.chunks import ChunkReceipt
from registry.errors import DamagedRecord
from registry.holdings import Holdings
from registry.registrar import Submission
from registry.stores.store import Reader
from resolver.answering import answer_now
from resolver.delegation import Local, locate
from resolver.forwarding import OVER_BUDGET
from resolver.policies.enumeration import MISSES_PER_MINUTE, TOO_MANY_MISSES, Alarm, MissLimit
from resolver.source import Now, Peer

UNREADABLE = "the record is damaged and cannot be read; the operator of this node can restore it"
TOO_LATE = Answer(Outcome.BUSY, reason="no answer in time; ask again")
NOBODY_ASKED = Answer(Outcome.BUSY, reason=TOO_BUSY, is_authoritative=False)

log = get_log("service")


class Client(Protocol):
    """Who waits for an answer and may leave."""

    on_gone: Callable[[], None] | None
    """Called when it does."""


def _nothing(_spelling: bytes, _now_s: float) -> bytes | None:
    return None


def _tell_of_enumeration(alarm: Alarm) -> None:
    """Once a minute for each source at most: somebody goes through the numbers below a private prefix."""
    ENUMERATION.labels("alarm").inc()
    facts = {"source": alarm.source, "prefix": alarm.prefix.decode()}
    log.warning("identifiers below a private prefix are being guessed", extra=facts)


def forget_nothing() -> None:
    """In place of what leaves a question, where there is none to leave."""


async def answer_to(client: Client | None, ask: Callable[[Then], Callable[[], None]]) -> Answer:
    """The answer that ``ask`` has told to what it is given; it returns what to call when nobody waits any more.

    Raises ``ConnectionResetError`` when the client leaves meanwhile.
    """
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def tell(answer: Answer | None) -> None:
        if not told.done():
            told.set_result(answer or TOO_LATE)

    def leave() -> None:
        if not told.done():
            told.set_exception(ConnectionResetError("the client is gone"))

    forget = ask(tell)
    if client is not None:
        client.on_gone = leave
    try:
        return await told
    finally:
        forget()
        if client is not None:
            client.on_gone = None


class Service:
    """One worker's share of the node; made in ``node/app.py``."""

    def __init__(  # noqa: PLR0913  # the parts of a worker
        self,
        reader: Reader,
        holdings: Holdings,
        writer: Writer,
        follower: Follower,
        authenticator: Authenticator,
        driver: Driver | None = None,
        recursion_networks: Container[str] = (),
        name: str = "",
    ) -> None:
        self.reader = reader
        """This worker's view of the store."""
        self._holdings = holdings
        self._writer = writer
        self._follower = follower
        self._authenticator = authenticator
        self._driver = driver
        self.recursion_networks = recursion_networks
        """Addresses that may have others asked, and be told who was."""
        self._name = name
        self._misses = MissLimit(_tell_of_enumeration)
        self.pool = authenticator.pool
        """Where whatever takes more than a millisecond is computed: derivations, signatures, key agreements."""
        self.memo: Memo | None = None
        """What the compiled part has looked up; None where there is none."""
        self.overload = Overload()
        """How late the event loop comes, as the worker tells it, and what is refused for that."""
        self.remembered = driver.forwarder.answers.get if driver else _nothing
        """For hot paths: ``(spelling, now_s)`` to the public values another node told, encoded; None = look further."""

    def share_misses(self, workers: int) -> None:
        """Each of so many workers allows a source its part of what may be missed below private prefixes."""
        allowed = max(1, MISSES_PER_MINUTE // workers)
        self._misses = MissLimit(_tell_of_enumeration, allowed)

    def refresh(self) -> None:
        """See the newest commit, and forget what it makes untrue; once per wake-up, before anything is answered."""
        self.reader.refresh()
        self._follower.look()

    def listen(self, on_changes: OnChanges, keeps_anything: KeepsAnything) -> None:
        """Have every change from now on handed to ``on_changes``, while there is anything to drop."""
        self._follower.listen(on_changes, keeps_anything)

    @property
    def is_behind(self) -> bool:
        """Whether the snapshot that is answered from has changes that the listeners have not heard of."""
        return self._follower.is_behind

    def now(self) -> Now:
        """Both clocks; read them once per wake-up."""
        return read_clocks()

    def refuse_at_once(
        self, spelling: bytes, host: str, now_s: float, *, may_ask: bool
    ) -> tuple[Outcome, str] | None:
        """For hot paths: why a plain question fails, in words that ``resolve_now`` would use; None = look further.

        Floods ask for what is absent, and for what would have to be asked for: neither may cost much. ``may_ask``:
        whether the question allows others to be asked and a cache to answer.
        """
        prefix, _, suffix = spelling.partition(b"/")
        prefix = prefix.upper()
        if not suffix or not spelling.isascii() or prefix == PREFIX_AUTHORITY:
            return None
        authority = self.reader.authority(prefix)
        if authority is not None and authority.is_hosted:
            if authority.is_private or not self.reader.has_prefix_record(prefix):
                return None
            return Outcome.NOT_FOUND, f"{spelling.decode()} is not registered"
        if not may_ask or self._driver is None or host not in self.recursion_networks:
            return None
        is_somewhere = authority is not None and authority.is_delegated
        if not is_somewhere and self._is_below_ours(prefix):
            return (
                None  # nobody is asked about what we did not allot, so it is no matter of budgets
            )
        is_spent = self._driver.forwarder.is_spent(prefix, suffix, host, now_s)
        return (Outcome.BUSY, OVER_BUDGET) if is_spent else None

    def _is_below_ours(self, prefix: bytes) -> bool:
        """Whether a prefix above it is hosted or was given away here."""
        if len(prefix) > MAX_PREFIX_BYTES:
            return True  # not worth the way up; the long way knows
        above = parent_prefix(prefix)
        while above is not None:
            if self.reader.authority(above) is not None:
                return True
            above = parent_prefix(above)
        return False

    def resolve_now(self, query: Query, peer: Peer, now: Now) -> Answer | None:
        """The answer to one question from what is at hand, None when another node must be asked."""
        query = self._honest(query, peer)
        try:
            answer = answer_now(
                query, self._holdings, peer, now, foreign=self._driver, misses=self._misses
            )
        except DamagedRecord:
            # Counted, not logged: whoever asks for it again and again must not fill the log.
            DAMAGED_RECORDS.inc()
            return Answer(Outcome.ERROR, reason=UNREADABLE)
        if answer is TOO_MANY_MISSES:
            ENUMERATION.labels("refused").inc()
        if query.wants_trail and answer is not None and answer.trail is None:
            return answer._replace(trail=Trail(self._name, answer.verdict))
        return answer

    def resolve_later(self, query: Query, peer: Peer, now: Now, then: Then) -> Callable[[], None]:
        """Have others asked, when ``resolve_now`` has just said None; returns what to call when the client leaves.

        ``then`` gets the answer, once, perhaps before this returns.
        """
        if self.overload.refuses(Work.FORWARD):
            then(NOBODY_ASKED)
            return forget_nothing
        place = locate(query.identifier, self._holdings)
        assert self._driver is not None, "nobody was to be asked"
        assert not isinstance(place, Local), "what is held here needs nobody else"
        driver = self._driver
        ticket = driver.ask(self._honest(query, peer), place, peer, now, then)
        return forget_nothing if ticket is None else lambda: driver.forget(ticket)

    async def resolve(self, query: Query, peer: Peer, client: Client | None = None) -> Answer:
        """The answer, from wherever. Raises ``ConnectionResetError`` when the client leaves meanwhile."""
        answer = self.resolve_now(query, peer, self.now())
        return await self.resolve_elsewhere(query, peer, client) if answer is None else answer

    async def resolve_elsewhere(
        self, query: Query, peer: Peer, client: Client | None = None
    ) -> Answer:
        """The answer of others, when ``resolve_now`` has just said None. Raises like ``resolve``."""
        return await answer_to(
            client, lambda then: self.resolve_later(query, peer, self.now(), then)
        )

    def _honest(self, query: Query, peer: Peer) -> Query:
        """Who was asked is not for everybody to know."""
        if not query.wants_trail or query.principal != ANONYMOUS:
            return query
        return query._replace(wants_trail=peer.address in self.recursion_networks)

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

    async def register_parcel(self, parcel: Parcel) -> ChunkReceipt:
        """Rows of a batch in one transaction; durable, and visible to this worker."""
        started_s = self.now().monotonic_s
        receipt = await self._writer.carry(parcel)
        await self._follower.passed(receipt.last_seq)
        REGISTER_SECONDS.observe(self.now().monotonic_s - started_s)
        for outcome, count in receipt.outcomes(parcel.row_count).items():
            RECEIPTS.labels(outcome.value).inc(count)
        return receipt

    async def authenticate(
        self, handle: str, index: int, secret: bytes, peer: Peer
    ) -> Principal | Outcome:
        """Who knows the HS_SECKEY at ``index`` of ``handle``, or AUTHENTICATION_FAILED, BUSY (too many wait)."""
        return await self._authenticator.authenticate(handle, index, secret, peer)

    async def prove(self, claim: Claim, peer: Peer) -> Principal | Outcome:
        """Whose key made the proof; AUTHENTICATION_FAILED, BUSY, or UNREACHABLE (the node that holds the key)."""
        return await self._authenticator.prove(claim, peer)

    async def verify(
        self, handle: str, index: int, content: bytes, proof: Proof, peer: Peer
    ) -> bool | Outcome:
        """For other nodes (op 201): is ``proof`` right by the HS_SECKEY held here? Else NOT_RESPONSIBLE, BUSY.

        ``content``: nonce ‖ request digest.
        """
        return await self._authenticator.verify(handle, index, content, proof, peer)

    def hosts(self, prefix: bytes) -> bool:
        """Whether this node is responsible for the folded prefix."""
        return self._holdings.hosts(prefix)

    async def public_key(self, handle: str, index: int, peer: Peer) -> bytes | Outcome | None:
        """HS_PUBKEY data at ``index`` of ``handle``, here or elsewhere; None = no such key. BUSY, UNREACHABLE.

        Raises ``ProtocolError`` when the handle is none, ``StoreError``.
        """
        identifier = parse_identifier(handle)
        found = find_here(identifier, index, KeyType.PUBLIC, self._holdings)
        if isinstance(found, Elsewhere):
            fetched = await fetch_public(identifier, index, self.resolve, peer)
            return fetched if isinstance(fetched, Outcome) else fetched.data
        return found.data

    def key_print(self, handle: str, index: int) -> bytes:
        """Of the key at ``index`` of ``handle`` as it is now, secret or public; b"" when it is not held here.

        A login by that key is worth nothing any more once this changes.
        """
        identifier = parse_identifier(handle)
        for type_ in KeyType:
            found = find_here(identifier, index, type_, self._holdings)
            if isinstance(found, Key) and found.data is not None:
                return sha256(type_.value.encode() + found.data).digest()
        return b""

    def may(self, principal: Principal, identifier: Identifier, permission: int) -> Outcome:
        """SUCCESS when the principal has the HS_ADMIN bits over the identifier, else the outcome to refuse with."""
        return self._holdings.may(principal, identifier, permission)
