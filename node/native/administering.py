"""Administering: create, delete, add, remove and modify over the native protocol (RFC 3652 §3.4-3.8), and homing.

The command goes to the registrar like one from HTTP. Its request id is made of the message's own ids, so that a request
which comes again within a minute, over any worker, gets the receipt of the first and changes nothing.
"""

import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Callable

from node.native.exchange import Exchange, Said
from node.service import Service
from protocols.errors import ProtocolError
from protocols.handle.administration import (
    CreateAnswer,
    Done,
    HandleRequest,
    RemoveRequest,
    ValuesRequest,
)
from protocols.handle.codec import Body
from protocols.handle.codes import DNRF, MINT, OVRW, RESPONSE_CODES, OpCode, ResponseCode
from protocols.handle.failures import ErrorAnswer
from protocols.handle.resolution import Referral
from protocols.handle.versions import Version, answer_version
from protocols.identifier import (
    Identifier,
    parent_prefix,
    prefix_record_named,
    prefix_record_of,
    read_identifier,
)
from protocols.message import ANONYMOUS, Command, Operation, Outcome, Query
from protocols.values.value_list import decode_values
from resolver.source import Now

REPEATED_S = 60
"""For so long the same request counts as the same; clients give up after some seconds."""
MOST_MINTED = 4096
"""Remembered; who asks for more at a time and again gets new ones."""
OPERATIONS: dict[int, Operation] = {
    OpCode.CREATE: Operation.PUT,
    OpCode.DELETE: Operation.DELETE,
    OpCode.ADD_VALUE: Operation.ADD,
    OpCode.REMOVE_VALUE: Operation.REMOVE,
    OpCode.MODIFY_VALUE: Operation.MODIFY,
    OpCode.HOME_PREFIX: Operation.HOST,
    OpCode.UNHOME_PREFIX: Operation.UNHOST,
}
PREFIX_OPERATIONS = frozenset({Operation.HOST, Operation.UNHOST})
OF_DERIVED_PREFIXES = frozenset({"HS_SITE.PREFIX", "HS_SERV.PREFIX", "HS_NA_DELEGATE"})
"""Types of values that say where the records of the prefixes below are kept; types match without case."""
PREFIX_REFERRALS: Version = (2, 10)
"""From this version on clients understand them."""
NEEDS_LOGIN = "this needs the identity of an administrator"


def refused(outcome: Outcome, reason: str) -> Said:
    """An error answer."""
    return Said(RESPONSE_CODES[outcome], ErrorAnswer(reason.encode()))


NEEDS_CHALLENGE = Said(ResponseCode.AUTHENTICATION_NEEDED, ErrorAnswer(NEEDS_LOGIN.encode()))
"""Told by the speaker as a challenge, or as a refusal where a challenge would be misunderstood."""


