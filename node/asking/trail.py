"""Trails as facts for people: who answered in the end, over which nodes, and out of what."""

from protocols.message import Outcome
from protocols.trail import Leg, Trail, Verdict

REMEMBERED = (Verdict.FRESH, Verdict.ABSENT, Verdict.STALE, Verdict.FAILURE)
"""The answer came from the cache; whom a node asked beside it did not bring it."""

SOURCES = {
    Verdict.LOCAL: "its records",
    Verdict.REFUSED: "its rules",
    Verdict.FRESH: "cache",
    Verdict.ABSENT: "cache (absence)",
    Verdict.STALE: "cache (stale)",
    Verdict.FAILURE: "cache (failure)",
    Verdict.ASKED: "asked",
    Verdict.JOINED: "asked",
}
"""What a verdict means for whoever reads a table."""

_ANSWERS = {one.value for one in (Outcome.SUCCESS, Outcome.NOT_FOUND, Outcome.VALUES_NOT_FOUND)}


def way(trail: Trail) -> tuple[str, ...]:
    """The nodes an answer came through, the asked one first; the last by its address when it told no name.

    A node that got no answer from anybody is the one that answered.
    """
    last = _last_leg(trail)
    if last is None:
        return (trail.node,)
    return (trail.node, *(way(last.trail) if last.trail else (last.server,)))


def source(trail: Trail) -> Verdict:
    """Out of what the last node on the way answered; ``ASKED`` or ``JOINED`` when it did not say."""
    last = _last_leg(trail)
    if last is None or last.trail is None:
        return trail.verdict
    return source(last.trail)


def _last_leg(trail: Trail) -> Leg | None:
    """The question that brought the answer: a slower server may have been tried beside it, and told later."""
    if trail.verdict in REMEMBERED:
        return None
    answers = [leg for leg in trail.legs if leg.said in _ANSWERS]
    return answers[-1] if answers else None
