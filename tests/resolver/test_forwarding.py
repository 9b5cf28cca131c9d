import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.message import Answer, Outcome, Principal
from protocols.trail import Verdict
from protocols.values.site import UDP
from protocols.values.value_list import decode_values
from resolver.asking import Reply, Role, Target, Trouble
from resolver.limits import Limits
from tests.resolver.parts import (
    CLIENT,
    LIMITS,
    NODE_ID,
    NOT_FOUND,
    TOP,
    UDP_CLIENT,
    Records,
    Table,
    referral,
    service,
    site,
    site_value,
    success,
    url,
)

SECONDARY = site("192.0.2.20")


def own(**setup):
    records = Records(hosted=[b"88.118"], delegated={b"88.118.7": (site("192.0.2.7"),)})
    return Table(records, **setup)


def told(table, ticket):
    assert isinstance(ticket, int)
    return table.told[ticket]


# ---- who is asked for


def test_identifiers_that_a_recursive_node_cannot_get_do_not_take_it_from_all_others():
    table = Table(is_recursive_upstream=True)
    down = Reply(Outcome.ERROR, reason="its servers do not answer")
    for number in range(3 * LIMITS.breaker_failures):
        table.ask(f"88.66/{number}")
        table.reply(down, f"88.66/{number}")
    assert table.forwarder.questions.troubles[Role.UPSTREAM, Trouble.ASTRAY] == 60
    (server,) = table.forwarder.upstreams.states()
    assert (server.breaker, server.failures) == ("closed", 60)
    ticket = table.ask("88.200/a")
    table.answer("88.200/a", url())
    assert table.told[ticket].outcome is Outcome.SUCCESS
    table.assert_idle()


def test_a_question_that_came_too_far_spoils_no_answer_but_its_own():
    table = Table(is_recursive_upstream=True)
    far = table.ask("88.200/a", hop_count=3)
    near = table.ask("88.200/a")
    too_far = Reply(Outcome.HOP_LIMIT, reason="forwarded 4 times already")
    first, second = sorted(table.open)
    assert (table.open[first].question.hop_count, table.open[second].question.hop_count) == (4, 1)
    del table.open[first]
    table.forwarder.received(first, too_far, table.now)
    table.step()
    assert table.told[far].outcome is Outcome.HOP_LIMIT
    table.answer("88.200/a", url())
    assert table.told[near].outcome is Outcome.SUCCESS
    table.assert_idle()


def test_a_question_that_came_too_far_does_not_keep_a_stale_answer_from_being_renewed():
    table = Table(is_recursive_upstream=True)
    table.ask("88.200/a")
    table.answer("88.200/a", url(ttl=60))
    table.pass_s(61)
    table.ask("88.200/a", via=("aa",))
    table.reply(Reply(Outcome.HOP_LIMIT, reason="the question has been here before"), "88.200/a")
    ticket = table.ask("88.200/a")
    table.reply(NOT_FOUND, "88.200/a")
    assert table.told[ticket].outcome is Outcome.NOT_FOUND


def test_a_server_that_is_not_asked_to_ask_others_speaks_of_itself():
    table = Table(Records(delegated={b"88.118.7": (SECONDARY,)}))
    for number in range(20):
        table.ask(f"88.118.7/{number}")
        table.reply(Reply(Outcome.ERROR), f"88.118.7/{number}")
    assert [server.breaker for server in table.forwarder.upstreams.states()] == ["open"]


def test_strangers_are_not_resolved_for_and_do_not_learn_what_is_cached():
    table = Table(may_recurse={CLIENT.address})
    table.ask("0.NA/88.200")
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    stranger = CLIENT._replace(address="203.0.113.9")
    answer = table.ask("0.NA/88.200", peer=stranger)
    assert (answer.outcome, answer.verdict) == (Outcome.NOT_RESPONSIBLE, Verdict.REFUSED)
    assert not answer.is_authoritative
    assert table.counts["refused-recursion"] == 1
    assert len(table.sent) == 1


def test_a_stranger_who_logged_in_is_resolved_for():
    table = Table(may_recurse=())
    assert isinstance(table.ask("88.200/a", principal=Principal("0.NA/88.118", 300)), int)


def test_below_own_delegated_prefixes_everybody_is_resolved_for():
    table = own(may_recurse=(), upstreams=())
    ticket = table.ask("88.118.7/a")
    table.answer("88.118.7/a", url())
    assert told(table, ticket).outcome is Outcome.SUCCESS


def test_without_upstream_what_is_not_ours_is_nobodys():
    answer = Table(upstreams=()).ask("88.200/a")
    assert (answer.outcome, answer.verdict) == (Outcome.NOT_RESPONSIBLE, Verdict.REFUSED)


