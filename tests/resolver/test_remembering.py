from collections import Counter

import pytest

from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.message import Outcome
from protocols.trail import Verdict
from protocols.values.value_list import decode_values
from resolver.acts import Done
from resolver.answers import EncodedAnswers
from resolver.cache import ForeignCache, Rank, State
from resolver.delegation import Delegated, NotHere
from resolver.remembering import Remembering
from tests.resolver.parts import LIMITS, ident, not_here, now, query, site, url

NAME = ident("88.200/a")
ABOVE = ident("0.NA/88.200")
ELSEWHERE = NotHere(b"88.200", None)
BELOW = Delegated(b"88.200", (site("192.0.2.7"),))


class Memory:
    def __init__(self, limits=LIMITS):
        self.cache, self.answers = ForeignCache(1_000_000, limits), EncodedAnswers(1_000_000)
        self.counts: Counter[str] = Counter()
        self.remembering = Remembering(self.cache, self.answers, "88.118", limits, self.counts)

    def learn(self, seconds=0.0, identifier=NAME, outcome=Outcome.SUCCESS, ttl=100, **fields):
        values = (url(ttl=ttl), url("http://two", ttl=ttl, index=2))
        done = Done(outcome, values if outcome is Outcome.SUCCESS else (), Rank.TCP, **fields)
        self.remembering.learn(identifier, done, now(seconds))

    def found(self, seconds, identifier=NAME):
        return self.cache.get(identifier, now(seconds))

    def answer(self, seconds, text="88.200/a", **fields):
        found = self.found(seconds, ident(text))
        assert found is not None
        return self.remembering.answer(query(text, **fields), found, now(seconds))

    def encoded(self, seconds, spelling=b"88.200/a"):
        public = self.answers.get(spelling, seconds)
        return None if public is None else decode_values(public)


@pytest.fixture
def memory():
    return Memory()


# ---- answers


def test_a_fresh_answer_is_whole_with_what_is_left_of_its_ttl(memory):
    memory.learn()
    answer = memory.answer(30)
    assert (answer.outcome, answer.verdict, answer.is_authoritative) == (
        Outcome.SUCCESS, Verdict.FRESH, False,
    )  # fmt: skip
    assert [(value.index, value.ttl) for value in answer.values] == [(1, 70), (2, 70)]
    assert answer.trail is None


def test_selection_is_applied_to_the_whole_record(memory):
    memory.learn()
    assert [value.index for value in memory.answer(1, indexes=(2,)).values] == [2]
    assert memory.answer(1, types=("EMAIL",)).outcome is Outcome.VALUES_NOT_FOUND


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [(Outcome.NOT_FOUND, Verdict.ABSENT), (Outcome.VALUES_NOT_FOUND, Verdict.FRESH)],
)
def test_an_absence_is_told_with_its_reason_and_has_no_wire_form(memory, outcome, verdict):
    memory.learn(outcome=outcome, reason="none here")
    answer = memory.answer(1)
    assert (answer.outcome, answer.verdict, answer.reason) == (outcome, verdict, "none here")
    assert memory.encoded(1) is None


def test_a_trail_names_this_node_and_the_verdict(memory):
    memory.learn()
    trail = memory.answer(1, wants_trail=True).trail
    assert (trail.node, trail.verdict, trail.legs) == ("88.118", Verdict.FRESH, ())


# ---- the wire form


def test_the_wire_form_holds_until_it_is_time_to_ask_again(memory):
    memory.learn()
    memory.answer(1)
    ahead_s = memory.found(1).held.ahead_s
    assert [value.ttl for value in memory.encoded(50)] == [50, 50]
    assert memory.encoded(ahead_s - 0.01) is not None
    assert memory.encoded(ahead_s) is None


def test_while_it_is_asked_for_again_the_wire_form_holds_for_a_pause_at_most():
    memory = Memory()
    memory.learn(ttl=10_000)
    memory.answer(9_950)
    assert memory.found(9_950).state is State.AHEAD
    assert memory.encoded(9_979) is not None
    assert memory.encoded(9_980) is None
    memory.answer(9_985)
    assert memory.encoded(9_999) is not None
    assert memory.encoded(10_000) is None


def test_a_stale_answer_has_a_wire_form_only_while_its_source_is_left_alone(memory):
    memory.learn(ttl=10)
    answer = memory.answer(20)
    assert (answer.verdict, [value.ttl for value in answer.values]) == (Verdict.STALE, [30, 30])
    assert memory.encoded(20) is None
    memory.remembering.stand_in(NAME, now(20))
    memory.answer(21)
    assert [value.ttl for value in memory.encoded(49)] == [30, 30]
    assert memory.encoded(50) is None
    assert memory.counts == {"stale": 2}


def test_the_wire_form_is_kept_under_the_spelling_that_was_asked(memory):
    memory.learn(identifier=ident("88.200.a/x"))
    memory.answer(1, "88.200.A/x")
    assert memory.encoded(1, b"88.200.A/x") is not None
    assert memory.encoded(1, b"88.200.a/x") is None


# ---- learning


def test_what_is_learned_anew_drops_the_wire_form_in_every_spelling(memory):
    for text in ("88.200/a", "88.200/A"):
        memory.learn(identifier=ident(text))
        memory.answer(1, text)
    memory.learn(2)
    assert memory.encoded(2) is None
    assert memory.encoded(2, b"88.200/A") is None


