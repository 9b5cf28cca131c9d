import sys
from collections import Counter
from itertools import pairwise

import pytest

from protocols.message import Outcome
from protocols.trail import Verdict
from resolver.asking import Reply, Role, Trouble
from resolver.limits import Limits
from resolver.questions import SPARE_TIMERS, waits_for
from resolver.waiting import Crowd, Running
from tests.resolver.parts import (
    CLIENT,
    NOT_FOUND,
    TOP,
    UDP_CLIENT,
    Records,
    Table,
    ident,
    now,
    query,
    referral,
    service,
    site,
    site_value,
    success,
    url,
)

SECONDARY, OTHER = site("192.0.2.20"), site("192.0.2.30")
OWN = Records(hosted=[b"88.118"], delegated={b"88.118.7": (site("192.0.2.7"), site("192.0.2.8"))})


def own(**setup):
    return Table(Records(OWN.hosted, OWN.delegated), **setup)


# ---- what is under way


def test_the_record_of_the_prefix_is_asked_for_first_and_then_the_identifier():
    table = Table()
    ticket = table.ask("88.200/a")
    assert table.asking() == ["0.NA/88.200"]
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    assert table.asking() == ["88.200/a"]
    table.answer("88.200/a", url())
    answer = table.told[ticket]
    assert (answer.outcome, answer.values, answer.verdict) == (
        Outcome.SUCCESS, (url(),), Verdict.ASKED,
    )  # fmt: skip
    assert not answer.is_authoritative
    table.assert_idle()


def test_many_identifiers_of_one_prefix_need_its_record_once():
    table = Table()
    for number in range(50):
        table.ask(f"88.200/{number}")
    assert table.all_asked() == ["0.NA/88.200"]
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    assert Counter(table.all_asked()) == Counter(
        ["0.NA/88.200", *(f"88.200/{number}" for number in range(50))]
    )


def test_who_asks_the_same_joins_and_gets_his_own_selection():
    table = own()
    first = table.ask("88.118.7/a", indexes=(1,))
    second = table.ask("88.118.7/a", types=("EMAIL",))
    third = table.ask("88.118.7/a", indexes=(2,))
    assert table.all_asked() == ["88.118.7/a"]
    table.answer("88.118.7/a", url(index=1), url("http://two", index=2))
    assert table.told[first].values == (url(index=1),)
    assert table.told[second].outcome is Outcome.VALUES_NOT_FOUND
    assert table.told[third].values == (url("http://two", index=2),)
    assert [table.told[one].verdict for one in (first, second)] == [Verdict.ASKED, Verdict.JOINED]
    assert table.counts["joined"] == 2


@pytest.mark.parametrize(
    ("one", "other"), [("88.118.7/a", "88.118.7/A"), ("88.118.7/a", "88.118.7/b")]
)
def test_spellings_of_a_suffix_are_not_joined_those_of_a_prefix_are(one, other):
    table = own()
    table.ask(one)
    table.ask(other)
    assert len(table.sent) == 2
    joined = Table()
    joined.ask("0.NA/88.200")
    joined.ask("0.na/88.200")
    joined.ask("88.200")
    assert len(joined.sent) == 1


def test_who_must_not_have_it_from_a_cache_shares_with_his_like_only():
    table = own()
    table.ask("88.118.7/a")
    table.ask("88.118.7/a", authoritative=True)
    table.ask("88.118.7/a", authoritative=True)
    assert [send.question.authoritative for send in table.sent] == [False, True]


def test_questions_go_out_in_the_order_they_were_asked():
    table = own()
    for number in range(5):
        table.ask(f"88.118.7/{number}", step=False)
    table.step()
    assert table.all_asked() == [f"88.118.7/{number}" for number in range(5)]


def test_a_record_held_here_is_not_asked_for():
    table = Table(Records(hosted=[b"0.SERV"], records={"0.SERV/a": site_value(SECONDARY)}))
    table.ask("88.200/a")
    table.answer("0.NA/88.200", *service("0.SERV/a"))
    assert table.asking() == ["88.200/a"]
    assert table.sent[-1].target.address == "192.0.2.20"


def test_a_service_record_missing_here_leaves_the_identifier_unreachable():
    table = Table(Records(hosted=[b"0.SERV"]))
    ticket = table.ask("88.200/a")
    table.answer("0.NA/88.200", *service("0.SERV/a"))
    assert table.told[ticket].outcome is Outcome.UNREACHABLE
    table.assert_idle()


# ---- joins end