def test_below_an_own_prefix_nobody_is_asked():
    table = own()
    answer = table.ask("88.118.9/a")
    assert (answer.outcome, answer.is_authoritative) == (Outcome.NOT_RESPONSIBLE, False)
    assert table.sent == []


@pytest.mark.parametrize("text", ["88.200/a", "88.118.7/a"])
def test_a_question_that_was_here_before_or_came_too_far_is_refused(text):
    table = own()
    for fields in ({"via": ("ff", NODE_ID)}, {"hop_count": 4}, {"hop_count": 2**31}):
        answer = table.ask(text, **fields)
        assert (answer.outcome, answer.verdict) == (Outcome.HOP_LIMIT, Verdict.REFUSED)
    assert table.counts["refused-loop"] == 3
    assert isinstance(table.ask(text, hop_count=3, via=("ff",)), int)
    assert table.sent[-1].question.hop_count == 4
    assert table.sent[-1].question.via == ("ff", NODE_ID)


# ---- what is at hand


def test_what_was_learned_is_answered_at_once_until_its_ttl_is_over():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=100))
    table.pass_s(50)
    answer = table.ask("88.118.7/a")
    assert (answer.verdict, answer.values[0].ttl) == (Verdict.FRESH, 50)
    table.pass_s(50)
    assert isinstance(table.ask("88.118.7/a"), int)


def test_who_must_not_have_it_from_a_cache_has_it_asked_for_and_others_profit():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url())
    ticket = table.ask("88.118.7/a", authoritative=True)
    assert table.sent[-1].question.authoritative
    table.answer("88.118.7/a", url("http://new"))
    assert told(table, ticket).values == (url("http://new"),)
    assert table.ask("88.118.7/a").values == (url("http://new"),)


def test_near_the_end_of_its_ttl_a_hit_has_it_asked_for_again_beside_the_answer():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=1000))
    table.pass_s(950)
    for _ in range(3):
        assert table.ask("88.118.7/a", indexes=(1,)).verdict is Verdict.FRESH
    assert len(table.sent) == 2
    assert table.counts["refreshed"] == 1
    table.answer("88.118.7/a", url("http://new", ttl=1000))
    assert table.ask("88.118.7/a").values[0].ttl == 1000
    table.assert_idle()


def test_a_refresh_that_fails_is_not_tried_again_for_a_pause_and_then_it_is():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=1000))
    table.pass_s(930)
    table.ask("88.118.7/a")
    table.fail(Trouble.REFUSED, "88.118.7/a")
    assert table.ask("88.118.7/a").verdict is Verdict.FRESH
    table.pass_s(29)
    table.ask("88.118.7/a")
    assert len(table.sent) == 2
    table.pass_s(2)
    assert table.ask("88.118.7/a").verdict is Verdict.FRESH
    assert len(table.sent) == 3


def test_refreshing_takes_only_the_room_that_others_leave():
    table = own(limits=Limits(waiting=2))
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=1000))
    table.pass_s(950)
    table.ask("88.118.7/b")
    assert table.ask("88.118.7/a").verdict is Verdict.FRESH
    assert table.all_asked() == ["88.118.7/a", "88.118.7/b"]


def test_after_a_failure_stale_is_given_at_once_for_a_pause_and_then_the_source_is_asked():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=10))
    table.pass_s(20)
    table.ask("88.118.7/a")
    table.fail(Trouble.REFUSED, "88.118.7/a")
    asked = len(table.sent)
    for _ in range(29):
        answer = table.ask("88.118.7/a")
        assert (answer.verdict, answer.values[0].ttl) == (Verdict.STALE, 30)
        table.pass_s(1)
    assert len(table.sent) == asked
    table.pass_s(2)
    ticket = table.ask("88.118.7/a")
    table.answer("88.118.7/a", url("http://new"))
    assert told(table, ticket).values == (url("http://new"),)


def test_stale_is_given_for_a_day_and_no_longer():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=10))
    table.pass_s(86_400)
    table.ask("88.118.7/a")
    table.fail(Trouble.REFUSED, "88.118.7/a")
    assert table.ask("88.118.7/a").verdict is Verdict.STALE
    table.pass_s(11)
    ticket = table.ask("88.118.7/a")
    table.pass_s(3.1)
    assert told(table, ticket).outcome is Outcome.UNREACHABLE


