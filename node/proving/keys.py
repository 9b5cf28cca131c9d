"""Keys: the value a claim names, held here, told by another node, or another node's to judge.

A public key may come from anywhere that answers are believed from (``resolve``: pins, trust ranks and the foreign cache
are its). A secret never leaves the node that keeps it: that node is asked whether the proof is right (``FarSecrets``).

The key stands in the record the claim names, at that index, with that type. Aliases and services of such a record are
not followed, so there is nothing that could lead in a circle; the way to the record is bounded by the resolver.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple

from protocols.identifier import Identifier
from protocols.message import OPERATOR, Answer, Outcome, Query
from protocols.trail import Verdict
from protocols.values.value import Value
from registry.holdings import Holdings
from resolver.delegation import Delegated, Local, NotHere, locate
from resolver.source import Peer

Resolve = Callable[[Query, Peer], Awaitable[Answer]]
"""``Service.resolve``."""


class KeyType(Enum):
    """What proves something, by the type of its value."""

    SECRET = "HS_SECKEY"  # noqa: S105  # the name of a value type
    PUBLIC = "HS_PUBKEY"


class Key(NamedTuple):
    """What was found; ``data`` None = nothing: no record, no value at that index, or one of another type."""

    data: bytes | None
    is_remembered: bool = False
    """Another node told it earlier: it may have been exchanged since."""


class Elsewhere(NamedTuple):
    """Another node keeps the record."""

    place: Delegated | NotHere


_REMEMBERED = frozenset({Verdict.FRESH, Verdict.ABSENT, Verdict.STALE})
_NONE = frozenset({Outcome.NOT_FOUND, Outcome.VALUES_NOT_FOUND, Outcome.NOT_RESPONSIBLE})
"""Outcomes of a resolution that say there is no such key, or nobody who could have it."""


def find_here(
    identifier: Identifier, index: int, type_: KeyType, holdings: Holdings
) -> Key | Elsewhere:
    """The key among the records of this node. Raises ``StoreError``."""
    place = locate(identifier, holdings)
    if not isinstance(place, Local):
        return Elsewhere(place)
    return Key(_pick(holdings.values_of(identifier) or (), index, type_))


async def fetch_public(
    identifier: Identifier, index: int, resolve: Resolve, peer: Peer, *, anew: bool = False
) -> Key | Outcome:
    """The public key that another node keeps; BUSY, or UNREACHABLE when nobody tells it, or nobody who is believed.

    Asked as the node itself, on account of ``peer``: whoever logs in need not be allowed to have others asked, but what
    he costs is taken from his budget. ``anew``: as it is now, not as it is remembered.
    """
    query = Query(
        identifier, indexes=(index,), may_recurse=True, authoritative=anew, principal=OPERATOR
    )
    answer = await resolve(query, peer)
    is_remembered = answer.verdict in _REMEMBERED
    if answer.outcome is Outcome.SUCCESS:
        return Key(_pick(answer.values, index, KeyType.PUBLIC), is_remembered)
    if answer.outcome in _NONE:
        return Key(None, is_remembered)
    return Outcome.BUSY if answer.outcome is Outcome.BUSY else Outcome.UNREACHABLE


def _pick(values: tuple[Value, ...], index: int, type_: KeyType) -> bytes | None:
    for value in values:
        if value.index == index:
            return value.data if value.type.upper() == type_.value else None
    return None