def test_records_that_need_each_other_end_at_once_and_are_remembered():
    table = Table()
    ticket = table.ask("88.200/a")
    table.answer("0.NA/88.200", *service("88.300/s"))
    table.answer("0.NA/88.300", *service("88.400/s"))
    table.answer("0.NA/88.400", *service("88.300/s"))
    assert table.told[ticket].outcome is Outcome.HOP_LIMIT
    table.assert_idle()
    again = table.ask("88.200/a")
    assert (again.outcome, again.verdict) == (Outcome.HOP_LIMIT, Verdict.FAILURE)
    assert len(table.sent) == 3


def test_whoever_waits_for_a_question_through_others_is_found_without_looking_at_all_who_wait():
    chain = [Running((b"%d" % number, False), query("1/a"), None, 0.0) for number in range(4)]
    for one, needed in pairwise(chain):
        one.needs = needed
    assert waits_for(chain[0], chain[3])
    assert waits_for(chain[2], chain[2])
    assert not waits_for(chain[3], chain[0])


def test_a_parent_that_ended_is_not_told():
    table = Table(limits=Limits(patience_s=1.0))
    ticket = table.ask("88.200/a")
    table.pass_s(0.9)
    late = table.ask("88.200/b")
    table.pass_s(0.15)
    assert table.told[ticket].outcome is Outcome.UNREACHABLE
    assert late not in table.waiting
    table.assert_idle()


def test_who_joined_a_record_late_is_not_left_behind():
    limits = Limits(failure_s=0.0)
    table = Table(limits=limits)
    table.ask("88.200/a")
    for _ in range(20):
        table.pass_s(0.3)
        table.ask("88.200/b")
    table.pass_s(limits.patience_s)
    table.assert_idle()


# ---- stale


def stale(table, text="88.118.7/a", ttl=10):
    table.ask(text)
    table.answer(text, url(ttl=ttl))
    table.pass_s(ttl + 1)


def test_a_stale_answer_is_told_after_400_ms_and_the_question_goes_on():
    table = own()
    stale(table)
    ticket = table.ask("88.118.7/a")
    table.pass_s(0.399)
    assert ticket in table.waiting
    table.pass_s(0.002)
    answer = table.told[ticket]
    assert answer.verdict is Verdict.STALE
    assert [value.ttl for value in answer.values] == [30]
    assert len(table.forwarder.questions) == 1
    table.answer("88.118.7/a", url("http://new"))
    assert table.ask("88.118.7/a").values == (url("http://new"),)
    table.assert_idle()


def test_every_waiter_has_his_own_400_ms_until_the_source_is_known_to_be_slow():
    table = own()
    stale(table)
    first = table.ask("88.118.7/a")
    table.pass_s(0.3)
    second = table.ask("88.118.7/a")
    table.pass_s(0.1)
    assert first in table.told
    assert second in table.waiting
    third = table.ask("88.118.7/a")
    assert third.verdict is Verdict.STALE
    table.pass_s(0.3)
    assert table.told[second].verdict is Verdict.STALE


def test_who_must_not_have_it_from_a_cache_is_not_given_the_stale_answer():
    table = own()
    stale(table)
    ticket = table.ask("88.118.7/a", authoritative=True)
    table.pass_s(5)
    assert table.told[ticket].outcome is Outcome.UNREACHABLE
    table.assert_idle()


def test_a_stale_prefix_record_is_used_while_the_top_is_silent():
    table = Table()
    table.ask("88.200/a")
    table.answer("0.NA/88.200", *site_value(SECONDARY, ttl=10))
    table.answer("88.200/a", url())
    table.pass_s(11)
    ticket = table.ask("88.200/b")
    assert table.asking() == ["0.NA/88.200"]
    table.pass_s(0.41)
    assert "88.200/b" in table.asking()
    table.answer("88.200/b", url("http://b"))
    assert table.told[ticket].values == (url("http://b"),)
    table.pass_s(5)
    table.assert_idle()


def test_what_has_gone_with_its_prefix_is_never_given_again():
    table = Table()
    table.ask("88.200/a")
    table.answer("0.NA/88.200", *site_value(SECONDARY, ttl=10))
    table.answer("88.200/a", url(ttl=10))
    table.pass_s(11)
    ticket = table.ask("88.200/a")
    table.reply(NOT_FOUND, "0.NA/88.200")
    assert table.told[ticket].outcome is Outcome.NOT_FOUND
    table.pass_s(61)  # the absence is over, the top silent
    ticket = table.ask("88.200/a")
    table.pass_s(5)
    assert table.told[ticket].outcome is not Outcome.SUCCESS
    assert table.forwarder.answers.get(b"88.200/a", table.at) is None
    table.assert_idle()