def test_a_failure_is_told_again_at_once_and_then_twice_as_long():
    table = own()
    for wait_s in (5, 10, 20):
        ticket = table.ask("88.118.7/a")
        table.fail(Trouble.REFUSED, "88.118.7/a")
        assert told(table, ticket).outcome is Outcome.UNREACHABLE
        table.pass_s(wait_s - 0.1)
        assert table.ask("88.118.7/a").verdict is Verdict.FAILURE
        table.pass_s(0.2)


def test_a_prefix_that_does_not_exist_is_asked_for_once_for_all_below_it():
    table = Table()
    ticket = table.ask("88.200/a")
    table.reply(NOT_FOUND, "0.NA/88.200")
    assert told(table, ticket).outcome is Outcome.NOT_FOUND
    for number in range(10):
        answer = table.ask(f"88.200/{number}")
        assert (answer.outcome, answer.verdict) == (Outcome.NOT_FOUND, Verdict.ABSENT)
    assert len(table.sent) == 1


def test_the_longest_identifiers_are_answered_somehow():
    table = Table()
    for text in ("8" * 2046 + "/a", "8" * 2047, "8" * 2043, "88/" + "x" * 2045):
        answer = table.ask(text)
        assert isinstance(answer, (int, Answer))
    table.pass_s(5)
    assert not table.waiting


# ---- over a bound


def test_over_the_budget_of_a_source_a_few_pass_and_the_others_are_told_busy():
    table = own(is_free=(), limits=Limits(misses_per_source_s=5))
    answers = [table.ask(f"88.118.7/{number}") for number in range(25)]
    asked = sum(isinstance(answer, int) for answer in answers)
    assert 5 < asked <= 7
    assert {answer.outcome for answer in answers if not isinstance(answer, int)} == {Outcome.BUSY}
    assert table.forwarder.budgets.refused == {"source": 25 - asked, "prefix": 0}
    assert table.counts["busy"] == 25 - asked


def test_over_a_bound_the_stale_answer_is_given_if_there_is_one():
    table = own(limits=Limits(misses_per_prefix_s=1))
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=2))
    table.pass_s(5)
    table.ask("88.118.7/b")
    answer = table.ask("88.118.7/a")
    assert (answer.outcome, answer.verdict) == (Outcome.SUCCESS, Verdict.STALE)
    assert table.ask("88.118.7/a", authoritative=True).outcome is Outcome.BUSY


def test_the_hundred_and_first_who_waits_for_the_same_is_told_busy():
    table = own()
    tickets = [table.ask("88.118.7/a") for _ in range(100)]
    answer = table.ask("88.118.7/a")
    assert (answer.outcome, answer.verdict) == (Outcome.BUSY, Verdict.REFUSED)
    table.answer("88.118.7/a", url())
    assert all(told(table, ticket).outcome is Outcome.SUCCESS for ticket in tickets)
    table.assert_idle()


def test_what_is_joined_costs_no_budget():
    table = own(is_free=(), limits=Limits(misses_per_source_s=1, misses_per_prefix_s=1))
    for _ in range(50):
        assert isinstance(table.ask("88.118.7/a"), int)


# ---- the encoded answers are those of the read spine


def test_the_wire_form_says_what_the_answer_said():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url(ttl=100), url("http://two", ttl=50, index=2))
    for _ in range(40):
        table.pass_s(1)
        answer = table.ask("88.118.7/a")
        encoded = table.forwarder.answers.get(b"88.118.7/a", table.at)
        assert encoded is not None
        assert decode_values(encoded) == answer.values


def test_a_change_drops_the_wire_form_before_anybody_gets_it():
    table = own()
    table.ask("88.118.7/a")
    table.answer("88.118.7/a", url())
    table.ask("88.118.7/a")
    table.forwarder.drop(b"88.118.7/A")
    assert table.forwarder.answers.get(b"88.118.7/a", table.at) is None


# ---- udp upstreams


def test_a_udp_answer_does_not_take_the_place_of_one_by_tcp_that_lasts():
    udp = Target(UDP, "192.0.2.1", 2641, Role.UPSTREAM)
    table = Table(upstreams=(TOP, udp))
    table.ask("0.NA/88.200")
    table.answer("0.NA/88.200", url())
    ticket = table.ask("0.NA/88.200", authoritative=True)
    table.fail(Trouble.REFUSED, "0.NA/88.200")
    assert table.sent[-1].target.protocol == UDP
    table.answer("0.NA/88.200", url("http://forged"))
    assert told(table, ticket).values == (url("http://forged"),)
    assert table.ask("0.NA/88.200").values == (url(),)


# ---- whatever happens

