"""The read spine: what happens to a question, from policy to answer. Pure; both clocks are arguments.

Policy -> whose identifier is it -> the local record, what is remembered of a foreign one, a referral, or the word that
somebody must be asked -> what of it may be seen. Selection is applied here, on the whole record. The serving worker
answers plain public questions straight from stored bytes; a property test holds those answers equal to these.
"""

from collections.abc import Sequence
from typing import Protocol

from protocols.identifier import PREFIX_AUTHORITY, Identifier, prefix_record_of
from protocols.message import Answer, Outcome, Query
from protocols.record import NO_VALUES
from protocols.values.site import SITE_TYPES
from protocols.values.value_list import decode_values
from resolver.delegation import Delegated, Local, NotHere, locate
from resolver.policies.enumeration import MissLimit
from resolver.policies.visibility import refused_alike, visible_answer
from resolver.policy import Stage, first_refusal
from resolver.source import LocalRecords, Now, Peer


class Foreign(Protocol):
    """What this node can do about identifiers that others hold; ``forwarding.Forwarder`` does it."""

    def lookup(
        self, query: Query, place: Delegated | NotHere, peer: Peer, now: Now
    ) -> Answer | None:
        """What is remembered or refused at once; None when somebody must be asked."""


def answer_now(  # noqa: PLR0913  # everything an answer depends on, and nothing else
    query: Query,
    records: LocalRecords,
    peer: Peer,
    now: Now,
    stages: Sequence[Stage] = (),
    foreign: Foreign | None = None,
    misses: MissLimit | None = None,
) -> Answer | None:
    """The answer from what is at hand; None when another node would have to be asked.

    ``misses`` limits who asks for what is not there below private prefixes; None = the operator's own look.
    """
    refusal = first_refusal(stages, query, peer, now)
    if refusal is not None:
        return refusal
    place = locate(query.identifier, records)
    if isinstance(place, Local):
        if records.is_private(query.identifier.prefix):
            return _private_answer(query, records, misses, peer, now)
        return _local_answer(query, records)
    if foreign is not None and query.may_recurse and is_askable(place):
        return foreign.lookup(query, place, peer, now)
    if isinstance(place, Delegated) and query.may_refer:
        return _referral(place, records)
    return Answer(Outcome.NOT_RESPONSIBLE, reason=_not_here(place), is_authoritative=False)


def is_askable(place: Delegated | NotHere) -> bool:
    """Whether anybody else could know: below a prefix hosted here nobody can."""
    return isinstance(place, Delegated) or place.nearest is None


def _local_answer(query: Query, records: LocalRecords) -> Answer:
    record = records.lookup(query.identifier)
    return _absent(query) if record is None else visible_answer(query, record, records)


def _private_answer(
    query: Query, records: LocalRecords, misses: MissLimit | None, peer: Peer, now: Now
) -> Answer:
    """The same bytes and as good as the same work, whether a record is absent or may not be seen."""
    outcome = records.may_read(query.principal, query.identifier)
    if outcome is Outcome.SUCCESS:
        return _local_answer(query, records)
    if not query.public_only:
        return refused_alike(outcome, query)
    refusal = None if misses is None else misses.before(peer, now)
    if refusal is not None:
        return refusal
    record = records.lookup(query.identifier)
    if record is None:
        # Reading another record takes as long as reading this one would.
        prefix = query.identifier.prefix
        records.lookup(Identifier(PREFIX_AUTHORITY + b"/" + prefix, PREFIX_AUTHORITY, prefix))
    if record is None or record.public == NO_VALUES:
        if misses is not None:
            misses.miss(query, peer, now)
        return _absent(query)
    return visible_answer(query, record, records)


def _absent(query: Query) -> Answer:
    return Answer(Outcome.NOT_FOUND, reason=f"{query.identifier.text} is not registered")


def _referral(place: Delegated, records: LocalRecords) -> Answer:
    """RC 302 with the HS_SITE values to go on with (RFC 3652 §3.3)."""
    record = records.lookup(prefix_record_of(place.prefix))
    values = decode_values(record.public) if record is not None else ()
    sites = tuple(value for value in values if value.type.upper() in SITE_TYPES)
    reason = f"prefix {place.prefix.decode()} is delegated; ask its servers"
    return Answer(Outcome.REFERRAL, sites, reason=reason)


def _not_here(place: Delegated | NotHere) -> str:
    reason = f"prefix {place.prefix.decode()} is not hosted by this node"
    if isinstance(place, Delegated):
        return f"{reason} but delegated; ask its servers, or ask with recursion (RECU)"
    return reason if place.nearest is None else f"{reason}; {place.nearest.decode()} above it is"
