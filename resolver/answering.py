"""The read spine: what happens to a question, from policy to answer. Pure; both clocks are arguments.

Policy -> whose identifier is it -> the local record -> what of it may be seen. Selection is applied here, on the whole
record. The serving worker answers plain public questions straight from stored bytes; a property test holds those
answers equal to these.
"""

from collections.abc import Sequence

from protocols.message import Answer, Outcome, Query
from resolver.delegation import Local, NotHere, locate
from resolver.policies.visibility import visible_answer
from resolver.policy import Stage, first_refusal
from resolver.source import LocalRecords, Now, Peer


def answer_now(
    query: Query,
    records: LocalRecords,
    peer: Peer,
    now: Now,
    stages: Sequence[Stage] = (),
) -> Answer | None:
    """The answer from what is at hand; None when another node would have to be asked."""
    refusal = first_refusal(stages, query, peer, now)
    if refusal is not None:
        return refusal
    match locate(query.identifier, records):
        case Local():
            return _local_answer(query, records)
        case NotHere(prefix, nearest):
            return Answer(Outcome.NOT_RESPONSIBLE, reason=_not_here(prefix, nearest))


def _local_answer(query: Query, records: LocalRecords) -> Answer:
    record = records.lookup(query.identifier)
    if record is None:
        return Answer(Outcome.NOT_FOUND, reason=f"{query.identifier.text} is not registered")
    return visible_answer(query, record, records)


def _not_here(prefix: bytes, nearest: bytes | None) -> str:
    reason = f"prefix {prefix.decode()} is not hosted by this node"
    return reason if nearest is None else f"{reason}; {nearest.decode()} above it is"
