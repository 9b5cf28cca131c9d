"""Acts: what a resolution says is to be done next, how it ends, and what it may spend on the way."""

from typing import NamedTuple

from protocols.identifier import Identifier
from protocols.message import Outcome
from protocols.values.value import Value
from resolver.asking import Question
from resolver.cache import Rank
from resolver.limits import Limits
from resolver.round import Pick


class Allowance:
    """What may still be spent on one question, whatever other questions it needs: the counter lives in the question."""

    __slots__ = ("_limits", "deadline_s", "hops", "questions")

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._limits = limits
        self.questions = limits.questions
        self.hops = limits.hops
        self.deadline_s = now_s + limits.patience_s

    def is_fair(self, now_s: float) -> bool:
        """Whether a question that begins with it now has a fair chance: nothing but some time has been spent."""
        limits = self._limits
        is_untouched = self.questions == limits.questions and self.hops == limits.hops
        return is_untouched and now_s <= self.deadline_s - limits.patience_s / 2


class Ask(NamedTuple):
    """Ask this server. ``sent`` must be called with the number the question gets."""

    pick: Pick
    question: Question


class Need(NamedTuple):
    """Get this record first and call ``told``."""

    identifier: Identifier


class Wait(NamedTuple):
    """Nothing to do before then, or before something comes."""

    until_s: float


class Done(NamedTuple):
    """The end: the whole public record, its absence, or a failure."""

    outcome: Outcome
    values: tuple[Value, ...] = ()
    rank: Rank = Rank.UDP
    reason: str = ""
    is_own: bool = True
    """Learned about this identifier itself; False = about something it depends on, which is remembered there, or about
    the way that the question had come."""
    is_spent: bool = False
    """Its allowance was used up."""


Act = Ask | Need | Wait | Done

ANSWERS = frozenset({Outcome.SUCCESS, Outcome.VALUES_NOT_FOUND, Outcome.NOT_FOUND})
"""Outcomes that settle a question; everything else is a failure."""
FINAL = frozenset({Outcome.HOP_LIMIT, Outcome.INVALID_IDENTIFIER})
"""What a server says about the question itself; no other server would say otherwise."""
