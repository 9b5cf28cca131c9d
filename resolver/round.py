"""Round: one question to a set of servers that could all know, a few tries, first answer wins.

A try that has had its patience stays open: its answer is still taken while the next server is being asked. When the
round closes, a try that has had its patience counts as a timeout of its server, one that has not as nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.message import Outcome
from resolver.asking import Target, Trouble
from resolver.limits import Limits
from resolver.upstreams import Upstreams

ESCALATES = frozenset({Trouble.NEAR_MISS, Trouble.TOO_LARGE})
"""Over UDP: the same server is asked over TCP at once."""
REPEATABLE = frozenset({Trouble.TIMEOUT, Trouble.CLOSED, Trouble.GARBAGE})
"""The same server may be asked again within the question; after anything else it would say the same."""

GRAVITY = {
    Outcome.UNREACHABLE: 0,
    Outcome.BUSY: 1,
    Outcome.NOT_RESPONSIBLE: 2,
    Outcome.HOP_LIMIT: 3,
    Outcome.UNTRUSTED: 4,
}
"""When servers failed in several ways, the gravest is told."""

CROWDED_REASON = "too many questions to its servers are under way"
_OUTCOMES = {Trouble.UNTRUSTED: Outcome.UNTRUSTED, Trouble.CROWDED: Outcome.BUSY}


class Try(NamedTuple):
    """One question to one server."""

    number: int
    target: Target
    sent_s: float
    until_s: float
    """End of its patience."""


class Pick(NamedTuple):
    """The server to ask now."""

    target: Target
    is_retry: bool


class Round:
    """``pick`` whom to ask, then ``sent``; ``take`` a try when something came for it."""

    def __init__(self, targets: Sequence[Target], upstreams: Upstreams, limits: Limits) -> None:
        self._targets, self._upstreams, self._limits = targets, upstreams, limits
        self._open: dict[int, Try] = {}
        self._newest: Try | None = None
        self._tried: set[Target] = set()
        self._hopeless: set[Target] = set()
        self._try_count = 0
        self._escalation: Target | None = None
        self.failure = Outcome.UNREACHABLE
        self.reason = ""

    @property
    def is_open(self) -> bool:
        """Whether an answer may still come."""
        return bool(self._open)

    @property
    def patience_until_s(self) -> float:
        """Until when the newest try is waited for before another is made; 0 = it is over, or need not be."""
        if self._escalation is not None:
            return 0.0
        return self._newest.until_s if self._newest is not None else 0.0

    def pick(self, now_s: float) -> Pick | None:
        """The best server not tried yet, else one that may be asked again, else None."""
        escalation = self._escalation_at(now_s)
        if escalation is not None:
            return Pick(escalation, is_retry=False)
        if self._try_count >= self._limits.tries:
            return None
        left = [target for target in self._targets if target not in self._hopeless]
        usable = self._upstreams.order(left, now_s)
        free = [target for target in usable if self._upstreams.refusal(target, now_s) is None]
        for target in free:
            if target not in self._tried:
                return Pick(target, is_retry=False)
        for target in free:
            if self._upstreams.may_retry(target):
                return Pick(target, is_retry=True)
        if not free and not self._tried.issuperset(usable):
            self.note(Outcome.BUSY, CROWDED_REASON)
        return None

    def sent(self, number: int, pick: Pick, now_s: float) -> None:
        """The picked server is being asked under ``number``."""
        until_s = now_s + self._limits.try_s * 2**self._try_count
        self._newest = self._open[number] = Try(number, pick.target, now_s, until_s)
        self._tried.add(pick.target)
        self._try_count += 1
        self._escalation = None
        self._upstreams.sent(pick.target, now_s, pick.is_retry)

    def take(self, number: int) -> Try | None:
        """The try that something came for; None when it is not waited for any more."""
        return self._open.pop(number, None)

    def answered(self, try_: Try, now_s: float) -> None:
        """It brought something usable."""
        self._upstreams.answered(try_.target, now_s - try_.sent_s, now_s)

    def failed(self, try_: Try, trouble: Trouble, now_s: float) -> None:
        """It did not."""
        self._upstreams.failed(try_.target, trouble, now_s)
        self.note(
            _OUTCOMES.get(trouble, Outcome.UNREACHABLE), f"{try_.target.name}: {trouble.value}"
        )
        if trouble in ESCALATES and try_.target.over_tcp() not in self._tried:
            self._escalation = try_.target.over_tcp()
        if trouble in REPEATABLE:
            self._forget(try_)
        else:
            self.rule_out(try_)

    def declined(self, try_: Try, now_s: float) -> None:
        """It works, but got no answer from those whom it asked."""
        self._upstreams.declined(try_.target, now_s)
        self.rule_out(try_)

    def rule_out(self, try_: Try) -> None:
        """This server is not asked again."""
        self._hopeless.add(try_.target)
        self._forget(try_)

    def note(self, outcome: Outcome, reason: str) -> None:
        """How it failed, for when nothing better comes."""
        if not self.reason or GRAVITY[outcome] >= GRAVITY[self.failure]:
            self.failure, self.reason = outcome, reason

    def close(self, now_s: float) -> list[tuple[Try, bool]]:
        """The tries nobody waits for any more, each with whether it has had its patience."""
        left = [(try_, now_s >= try_.until_s) for try_ in self._open.values()]
        for try_, is_overdue in left:
            if is_overdue:
                self._upstreams.failed(try_.target, Trouble.TIMEOUT, now_s)
            else:
                self._upstreams.cancelled(try_.target)
        self._open.clear()
        return left

    def last_word(self) -> str:
        """Why nobody answered, for people."""
        if self.reason:
            return self.reason
        if self._tried:
            names = " and ".join(sorted(target.name for target in self._tried))
            return f"{names}: no answer in time"
        return "its servers have failed and are left alone for a while"

    def _escalation_at(self, now_s: float) -> Target | None:
        """The server that is to be asked over TCP, unless it must not be: that bound holds for it, too."""
        if self._escalation is not None:
            refusal = self._upstreams.refusal(self._escalation, now_s)
            if refusal is Trouble.CROWDED:
                self.note(Outcome.BUSY, CROWDED_REASON)
            if refusal is not None:
                self._escalation = None
        return self._escalation

    def _forget(self, try_: Try) -> None:
        """Its patience need not be waited for."""
        if self._newest is try_:
            self._newest = None