TEXTS = ["88.118.7/1", "88.118.7/2", "88.200/a", "88.200.5/b", "0.NA/88.200.5", "88.666/x"]
CHANGES = [b"88.118.7/1", b"0.NA/88.118.7", b"0.NA/88", None]
saying = st.sampled_from(
    [
        "truth",
        NOT_FOUND,
        referral(site("192.0.2.31")),
        referral(site("192.0.2.32", protocol=UDP)),
        Reply(Outcome.REFERRAL, referral=b"0.NA/88.200"),
        Reply(Outcome.BUSY),
        Reply(Outcome.NOT_RESPONSIBLE),
        Reply(Outcome.HOP_LIMIT),
        success("88.200/other", url("http://lie")),
        success("0.NA/88.666", *service("88.200.5/b", ttl=1)),
        *Trouble,
    ]
)
happening = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(TEXTS), st.booleans()),
    st.tuples(st.just("ask"), st.sampled_from(TEXTS), st.booleans()),
    st.tuples(st.just("say"), st.integers(0, 9), saying),
    st.tuples(st.just("say"), st.integers(0, 9), saying),
    st.tuples(st.just("pass"), st.floats(0, 3), st.none()),
    st.tuples(st.just("change"), st.sampled_from(CHANGES), st.none()),
    st.tuples(st.just("forget"), st.integers(0, 9), st.none()),
)


def truth(spelling):
    if spelling.startswith("0.NA/"):
        return success(spelling, *site_value(SECONDARY, ttl=1))
    return success(spelling, url("http://" + spelling, ttl=1))


@given(st.lists(happening, max_size=60), st.integers(2, 6), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_ticket_is_told_once_or_forgotten_and_nothing_is_left(happened, places, recurse):
    limits = Limits(waiting=places, waiters=3, in_flight=4)
    table = own(limits=limits, is_recursive_upstream=recurse)
    since = {}
    for what, which, more in happened:
        if what == "ask":
            ticket = table.ask(which, peer=UDP_CLIENT if more else CLIENT, authoritative=more)
            if isinstance(ticket, int):
                since[ticket] = table.at
        elif what == "say" and table.open:
            number = sorted(table.open)[which % len(table.open)]
            asked = table.open.pop(number).question.spelling.decode()
            if isinstance(more, Trouble):
                table.forwarder.failed(number, more, table.now)
            else:
                reply = truth(asked) if more == "truth" else more
                table.forwarder.received(number, reply, table.now)
            table.step()
        elif what == "pass":
            table.pass_s(which)
        elif what == "change":
            table.forwarder.drop_all() if which is None else table.forwarder.drop(which)
        elif what == "forget" and table.waiting:
            table.forget(sorted(table.waiting)[which % len(table.waiting)])
        assert table.in_flight() == len(table.open)
        assert all(state.in_flight <= 4 for state in table.forwarder.upstreams.states())
        waiting = [since[ticket] for ticket in table.waiting]
        assert all(table.at - asked_s < limits.patience_s for asked_s in waiting)
    table.pass_s(limits.patience_s)
    table.assert_idle()
    for answer in table.told.values():
        if answer is not None and answer.outcome is Outcome.SUCCESS:
            assert all(value.data != b"http://lie" for value in answer.values)


# ---- counts


def test_each_question_counts_once_by_what_was_remembered_and_what_the_node_needs_itself_does_not():
    table = Table()
    table.ask("88.200/a")  # a miss, for which the record of the prefix is needed besides
    table.answer("0.NA/88.200", *site_value(SECONDARY))
    table.answer("88.200/a", url(ttl=100))
    assert table.forwarder.lookups == {"miss": 1}
    table.lookup("88.200/a")
    assert table.forwarder.lookups == {"miss": 1, "fresh": 1}
    table.ask("88.200/b")
    table.reply(NOT_FOUND, "88.200/b")
    table.lookup("88.200/b")
    assert table.forwarder.lookups == {"miss": 2, "fresh": 1, "absent": 1}
    table.at += 101
    table.lookup("88.200/a")  # looked at without being asked: no question yet
    table.ask("88.200/a")
    assert table.forwarder.lookups == {"miss": 2, "fresh": 1, "absent": 1, "stale": 1}


def test_a_remembered_failure_is_no_miss_and_an_absent_prefix_no_failure():
    table = Table(is_recursive_upstream=True)
    table.ask("88.66/a")
    table.reply(Reply(Outcome.ERROR, reason="its servers do not answer"), "88.66/a")
    table.lookup("88.66/a")
    assert table.forwarder.lookups == {"miss": 1, "failure": 1}
    table.ask("0.NA/88.67")
    table.reply(NOT_FOUND, "0.NA/88.67")
    table.lookup("88.67/a")
    assert table.forwarder.lookups == {"miss": 2, "failure": 1, "absent": 1}
