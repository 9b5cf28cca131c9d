"""The hottest: found by when they were asked for, without disturbing who must go."""

from protocols.identifier import read_identifier
from protocols.message import Outcome
from protocols.values.value import Value
from resolver.answers import EncodedAnswers
from resolver.cache import ForeignCache, Rank
from resolver.hottest import SLICE, Survey
from resolver.shelf import COUNTED
from resolver.source import Now

WALL_S = 2e9
BUDGET = 1 << 22


class Caches:
    """Both, and a clock."""

    def __init__(self):
        self.cache, self.answers = ForeignCache(BUDGET), EncodedAnswers(BUDGET)
        self.at = 0.0

    @property
    def now(self):
        return Now(1000 + self.at, WALL_S + self.at)

    def learn(self, *names, ttl=3600, outcome=Outcome.SUCCESS):
        values = (
            (Value(1, "URL", b"https://example.org/", ttl=ttl),)
            if outcome is Outcome.SUCCESS
            else ()
        )
        for name in names:
            self.cache.put(read_identifier(name), outcome, values, Rank.TCP, self.now)
            self.answers.put(name, values, self.now.monotonic_s, 1e9, None, self.now.monotonic_s)

    def ask(self, *names):
        for name in names:
            assert self.cache.get(read_identifier(name), self.now)

    def survey(self, most=10, not_before_wall_s=0.0):
        survey = Survey(self.cache, self.answers, most, not_before_wall_s)
        while not survey.step(self.now.monotonic_s):
            pass
        return survey

    def hottest(self, most=10, **more):
        survey, taken = self.survey(most, **more), []
        while page := survey.take():
            taken += page
        return [held.spelling for held in reversed(taken)]


NAMES = [b"88.2/%s" % letter for letter in (b"a", b"b", b"c", b"d")]


def test_who_was_asked_for_lately_and_more_often_is_hotter():
    caches = Caches()
    caches.learn(*NAMES)
    a, b, c, d = NAMES
    for asked in ([a, b, c], [a, b], [b, c]):
        caches.ask(*asked)
        caches.survey()
    assert caches.hottest() == [b, c, a, d]
    assert caches.hottest(2) == [b, c]


def test_what_is_asked_no_more_cools_down_and_another_takes_its_place():
    caches = Caches()
    former, present = NAMES[:2]
    caches.learn(former, present)
    for _ in range(8):
        caches.ask(former)
        caches.survey()
    caches.ask(present)
    assert caches.hottest(1) == [present]
    for _ in range(8):
        caches.survey()
    assert {caches.cache.peek(name).heat for name in (former, present)} == {0}


def test_what_is_answered_from_the_encoded_answers_counts_as_asked_for_in_any_spelling_of_its_prefix():
    caches = Caches()
    caches.learn(b"88.ab/x", b"88.AB/y", b"88.ab")
    for spelling in (b"88.ab/x", b"88.ab"):
        assert caches.answers.get(spelling, caches.now.monotonic_s)
    assert caches.survey().asked == 2
    assert set(caches.hottest(2)) == {b"88.ab/x", b"88.ab"}
    assert caches.cache.peek(b"88.AB/x").is_asked, (
        "it is not thrown out while its answers are wanted"
    )


def test_a_mark_is_counted_once_and_still_protects():
    caches = Caches()
    caches.learn(*NAMES)
    caches.ask(NAMES[0])
    assert caches.survey().asked == 1
    assert caches.survey().asked == 0
    assert caches.cache.peek(NAMES[0]).is_asked == COUNTED
    caches.ask(NAMES[0])
    assert caches.survey().asked == 1


def test_absences_and_what_is_over_or_was_cut_off_are_not_among_them():
    caches = Caches()
    caches.learn(b"88.2/short", ttl=10)
    caches.at = 86_400.0
    caches.learn(b"88.2/absent", outcome=Outcome.NOT_FOUND)
    caches.learn(b"88.2/nothing-public", outcome=Outcome.VALUES_NOT_FOUND)
    caches.learn(b"88.3/cut", b"88.2/kept")
    caches.cache.drop_below(b"88.3")
    assert caches.hottest() == [b"88.2/kept", b"88.2/short"]
    caches.at += 11
    assert caches.hottest() == [b"88.2/kept"]


def test_what_was_believed_without_proof_can_be_left_out():
    caches = Caches()
    caches.learn(b"88.2/unproved")
    caches.at = 100.0
    caches.learn(b"88.2/proved")
    assert caches.hottest(not_before_wall_s=WALL_S + 50) == [b"88.2/proved"]


def test_no_step_looks_at_more_than_a_slice():
    caches = Caches()
    caches.learn(*[b"88.2/%d" % number for number in range(3 * SLICE)])
    survey, looked_at = Survey(caches.cache, caches.answers, 10), []
    while not survey.step(caches.now.monotonic_s):
        looked_at.append(survey.entries)
    steps = [after - before for before, after in zip([0, *looked_at], looked_at, strict=False)]
    assert max(steps) <= SLICE
    assert survey.entries == 6 * SLICE
    assert (len(survey.take()), survey.take()) == (10, [])