def test_what_another_question_found_gone_is_never_given_again_either():
    table = Table()
    table.ask("88.200/a")
    table.answer("0.NA/88.200", *site_value(SECONDARY, ttl=10))
    table.answer("88.200/a", url(ttl=10))
    table.pass_s(11)
    table.ask("88.200/b")
    table.reply(NOT_FOUND, "0.NA/88.200")
    assert table.ask("88.200/a").outcome is Outcome.NOT_FOUND
    table.pass_s(61)
    ticket = table.ask("88.200/a")
    table.pass_s(5)
    assert table.told[ticket].outcome is Outcome.UNREACHABLE


# ---- failures are remembered for what they are about


def test_a_silent_top_is_remembered_for_the_prefix():
    table = Table()
    ticket = table.ask("88.200/a")
    table.pass_s(3.0)
    assert table.told[ticket].outcome is Outcome.UNREACHABLE
    other = table.ask("88.200/b")
    assert (other.outcome, other.verdict) == (Outcome.UNREACHABLE, Verdict.FAILURE)
    table.assert_idle()


def test_what_a_question_spent_elsewhere_is_not_held_against_the_record_it_needs():
    """Or whoever owns a prefix could make others unresolvable, by pointing at them last."""
    table = Table()
    ticket = table.ask("88.666/a")
    table.answer("0.NA/88.666", *service("88.200/s"), after_s=2.9)
    assert table.asking() == ["0.NA/88.200"]
    table.pass_s(0.2)
    assert table.told[ticket].outcome is Outcome.UNREACHABLE
    assert table.forwarder.cache.failure(ident("0.NA/88.200"), table.now) is None
    assert table.ask("88.666/b") is not None
    victim = table.ask("88.200/a")
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    table.answer("88.200/a", url())
    assert table.told[victim].outcome is Outcome.SUCCESS


def test_who_spent_everything_is_remembered_for_it():
    table = Table(limits=Limits(questions=2))
    table.ask("88.666/a")
    table.answer("0.NA/88.666", *service("88.200/s"))
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    table.assert_idle()
    again = table.ask("88.666/a")
    assert (again.outcome, again.verdict) == (Outcome.HOP_LIMIT, Verdict.FAILURE)
    assert table.forwarder.cache.failure(ident("88.200/s"), table.now) is None


def test_that_one_had_come_too_far_is_not_told_to_the_next():
    table = own()
    ticket = table.ask("88.118.7/a", hop_count=3)
    table.reply(Reply(Outcome.HOP_LIMIT), "88.118.7/a")
    assert table.told[ticket].outcome is Outcome.HOP_LIMIT
    assert isinstance(table.ask("88.118.7/a"), int)


def test_a_loop_that_began_here_is_remembered():
    table = own()
    table.ask("88.118.7/a")
    table.reply(Reply(Outcome.HOP_LIMIT), "88.118.7/a")
    assert table.ask("88.118.7/a").verdict is Verdict.FAILURE


@pytest.mark.parametrize("trouble", [Trouble.CROWDED])
def test_our_own_bounds_are_not_remembered(trouble):
    table = own()
    ticket = table.ask("88.118.7/a")
    table.fail(trouble, "88.118.7/a")
    table.fail(trouble, "88.118.7/a")
    assert table.told[ticket].outcome is Outcome.BUSY
    assert isinstance(table.ask("88.118.7/a"), int)


# ---- a change while a question is under way


@pytest.mark.parametrize(
    "change", [b"88.118.7/A", b"0.NA/88.118.7", b"0.NA/88.118", b"0.NA/88", None]
)
def test_what_changed_under_way_is_told_who_waited_but_not_remembered_nor_told_who_asks_later(
    change,
):
    table = own()
    before = table.ask("88.118.7/a")
    table.forwarder.drop_all() if change is None else table.forwarder.drop(change)
    after = table.ask("88.118.7/a")
    assert len(table.sent) == 2
    old, new = table.sent
    del table.open[old.number]
    table.forwarder.received(old.number, success("88.118.7/a", url("http://old")), table.now)
    table.step()
    assert table.told[before].values == (url("http://old"),)
    assert after in table.waiting
    assert table.forwarder.cache.get(ident("88.118.7/a"), table.now) is None
    del table.open[new.number]
    table.forwarder.received(new.number, success("88.118.7/a", url("http://new")), table.now)
    table.step()
    assert table.told[after].values == (url("http://new"),)
    assert table.ask("88.118.7/a").values == (url("http://new"),)
    table.assert_idle()


