"""The hottest: which foreign records were asked for most of late, found a slice at a time.

On a hit the hot paths set ``is_asked`` and nothing else. Every look over everything (a ``Survey``) takes these marks
in, and makes each record's heat, a number of eight bits, age: half of it, and 128 more if the record was asked for
since the last look. So of two records the one that was asked for in the later look is hotter, and among those the one
that was in more of the looks before (the aging algorithm of page replacement). A mark that was taken in still counts
for the hand of the shelf (``COUNTED``).

Most questions are answered from the encoded answers. Their marks are handed on, so the record itself is not thrown out
while its answers are wanted.
"""

import heapq
import itertools

from protocols.errors import ProtocolError
from protocols.identifier import read_identifier
from protocols.message import Outcome
from resolver.answers import EncodedAnswers
from resolver.cache import ForeignCache, Held
from resolver.shelf import COUNTED

SLICE = 200
"""Entries looked at in one step, some tenths of a millisecond."""
ASKED_NOW = 128


class Survey:
    """One look over everything; ``step`` until it is over, then ``take`` until it gives none."""

    def __init__(
        self,
        cache: ForeignCache,
        answers: EncodedAnswers,
        most: int,
        not_before_wall_s: float = 0.0,
    ) -> None:
        """What was learned before ``not_before_wall_s`` is left out."""
        self._cache, self._answers, self._most = cache, answers, most
        self._has_met_answers = False
        self.entries = self.asked = 0
        """How many were looked at, and how many of them had been asked for since the last look."""
        self._not_before_wall_s = not_before_wall_s
        self._hot: list[tuple[int, float, int, Held]] = []
        """A heap, the coldest first: heat, when it was learned, and a number of its own for those that are alike."""
        self._numbers = itertools.count()

    def step(self, now_s: float) -> bool:
        """Look at some more; True = that was all. ``now_s`` is monotonic."""
        if not self._has_met_answers:
            answers = self._answers.walk(SLICE)
            for answer in answers:
                if answer.is_asked is True:
                    answer.is_asked = COUNTED
                    self._hand_on(answer.key)
            self.entries += len(answers)
            self._has_met_answers = not answers
            return False
        records = self._cache.walk(SLICE)
        for held in records:
            self._look_at(held, now_s)
        self.entries += len(records)
        return not records

    def take(self) -> list[Held]:
        """The next of those that are hot, a slice at a time, the coldest first; none = that was all."""
        return [heapq.heappop(self._hot)[-1] for _ in range(min(SLICE, len(self._hot)))]

    def _hand_on(self, spelling: bytes) -> None:
        try:
            key = read_identifier(spelling).folded(case_sensitive=True)
        except ProtocolError:
            return
        held = self._cache.peek(key)
        if held is not None:
            held.is_asked = True

    def _look_at(self, held: Held, now_s: float) -> None:
        held.heat >>= 1
        if held.is_asked is True:
            held.heat |= ASKED_NOW
            held.is_asked = COUNTED
            self.asked += 1
        if held.outcome is not Outcome.SUCCESS or held.branch.is_cut:
            return
        if held.learned_wall_s < self._not_before_wall_s or self._cache.is_over(held, now_s):
            return
        item = (held.heat, held.learned_s, next(self._numbers), held)
        if len(self._hot) < self._most:
            heapq.heappush(self._hot, item)
        elif item > self._hot[0]:
            heapq.heapreplace(self._hot, item)
