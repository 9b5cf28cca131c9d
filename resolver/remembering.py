"""Remembering: answers from what was learned before, and learning from what came.

The foreign cache keeps whole public records; the encoded answers keep the wire form of those that are asked often, for
the hot path. Both forget together.
"""

from collections import Counter

from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY, Identifier, prefix_record_of, split
from protocols.message import Answer, Outcome, Query
from protocols.trail import Trail, Verdict
from protocols.values.value import Value
from protocols.values.value_list import select
from resolver.acts import ANSWERS, Done
from resolver.answers import EncodedAnswers
from resolver.cache import ForeignCache, Found, State
from resolver.delegation import Delegated, NotHere
from resolver.limits import Limits
from resolver.source import Now

OWN_BOUNDS = frozenset({Outcome.BUSY})
"""Failures that say something about this moment here, not about the identifier: not remembered."""


class Remembering:
    """``node`` is this node's name in trails; ``counts`` is shared with the forwarder."""

    def __init__(
        self, cache: ForeignCache, answers: EncodedAnswers, node: str, limits: Limits,
        counts: Counter[str],
    ) -> None:  # fmt: skip
        self._cache, self._answers = cache, answers
        self._node, self._limits, self._counts = node, limits, counts

    def failure(
        self, identifier: Identifier, place: Delegated | NotHere, now: Now
    ) -> Answer | None:
        """A failure of late, of the identifier or of its prefix; or the absence of its prefix."""
        failure = self._cache.failure(identifier, now)
        if failure is not None or isinstance(place, Delegated) or identifier.is_prefix_record:
            return failure
        try:
            record = prefix_record_of(identifier.prefix)
        except ProtocolError:  # too long: nobody can have asked for it
            return None
        found = self._cache.get(record, now)
        if found is None or found.state is State.STALE:
            return self._cache.failure(record, now)
        if found.held.outcome is not Outcome.NOT_FOUND:
            return None
        reason = f"prefix {identifier.prefix.decode(errors='replace')} is not registered"
        return Answer(Outcome.NOT_FOUND, reason=reason, verdict=Verdict.ABSENT)

    def answer(self, query: Query, found: Found, now: Now) -> Answer:
        """An answer from the cache; its wire form is kept for the hot path until it must be looked at again."""
        held, is_stale = found.held, found.state is State.STALE
        if held.outcome is Outcome.SUCCESS:
            self._encode(query.identifier, found, now)
        if is_stale:
            self._counts["stale"] += 1
            verdict = Verdict.STALE
        else:
            verdict = Verdict.ABSENT if held.outcome is Outcome.NOT_FOUND else Verdict.FRESH
        return self.selected(query, held.outcome, found.values, held.reason, verdict)

    def selected(
        self,
        query: Query,
        outcome: Outcome,
        values: tuple[Value, ...],
        reason: str,
        verdict: Verdict,
    ) -> Answer:
        """Selection by index and type is applied here, on the whole record."""
        if outcome is Outcome.SUCCESS:
            chosen = tuple(select(values, query.indexes, query.types))
            if chosen:
                return self.finished(query, Answer(outcome, chosen), verdict)
            outcome, reason = Outcome.VALUES_NOT_FOUND, "it has no public value that was asked for"
        return self.finished(query, Answer(outcome, reason=reason), verdict)

    def finished(self, query: Query, answer: Answer, verdict: Verdict) -> Answer:
        """With what every answer from elsewhere carries."""
        trail = Trail(self._node, verdict) if query.wants_trail else None
        return answer._replace(is_authoritative=False, verdict=verdict, trail=trail)

    def learn(self, identifier: Identifier, done: Done, now: Now) -> None:
        """Keep a result that is about the identifier itself."""
        if done.outcome in ANSWERS:
            self._answers.drop(identifier.folded())
            self._cache.put(
                identifier, done.outcome, done.values, done.rank, now, reason=done.reason
            )
        elif done.outcome not in OWN_BOUNDS:
            self._cache.fail(identifier, done.outcome, done.reason, now)

    def forget(self, identifier: Identifier) -> None:
        """It is gone: it must not stand in for anything any more."""
        self._cache.drop(identifier.folded())
        self._answers.drop(identifier.folded())

    def stand_in(self, identifier: Identifier, now: Now, *, pauses: bool = True) -> Found | None:
        """What is still known when nobody answers; from now on it is given at once for a while (``pauses``)."""
        found = self._cache.get(identifier, now)
        if pauses and found is not None and found.state is not State.FRESH:
            self._cache.pause(identifier, now)
        return found

    def drop(self, folded: bytes) -> bytes | None:
        """A change names this record, in any spelling. Returns the prefix below which everything went, if any."""
        prefix, suffix = split(folded)
        self._cache.drop(folded)
        self._answers.drop(folded)
        if prefix != PREFIX_AUTHORITY:
            return None
        above = suffix.upper()
        self._cache.drop_below(above)
        self._answers.drop_below(above)
        return above

    def drop_all(self) -> None:
        """Anything may have changed."""
        self._cache.clear()
        self._answers.clear()

    def _encode(self, identifier: Identifier, found: Found, now: Now) -> None:
        held, fixed_ttl_s = found.held, None
        if found.state is State.STALE:
            look_again_s, fixed_ttl_s = held.paused_until_s, self._limits.stale_ttl_s
        elif found.state is State.FRESH:
            look_again_s = held.ahead_s
        else:  # it is being asked for; should that fail, somebody has to look again before it is too late
            look_again_s = min(held.fresh_until_s, now.monotonic_s + self._limits.pause_s)
        if look_again_s > now.monotonic_s:
            self._answers.put(
                identifier.spelling, held.values, held.learned_s, look_again_s, fixed_ttl_s,
                now.monotonic_s,
            )  # fmt: skip