@pytest.mark.parametrize("change", [b"88.118.7/B", b"0.NA/88.118.70", b"0.NA/88.118.7.1"])
def test_a_change_elsewhere_disturbs_nothing(change):
    table = own()
    table.ask("88.118.7/a")
    table.forwarder.drop(change)
    table.ask("88.118.7/a")
    assert len(table.sent) == 1
    table.answer("88.118.7/a", url())
    assert table.ask("88.118.7/a").values == (url(),)


def test_a_failure_of_what_changed_under_way_is_not_remembered():
    table = own()
    table.ask("88.118.7/a")
    table.forwarder.drop(b"0.NA/88.118.7")
    table.pass_s(3.1)
    table.assert_idle()
    assert isinstance(table.ask("88.118.7/a"), int)


def test_a_record_superseded_while_another_needs_it_still_reaches_that_one():
    table = Table()
    ticket = table.ask("88.200/a")
    table.forwarder.drop_all()
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    table.answer("88.200/a", url())
    assert table.told[ticket].outcome is Outcome.SUCCESS
    table.assert_idle()
    assert table.forwarder.cache.count == 0


# ---- bounds


def test_when_all_places_are_taken_the_oldest_gives_way_if_it_is_slow():
    table = own(limits=Limits(waiting=2))
    first, second = table.ask("88.118.7/a"), table.ask("88.118.7/b")
    assert table.ask("88.118.7/c").outcome is Outcome.BUSY
    table.pass_s(0.25)
    third = table.ask("88.118.7/c")
    assert table.told[first].outcome is Outcome.BUSY
    assert {second, third} == table.waiting
    assert sum(state.in_flight for state in table.forwarder.upstreams.states()) == 2
    assert table.counts["displaced"] == 1


def test_superseded_questions_count_until_they_end():
    table = own(limits=Limits(waiting=2))
    table.ask("88.118.7/a")
    table.ask("88.118.7/b")
    table.forwarder.drop_all()
    assert table.ask("88.118.7/a").outcome is Outcome.BUSY
    table.pass_s(0.3)
    assert table.ask("88.118.7/a").outcome is Outcome.BUSY
    table.pass_s(3)
    assert isinstance(table.ask("88.118.7/a"), int)


def test_who_may_not_wait_displaces_nobody():
    table = own(limits=Limits(waiting=2, waiting_per_source=2))
    tickets = [table.ask("88.118.7/a"), table.ask("88.118.7/b")]
    table.pass_s(0.3)
    assert table.ask("88.118.7/c").outcome is Outcome.BUSY
    assert set(tickets) == table.waiting
    assert table.forwarder.questions.crowd.count(CLIENT.address) == 2


def test_a_client_over_a_bound_is_not_counted_into_the_crowd():
    table = own(limits=Limits(waiting=1))
    table.ask("88.118.7/a")
    assert table.ask("88.118.7/b").outcome is Outcome.BUSY
    assert table.forwarder.questions.crowd.count(CLIENT.address) == 1


def test_a_forgotten_ticket_is_never_told_and_its_question_goes_on():
    table = own()
    ticket = table.ask("88.118.7/a")
    table.forget(ticket)
    table.forget(ticket)
    assert table.forwarder.questions.crowd.count(CLIENT.address) == 0
    table.answer("88.118.7/a", url())
    assert ticket not in table.told
    assert table.ask("88.118.7/a").values == (url(),)
    table.assert_idle()


def test_an_answer_too_late_for_udp_is_silence_and_over_tcp_it_is_told():
    table = own()
    late, patient = table.ask("88.118.7/a", peer=UDP_CLIENT), table.ask("88.118.7/a")
    table.pass_s(2.0)
    table.answer("88.118.7/a", url())
    assert table.told[late] is None
    assert table.told[patient].outcome is Outcome.SUCCESS
    assert table.counts["late"] == 1
    table.assert_idle()


def test_troubles_are_counted_by_role():
    table = own()
    table.ask("88.118.7/a")
    table.fail(Trouble.REFUSED, "88.118.7/a")
    table.pass_s(0.1)
    table.answer("88.118.7/a", url())
    assert table.forwarder.questions.troubles == {(Role.DELEGATED, Trouble.REFUSED): 1}


