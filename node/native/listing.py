"""Listing over the native protocol: handles below a prefix, derived prefixes, prefixes homed here.

Op codes 105, 106 and 302 (Handle.Net manual, "list handles"; DO-IRP 3.0 for 106): at most 50 names a message, the op
flag CONT on all but the last, TCP only. Who may list is said by the HS_ADMIN of the prefix. An answer is made whole
before it is sent, so its length is bounded: whoever has more identifiers lists them over HTTP, which has pages.
"""

import asyncio
from collections.abc import Iterable, Iterator

from node.native.administering import NEEDS_CHALLENGE, refused
from node.native.exchange import Exchange, Said
from node.service import Service
from protocols.errors import ProtocolError
from protocols.handle.administration import HandleRequest
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.listing import NAMES_PER_MESSAGE, NamesAnswer
from protocols.identifier import PREFIX_AUTHORITY, Identifier, prefix_record_of
from protocols.message import ANONYMOUS, Outcome
from protocols.values.admin import LIST_DERIVED_PREFIXES, LIST_HANDLES

MOST_NAMES = 100_000
MOST_NAME_BYTES = 8 * 1_048_576
"""Of one answer, in memory while it is sent."""
STEP = 1000
"""Records read between two looks at other clients, about 5 ms."""
USE_HTTP = "more than {} names; list them page by page: GET /api/handles?prefix={}&after="
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

    async def tell(self, exchange: Exchange) -> list[Said]:
        """The messages of one list, or one refusal."""
        if exchange.op_code == OpCode.LIST_HOMED_PREFIXES:
            return await self._homed(exchange)
        body = exchange.request.body
        assert isinstance(body, HandleRequest)
        try:
            over = _prefix_record(body.handle)
        except ProtocolError as error:
            return [refused(Outcome.INVALID_IDENTIFIER, str(error))]
        handles = exchange.op_code == OpCode.LIST_HANDLES
        needed = LIST_HANDLES if handles else LIST_DERIVED_PREFIXES
        trouble = self._trouble(exchange, over, needed)
        if trouble is not None:
            return [trouble]
        prefix = over.responsible_prefix
        return await (self._below(prefix) if handles else self._derived(prefix))

    def _trouble(self, exchange: Exchange, over: Identifier, needed: int) -> Said | None:
        """Why whoever asks is not told."""
        prefix = over.responsible_prefix
        if not self._service.hosts(prefix):
            reason = f"prefix {prefix.decode()} is not hosted by this node"
            return refused(Outcome.NOT_RESPONSIBLE, reason)
        outcome = self._service.may(exchange.speaking.principal, over, needed)
        if outcome is Outcome.SUCCESS:
            return None
        if outcome is Outcome.AUTHENTICATION_NEEDED:
            return NEEDS_CHALLENGE
        who = exchange.speaking.principal.name
        return refused(outcome, f"{who} has not the right to list below {prefix.decode()}")

    async def _below(self, prefix: bytes) -> list[Said]:
        names: list[bytes] = []
        after, size, reader = b"", 0, self._service.reader
        while True:
            records = reader.list_records(prefix, after, STEP)
            names += [record.spelling for record in records]
            size += sum(len(record.spelling) for record in records)
            if len(names) > MOST_NAMES or size > MOST_NAME_BYTES:
                return [refused(Outcome.ERROR, USE_HTTP.format(MOST_NAMES, prefix.decode()))]
            if len(records) < STEP:
                return _messages(names)
            after = records[-1].key.partition(b"/")[2]
            await asyncio.sleep(0)
            reader.refresh()

    async def _derived(self, prefix: bytes) -> list[Said]:
        """The prefixes one or more labels below, hosted here or given away, that have a record."""
        names: list[bytes] = []
        below, after, reader = prefix + b".", prefix + b".", self._service.reader
        while True:
            records = reader.list_records(PREFIX_AUTHORITY, after, STEP)
            names += [
                one.spelling for one in records if one.key.removeprefix(_LEAD).startswith(below)
            ]
            last = records[-1].key.removeprefix(_LEAD) if records else b""
            if len(names) > MOST_NAMES:
                return [refused(Outcome.ERROR, USE_HTTP.format(MOST_NAMES, "0.NA"))]
            if len(records) < STEP or not last.startswith(below):
                return _messages(names)
            after = last
            await asyncio.sleep(0)
            reader.refresh()

    async def _homed(self, exchange: Exchange) -> list[Said]:
        """Of the prefixes hosted here, those below which whoever asks may list."""
        principal, names, after = exchange.speaking.principal, [], b""
        while True:
            page = self._service.reader.authorities(after, STEP)
            for authority in page:
                over = prefix_record_of(authority.spelling)
                is_here = not authority.is_delegated and self._service.hosts(authority.prefix)
                may = is_here and self._service.may(principal, over, LIST_HANDLES)
                if may is Outcome.SUCCESS:
                    names.append(over.spelling)
            if len(page) < STEP:
                return _messages(names)
            after = page[-1].prefix
            await asyncio.sleep(0)
            self._service.reader.refresh()


def _messages(names: list[bytes]) -> list[Said]:
    """At least one, with no names if there are none."""
    parts = list(_cut(names)) or [()]
    last = len(parts) - 1
    return [
        Said(ResponseCode.SUCCESS, NamesAnswer(part), has_more=at < last)
        for at, part in enumerate(parts)
    ]


def _cut(names: list[bytes]) -> Iterator[tuple[bytes, ...]]:
    starts: Iterable[int] = range(0, len(names), NAMES_PER_MESSAGE)
    for start in starts:
        yield tuple(names[start : start + NAMES_PER_MESSAGE])


def _prefix_record(handle: bytes) -> Identifier:
    """``0.NA/88.118.7``, or ``88.118.7`` for short. Raises ``ProtocolError``."""
    return prefix_record_of(handle[len(_LEAD) :] if handle.upper().startswith(_LEAD) else handle)
