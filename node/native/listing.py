"""Listing over the native protocol: handles below a prefix, derived prefixes, prefixes homed here.

Op codes 105, 106 and 302 (Handle.Net manual, "list handles"; DO-IRP 3.0 for 106): at most 50 names a message, the op
flag CONT on all but the last, TCP only. Who may list is said by the HS_ADMIN of the prefix. What is registered or
deleted while a list is told may or may not be in it; nothing else is missing or told twice.
"""

import asyncio
from collections.abc import AsyncIterator

from node.hosted import list_right, listable
from node.native.administering import NEEDS_CHALLENGE, refused
from node.native.exchange import Exchange, Said
from node.service import Service
from protocols.errors import ProtocolError
from protocols.handle.administration import HandleRequest
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.listing import NAMES_PER_MESSAGE, NamesAnswer
from protocols.identifier import (
    PREFIX_AUTHORITY,
    Identifier,
    prefix_record_named,
    prefix_record_of,
)
from protocols.message import ANONYMOUS, Outcome
from protocols.values.admin import LIST_DERIVED_PREFIXES, LIST_HANDLES

LISTS = frozenset({OpCode.LIST_HANDLES, OpCode.LIST_DERIVED_PREFIXES, OpCode.LIST_HOMED_PREFIXES})
"""Operations told here."""
STEP = 1000
"""Records read between two looks at other clients, about 5 ms."""
OVER_UDP = "lists are told over TCP only"
_LEAD = PREFIX_AUTHORITY + b"/"


class Listing:
    """One for all native listeners of a worker."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def look(self, exchange: Exchange) -> Said | None:
        """What can be said without looking anything up; None = ``tell``."""
        if exchange.peer.transport == "udp":
            return refused(Outcome.ERROR, OVER_UDP)
        return NEEDS_CHALLENGE if exchange.speaking.principal == ANONYMOUS else None

    async def tell(self, exchange: Exchange) -> AsyncIterator[Said]:
        """The messages of one list, or one refusal, as they are looked up."""
        if exchange.op_code == OpCode.LIST_HOMED_PREFIXES:
            pages = self._homed(exchange)
        else:
            over = self._over(exchange)
            if isinstance(over, Said):
                yield over
                return
            prefix = over.responsible_prefix
            is_handles = exchange.op_code == OpCode.LIST_HANDLES
            pages = self._below(prefix) if is_handles else self._derived(prefix)
        left: list[bytes] = []
        async for names in pages:
            left += names
            while len(left) > NAMES_PER_MESSAGE:
                part, left = left[:NAMES_PER_MESSAGE], left[NAMES_PER_MESSAGE:]
                yield Said(ResponseCode.SUCCESS, NamesAnswer(tuple(part)), has_more=True)
        yield Said(ResponseCode.SUCCESS, NamesAnswer(tuple(left)))

    def _over(self, exchange: Exchange) -> Identifier | Said:
        """The prefix record below which is listed, or why whoever asks is not told."""
        body = exchange.request.body
        assert isinstance(body, HandleRequest)
        try:
            over = prefix_record_named(body.handle)
        except ProtocolError as error:
            return refused(Outcome.INVALID_IDENTIFIER, str(error))
        prefix = over.responsible_prefix
        if not self._service.hosts(prefix):
            reason = f"prefix {prefix.decode()} is not hosted by this node"
            return refused(Outcome.NOT_RESPONSIBLE, reason)
        is_handles = exchange.op_code == OpCode.LIST_HANDLES
        needed = LIST_HANDLES if is_handles else LIST_DERIVED_PREFIXES
        outcome = self._service.may(exchange.speaking.principal, over, needed)
        if outcome is Outcome.SUCCESS:
            return over
        who = exchange.speaking.principal.name
        return refused(outcome, f"{who} has not the right to list below {prefix.decode()}")

    async def _below(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        after, reader = b"", self._service.reader
        while True:
            records = reader.list_records(prefix, after, STEP)
            yield [record.spelling for record in records]
            if len(records) < STEP:
                return
            after = records[-1].key.partition(b"/")[2]
            await asyncio.sleep(0)
            reader.refresh()

    async def _derived(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        """The prefixes one or more labels below, hosted here or given away, that have a record."""
        below, after, reader = prefix + b".", prefix + b".", self._service.reader
        while True:
            records = reader.list_records(PREFIX_AUTHORITY, after, STEP)
            keys = [record.key.removeprefix(_LEAD) for record in records]
            yield [
                record.spelling
                for record, key in zip(records, keys, strict=True)
                if key.startswith(below)
            ]
            if len(records) < STEP or not keys[-1].startswith(below):
                return
            after = keys[-1]
            await asyncio.sleep(0)
            reader.refresh()

    async def _homed(self, exchange: Exchange) -> AsyncIterator[list[bytes]]:
        """Of the prefixes hosted here, those below which whoever asks may list."""
        may_list = list_right(self._service.may, exchange.speaking.principal)
        for page in listable(self._service.reader, may_list):
            yield [prefix_record_of(one.spelling).spelling for one in page]
            await asyncio.sleep(0)