def test_an_absence_takes_the_place_of_the_record_at_once_and_for_good(memory):
    memory.learn(ttl=10)
    memory.learn(20, outcome=Outcome.NOT_FOUND)
    assert memory.answer(21).outcome is Outcome.NOT_FOUND
    assert memory.remembering.stand_in(NAME, now(500)) is None


@pytest.mark.parametrize(
    "outcome", [Outcome.UNREACHABLE, Outcome.UNTRUSTED, Outcome.HOP_LIMIT, Outcome.NOT_RESPONSIBLE]
)
def test_a_failure_is_remembered_for_five_seconds(memory, outcome):
    memory.learn(outcome=outcome, reason="why")
    failure = memory.remembering.failure(NAME, ELSEWHERE, now(4.9))
    assert (failure.outcome, failure.reason, failure.verdict) == (outcome, "why", Verdict.FAILURE)
    assert memory.remembering.failure(NAME, ELSEWHERE, now(5)) is None


def test_that_we_were_busy_is_not_remembered(memory):
    memory.learn(outcome=Outcome.BUSY)
    assert memory.remembering.failure(NAME, ELSEWHERE, now(0)) is None


def test_what_is_forgotten_stands_in_for_nothing(memory):
    for text in ("88.200/a", "88.200/A"):
        memory.learn(identifier=ident(text))
        memory.answer(1, text)
    memory.remembering.forget(NAME)
    for text in ("88.200/a", "88.200/A"):
        assert memory.remembering.stand_in(ident(text), now(1)) is None
        assert memory.encoded(1, text.encode()) is None


def test_a_fresh_record_stands_in_without_a_pause(memory):
    memory.learn()
    found = memory.remembering.stand_in(NAME, now(1))
    assert found.state is State.FRESH
    assert memory.found(1).held.paused_until_s == 0


# ---- failures of the prefix


def test_a_failure_of_the_prefix_is_one_of_all_below_it(memory):
    memory.learn(identifier=ABOVE, outcome=Outcome.UNREACHABLE, reason="top is silent")
    assert memory.remembering.failure(NAME, ELSEWHERE, now(1)).reason == "top is silent"
    assert memory.remembering.failure(ident("88.201/a"), not_here("88.201/a"), now(1)) is None


def test_a_prefix_that_does_not_exist_has_nothing_below_it_for_a_minute(memory):
    memory.learn(identifier=ABOVE, outcome=Outcome.NOT_FOUND)
    answer = memory.remembering.failure(NAME, ELSEWHERE, now(59))
    assert (answer.outcome, answer.verdict) == (Outcome.NOT_FOUND, Verdict.ABSENT)
    assert memory.remembering.failure(NAME, ELSEWHERE, now(60)) is None


def test_a_prefix_that_is_known_is_no_failure(memory):
    memory.learn(identifier=ABOVE)
    assert memory.remembering.failure(NAME, ELSEWHERE, now(1)) is None


def test_what_was_delegated_from_here_does_not_depend_on_the_top(memory):
    memory.learn(identifier=ABOVE, outcome=Outcome.NOT_FOUND)
    assert memory.remembering.failure(NAME, BELOW, now(1)) is None


def test_a_prefix_too_long_for_a_record_of_its_own_is_no_failure(memory):
    text = "8" * (MAX_IDENTIFIER_BYTES - 2) + "/a"
    assert memory.remembering.failure(ident(text), not_here(text), now(1)) is None


# ---- changes


def test_a_change_of_a_record_drops_it_in_every_spelling_and_nothing_else(memory):
    for text in ("88.200/a", "88.200/A", "88.200/b"):
        memory.learn(identifier=ident(text))
        memory.answer(1, text)
    assert memory.remembering.drop(b"88.200/A") is None
    assert memory.found(1) is None
    assert memory.encoded(1) is None
    assert memory.encoded(1, b"88.200/A") is None
    assert memory.encoded(1, b"88.200/b") is not None


@pytest.mark.parametrize("change", [b"0.NA/88.200", b"0.na/88.200", b"88.200", b"0.NA/88"])
def test_a_change_of_a_prefix_drops_all_below_it(memory, change):
    for identifier in (NAME, ABOVE, ident("88.200.5/x"), ident("88.2001/x"), ident("89.1/x")):
        memory.learn(identifier=identifier)
    memory.learn(identifier=ident("88.200/f"), outcome=Outcome.UNREACHABLE)
    memory.answer(1)
    above = memory.remembering.drop(change)
    assert above == change.rpartition(b"/")[2]
    assert memory.encoded(1) is None
    for identifier in (NAME, ABOVE, ident("88.200.5/x")):
        assert memory.found(1, identifier) is None
    assert memory.remembering.failure(ident("88.200/f"), ELSEWHERE, now(1)) is None
    assert memory.found(1, ident("89.1/x")) is not None
    assert (memory.found(1, ident("88.2001/x")) is not None) is (not change.endswith(b"/88"))


def test_after_anything_may_have_changed_nothing_is_known(memory):
    memory.learn()
    memory.answer(1)
    memory.remembering.drop_all()
    assert memory.found(1) is None
    assert memory.encoded(1) is None