def test_who_lost_the_race_after_his_patience_counts_as_a_timeout_once():
    table = own()
    table.ask("88.118.7/a")
    table.pass_s(0.5)
    assert len(table.open) == 2
    table.answer("88.118.7/a", url())
    assert table.forwarder.questions.troubles == {(Role.DELEGATED, Trouble.TIMEOUT): 1}
    table.assert_idle()


def test_a_trail_tells_the_legs_of_the_needed_record_too():
    table = Table()
    ticket = table.ask("88.200/a", wants_trail=True)
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    table.reply(referral(OTHER), "88.200/a")
    table.answer("88.200/a", url())
    trail = table.told[ticket].trail
    assert (trail.node, trail.verdict) == ("88.118", Verdict.ASKED)
    assert [(leg.server, leg.asked, leg.said) for leg in trail.legs] == [
        (TOP.name, "0.NA/88.200", "success"),
        ("tcp://192.0.2.20:2641", "88.200/a", "referral"),
        ("tcp://192.0.2.30:2641", "88.200/a", "success"),
    ]


def test_nobody_gets_a_trail_who_did_not_want_one():
    table = own()
    ticket = table.ask("88.118.7/a")
    table.answer("88.118.7/a", url())
    assert table.told[ticket].trail is None


# ---- what an event costs


def test_timers_do_not_pile_up_with_those_who_come_and_go():
    table = own()
    for _ in range(5_000):
        table.forget(table.ask("88.118.7/a"))
    assert len(table.forwarder.questions._timers) <= 16


def test_timers_stay_few_with_thousands_of_waiters():
    table = own(limits=Limits(waiting_per_source=100_000))
    for number in range(100):
        for _ in range(50):
            table.ask(f"88.118.7/{number}", step=False)
        table.step()
        table.pass_s(0.001)
    assert len(table.forwarder.questions) == 100
    assert len(table.forwarder.questions._timers) <= 8 * 100 + SPARE_TIMERS
    table.pass_s(4)
    table.assert_idle()


EVENTS = {
    "an answer": lambda table: table.answer("88.118.7/5", url()),
    "a failure": lambda table: table.fail(Trouble.REFUSED, "88.118.7/5"),
    "a joining client": lambda table: table.ask("88.118.7/5"),
    "a new question": lambda table: table.ask("88.118.7/new"),
    "a client that leaves": lambda table: table.forget(5),
    "a change of one record": lambda table: table.forwarder.drop(b"88.118.7/5"),
}


@pytest.mark.parametrize("event", EVENTS)
def test_what_an_event_costs_does_not_depend_on_how_much_is_under_way(event):
    limits = Limits(misses_per_prefix_s=1e6, in_flight=10_000, waiting_per_source=10_000)
    costs = []
    for count in (20, 2_000):
        table = own(limits=limits)
        for number in range(count):
            table.ask(f"88.118.7/{number}", step=False)
        table.step()
        costs.append(_cost_of(EVENTS[event], table))
    few, many = costs
    assert few > 0
    assert many <= 1.2 * few, costs


def _cost_of(event, table):
    """Bytecode instructions carried out inside the resolver: the same on every machine."""
    count = 0

    def trace(frame, what, _):
        nonlocal count
        if "/resolver/" not in frame.f_code.co_filename.replace("tests/resolver", ""):
            return None
        frame.f_trace_opcodes = True
        count += what == "opcode"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        event(table)
    finally:
        sys.settrace(former)
    return count


def test_nothing_waits_when_nothing_is_under_way():
    table = own()
    assert table.forwarder.next_s() == float("inf")
    table.ask("88.118.7/a", step=False)
    assert table.forwarder.next_s() == float("-inf")
    table.step()
    assert table.forwarder.next_s() == pytest.approx(table.at + 0.4)


def test_a_crowd_lets_so_many_of_an_address_in_and_forgets_who_left():
    crowd = Crowd(2)
    assert [crowd.enter("a"), crowd.enter("a"), crowd.enter("a"), crowd.enter("b")] == [
        True, True, False, True,
    ]  # fmt: skip
    crowd.leave("a")
    assert crowd.enter("a")
    for address in ("a", "a", "a", "b", "b"):
        crowd.leave(address)
    assert (crowd.count("a"), crowd.count("b")) == (0, 0)


def test_a_number_nobody_knows_is_ignored():
    table = own()
    table.forwarder.received(99, success("88.118.7/a", url()), now(0))
    table.forwarder.failed(99, Trouble.CLOSED, now(0))
    table.forwarder.forget(99)
    assert table.forwarder.step(table.now) == []
