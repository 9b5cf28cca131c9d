"""Failures: what could not be learned of late, so that it is not asked again at once (RFC 9520 §3.2).

The first failure of an identifier is remembered for ``Limits.failure_s``, the next that follows it for twice as long,
and so on up to ``Limits.failure_most_s``. An answer ends the row; so does a silence of ``failure_most_s``.
"""

import sys

from protocols.identifier import Identifier
from protocols.message import Answer, Outcome
from protocols.trail import Verdict
from resolver.limits import Limits
from resolver.shelf import ENTRY_BYTES, Entry, Shelf
from resolver.source import Now

MOST_REASON_CHARACTERS = 300
"""Reasons may quote what a server said."""


class Failure(Entry):
    """How asking for one identifier ended."""

    __slots__ = ("outcome", "reason", "until_s", "wait_s")

    def __init__(self, key: bytes, outcome: Outcome, reason: str) -> None:
        super().__init__(key, ENTRY_BYTES + len(key) + sys.getsizeof(reason))
        self.outcome = outcome
        self.reason = reason
        self.until_s = 0.0
        """Monotonic: not asked again before."""
        self.wait_s = 0.0


class Failures:
    """Failures by identifier (suffix as spelled), within ``most_bytes``; the oldest make way."""

    def __init__(self, most_bytes: int, limits: Limits) -> None:
        self._limits = limits
        self._shelf: Shelf[Failure] = Shelf(most_bytes)

    @property
    def used_bytes(self) -> int:
        """Memory that is taken, as an estimate."""
        return self._shelf.used_bytes

    @property
    def count(self) -> int:
        """Identifiers remembered, those whose time is over included."""
        return self._shelf.count

    def add(self, identifier: Identifier, outcome: Outcome, reason: str, now: Now) -> None:
        """One more failure; one that comes while another lasts (both were under way) does not lengthen it."""
        now_s = now.monotonic_s
        failure = Failure(
            identifier.folded(case_sensitive=True), outcome, reason[:MOST_REASON_CHARACTERS]
        )
        last = self._shelf.get(failure.key)
        if last is not None and now_s < last.until_s:
            failure.wait_s, failure.until_s = last.wait_s, last.until_s
        else:
            failure.wait_s = self._wait_s(last, now_s)
            failure.until_s = now_s + failure.wait_s
        self._shelf.put(failure)

    def holds(self, key: bytes) -> bool:
        """Whether a failure may be remembered under the key."""
        return key in self._shelf.entries

    def get(self, identifier: Identifier, now: Now) -> Answer | None:
        """The answer that repeats the failure, while it lasts."""
        failure = self._shelf.get(identifier.folded(case_sensitive=True))
        if failure is None or now.monotonic_s >= failure.until_s:
            return None
        return Answer(
            failure.outcome,
            reason=failure.reason,
            is_authoritative=False,
            verdict=Verdict.FAILURE,
        )

    def forget(self, identifier: Identifier) -> None:
        """It was answered: the next failure is a first one."""
        self._shelf.remove(identifier.folded(case_sensitive=True))

    def drop(self, spelling: bytes) -> None:
        """Forget the identifier in every spelling."""
        self._shelf.drop(spelling)

    def drop_below(self, prefix: bytes) -> None:
        """Forget what lies below the prefix and those derived from it."""
        self._shelf.drop_below(prefix)

    def clear(self) -> None:
        """Forget everything."""
        self._shelf.clear()

    def _wait_s(self, last: Failure | None, now_s: float) -> float:
        limits = self._limits
        if last is None or now_s >= last.until_s + limits.failure_most_s:
            return limits.failure_s
        return min(2 * last.wait_s, limits.failure_most_s)