class Administration:
    """``mint`` makes a suffix that was never used before."""

    def __init__(
        self, service: Service, mint: Callable[[], str] = lambda: str(uuid.uuid4())
    ) -> None:
        self._service, self._mint = service, mint
        self._mints: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Request id -> what was minted for it, and when."""

    def look(self, exchange: Exchange, now: Now) -> Said | None:
        """What can be said without carrying it out; None = ``carry_out``.

        Whoever is nobody is asked who he is before anything is queued: strangers cost the registrar nothing.
        """
        command = self._command(exchange)
        if isinstance(command, Said):
            return command
        elsewhere = self._elsewhere(command, exchange, now)
        if elsewhere is not None:
            return elsewhere
        return NEEDS_CHALLENGE if exchange.speaking.principal == ANONYMOUS else None

    async def carry_out(self, exchange: Exchange) -> Said:
        """Durable when the code is SUCCESS."""
        command = self._command(exchange)
        if isinstance(command, Said):
            return command
        source = f"native {exchange.peer.transport} {exchange.peer.address}"
        receipt = await self._service.register(exchange.speaking.principal, command, source)
        if receipt.outcome is Outcome.AUTHENTICATION_NEEDED:
            return NEEDS_CHALLENGE
        if receipt.outcome is not Outcome.SUCCESS:
            reason = f"{receipt.field}: {receipt.reason}" if receipt.field else receipt.reason
            return refused(receipt.outcome, reason)
        body: Body = Done()
        if exchange.op_code == OpCode.CREATE:
            body = CreateAnswer(command.identifier.spelling)
        return Said(ResponseCode.SUCCESS, body)

    def _elsewhere(self, command: Command, exchange: Exchange, now: Now) -> Said | None:
        """Who else is responsible, or that we are not; None for what is ours, or the registrar's to judge."""
        identifier = command.identifier
        may_refer = not exchange.request.header.op_flags & DNRF
        if identifier.is_prefix_record:
            may_refer = may_refer and command.operation not in PREFIX_OPERATIONS
            return self._prefix_referral(identifier, exchange) if may_refer else None
        if self._service.hosts(identifier.prefix):
            return None
        query = Query(identifier, may_recurse=False, may_refer=may_refer)
        answer = self._service.resolve_now(query, exchange.peer, now)
        if answer is not None and answer.outcome is Outcome.REFERRAL:
            return Said(ResponseCode.SERVICE_REFERRAL, Referral(b"", answer.values))
        if answer is not None and answer.outcome is Outcome.NOT_RESPONSIBLE:
            return refused(answer.outcome, answer.reason)
        return None

    def _prefix_referral(self, identifier: Identifier, exchange: Exchange) -> Said | None:
        """RC 303: the record of a prefix above says that others keep the records of the prefixes below it.

        Only for what has no record here, and for clients that know the code (from 2.10; Handle.Net manual).
        """
        envelope, reader = exchange.request.envelope, self._service.reader
        if answer_version(envelope.version, envelope.suggested) < PREFIX_REFERRALS:
            return None
        above = parent_prefix(identifier.responsible_prefix)
        if above is None or reader.lookup(identifier) is not None:
            return None
        while above is not None:
            record = reader.lookup(prefix_record_of(above))
            values = () if record is None else decode_values(record.public)
            named = tuple(value for value in values if value.type.upper() in OF_DERIVED_PREFIXES)
            if named:
                return Said(ResponseCode.PREFIX_REFERRAL, Referral(b"", named))
            above = parent_prefix(above)
        return None

    def _command(self, exchange: Exchange) -> Command | Said:
        body, flags = exchange.request.body, exchange.request.header.op_flags
        operation = OPERATIONS[exchange.op_code]
        assert isinstance(body, HandleRequest | ValuesRequest | RemoveRequest)
        try:
            identifier = self._identifier(body.handle, operation, flags, exchange)
        except ProtocolError as error:
            return refused(Outcome.INVALID_IDENTIFIER, str(error))
        return Command(
            operation,
            identifier,
            body.values if isinstance(body, ValuesRequest) else (),
            body.indexes if isinstance(body, RemoveRequest) else (),
            overwrite=bool(flags & OVRW),
            # What was minted is known to one worker alone, another would mint anew: a request of its own.
            request_id=_request_id(exchange, identifier.text if flags & MINT else ""),
            request_lasts_s=REPEATED_S,
        )

    def _identifier(
        self, handle: bytes, operation: Operation, flags: int, exchange: Exchange
    ) -> Identifier:
        if operation in PREFIX_OPERATIONS:
            return prefix_record_named(handle)
        if operation is Operation.PUT and flags & MINT:
            prefix = prefix_record_named(handle.removesuffix(b"/")).suffix
            return read_identifier(prefix + b"/" + self._minted(exchange).encode())
        return read_identifier(handle)

    def _minted(self, exchange: Exchange) -> str:
        """The same for ``look`` and ``carry_out``, and for a request that comes again; of nobody nothing is kept."""
        if exchange.speaking.principal == ANONYMOUS:
            return self._mint()
        key, now_s = _request_id(exchange), self._service.now().monotonic_s
        suffix, at_s = self._mints.get(key, ("", now_s - REPEATED_S))
        if now_s - at_s >= REPEATED_S:
            suffix = self._mint()
            self._mints[key] = suffix, now_s
            self._mints.move_to_end(key)
            if len(self._mints) > MOST_MINTED:
                self._mints.popitem(last=False)
        return suffix


def _request_id(exchange: Exchange, minted: str = "") -> str:
    envelope = exchange.request.envelope
    digest = hashlib.sha256(exchange.request.received).hexdigest()[:32]
    return f"native {exchange.peer.address} {envelope.session_id} {envelope.request_id} {digest}{minted}"
