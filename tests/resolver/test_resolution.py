import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.message import Outcome
from protocols.values.site import UDP
from protocols.values.value import SECRET_PERMISSIONS, Value
from resolver.acts import Allowance, Done, Need, Wait
from resolver.asking import Reply, Trouble
from resolver.cache import Rank
from resolver.delegation import Delegated
from resolver.limits import Limits
from tests.resolver.parts import (
    LIMITS,
    NODE_ID,
    NOT_FOUND,
    TOP,
    TOP2,
    WALL_S,
    Machine,
    ident,
    referral,
    service,
    site,
    site_value,
    success,
    url,
    world,
)

BELOW = Delegated(b"88.118.7", (site("192.0.2.7"),))
SECONDARY = site("192.0.2.20")


def need(text):
    return Need(ident(text))


def delegated(text="88.118.7/a", place=BELOW, **fields):
    machine = Machine(text, place, **fields)
    machine.step()
    return machine


def at_servers_of(*sites, text="88.200/a", **fields):
    """A foreign question whose prefix record has been found."""
    machine = Machine(text, **fields)
    assert machine.step() == need("0.NA/" + text.partition("/")[0])
    machine.told(*site_value(*(sites or (SECONDARY,))))
    machine.step()
    return machine


# ---- where a question goes first


def test_a_delegated_identifier_is_asked_of_the_servers_of_its_prefix():
    assert delegated().asked == [("tcp://192.0.2.7:2641", "88.118.7/a")]


def test_a_foreign_identifier_needs_the_record_of_its_prefix_first_and_only_once():
    machine = Machine("88.200/a")
    assert machine.step() == need("0.NA/88.200")
    assert machine.step() == Wait(LIMITS.patience_s)
    assert machine.asked == []


def test_with_the_record_of_the_prefix_its_servers_are_asked():
    assert at_servers_of().asked == [("tcp://192.0.2.20:2641", "88.200/a")]


@pytest.mark.parametrize("text", ["0.NA/88.200", "0.na/88.200", "88.200"])
def test_a_prefix_record_is_asked_of_the_top_by_its_full_name(text):
    machine = Machine(text)
    machine.step()
    assert machine.asked == [(TOP.name, "0.NA/88.200")]


def test_in_recursive_mode_the_upstream_is_asked_for_the_whole_way():
    machine = Machine("88.200/a", the_world=world(is_recursive=True))
    machine.step()
    assert machine.asked == [(TOP.name, "88.200/a")]
    assert machine.question.may_recurse


def test_own_delegated_prefixes_are_asked_directly_in_recursive_mode_too():
    machine = delegated(the_world=world(is_recursive=True))
    assert machine.asked == [("tcp://192.0.2.7:2641", "88.118.7/a")]
    assert not machine.question.may_recurse


def test_a_question_carries_one_hop_more_and_this_node_behind_who_forwarded_it():
    machine = delegated(
        hop_count=2, via=("0a", "0b"), wants_trail=True, authoritative=True, indexes=(1,)
    )
    question = machine.question
    assert question.hop_count == 3
    assert question.via == ("0a", "0b", NODE_ID)
    assert question.wants_trail
    assert question.authoritative
    assert not question.may_recurse


def test_a_site_that_is_ourselves_is_a_loop_and_one_of_two_is_left_out():
    here = {("192.0.2.7", 2641)}
    machine = Machine("88.118.7/a", BELOW, world(own_places=here))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.HOP_LIMIT
    both = Delegated(b"88.118.7", (site("192.0.2.7"), site("192.0.2.8")))
    machine = Machine("88.118.7/a", both, world(own_places=here))
    machine.step()
    assert machine.asked == [("tcp://192.0.2.8:2641", "88.118.7/a")]


def test_a_site_without_a_usable_server_is_unreachable():
    nowhere = Delegated(b"88.118.7", (site("192.0.2.7", protocol=9),))
    done = Machine("88.118.7/a", nowhere).step()
    assert done == Done(Outcome.UNREACHABLE, reason="it has no server that can be asked")


# ---- what an answer settles


def test_an_answer_settles_it_with_its_public_values_and_its_rank():
    machine = delegated()
    secret = Value(300, "HS_SECKEY", b"x", permissions=SECRET_PERMISSIONS)
    assert machine.reply(success("88.118.7/a", secret, url(index=2), url(index=1))) is None
    assert machine.step() == Done(Outcome.SUCCESS, (url(index=1), url(index=2)), Rank.TCP)
    assert machine.in_flight() == 0


def test_a_record_of_secrets_only_has_no_values_for_anybody():
    machine = delegated()
    machine.reply(
        success("88.118.7/a", Value(300, "HS_SECKEY", b"x", permissions=SECRET_PERMISSIONS))
    )
    done = machine.step()
    assert isinstance(done, Done)
    assert (done.outcome, done.values) == (Outcome.VALUES_NOT_FOUND, ())


@pytest.mark.parametrize("outcome", [Outcome.NOT_FOUND, Outcome.VALUES_NOT_FOUND])
def test_an_absence_settles_it(outcome):
    machine = delegated()
    machine.reply(Reply(outcome, reason="none"))
    assert machine.step() == Done(outcome, (), Rank.TCP, "none")


@pytest.mark.parametrize("outcome", [Outcome.HOP_LIMIT, Outcome.INVALID_IDENTIFIER])
def test_what_is_said_about_the_question_itself_ends_it(outcome):
    both = Delegated(b"88.118.7", (site("192.0.2.7"), site("192.0.2.8")))
    machine = delegated(place=both)
    assert machine.reply(Reply(outcome, reason="so")) is None
    assert machine.step() == Done(outcome, reason="so")
    assert len(machine.asked) == 1


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome.BUSY, Outcome.BUSY),
        (Outcome.ERROR, Outcome.UNREACHABLE),
        (Outcome.NOT_SUPPORTED, Outcome.UNREACHABLE),
        (Outcome.AUTHENTICATION_NEEDED, Outcome.UNREACHABLE),
        (Outcome.UNTRUSTED, Outcome.UNTRUSTED),
    ],
)
def test_a_server_that_could_not_is_astray_and_its_reason_is_told(outcome, told):
    machine = delegated()
    assert machine.reply(Reply(outcome, reason="disk full")) is Trouble.ASTRAY
    assert machine.step() == Done(told, reason="tcp://192.0.2.7:2641: disk full")
    assert machine.in_flight() == 0


def test_who_is_not_responsible_is_no_trouble_and_the_next_is_asked():
    both = Delegated(b"88.118.7", (site("192.0.2.7"), site("192.0.2.8")))
    machine = delegated(place=both)
    assert machine.reply(Reply(Outcome.NOT_RESPONSIBLE)) is None
    machine.step()
    assert [name for name, _ in machine.asked] == ["tcp://192.0.2.7:2641", "tcp://192.0.2.8:2641"]
    assert all(state.failures == 0 for state in machine.world.upstreams.states())
    machine.reply(Reply(Outcome.NOT_RESPONSIBLE))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.NOT_RESPONSIBLE


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (success("88.118.7/b", url()), Trouble.WRONG_IDENTIFIER),
        (success("", url()), Trouble.WRONG_IDENTIFIER),
        (success("88.118.7/a", url(), expires_s=int(WALL_S) - 1), Trouble.EXPIRED),
        (Reply(Outcome.REFERRAL, referral=b"0.NA/99.1"), Trouble.OUT_OF_BAILIWICK),
        (Reply(Outcome.REFERRAL, values=(url(),)), Trouble.ASTRAY),
        (Reply(Outcome.REFERRAL), Trouble.ASTRAY),
    ],
)
def test_a_reply_that_is_not_believed_settles_nothing(reply, trouble):
    both = Delegated(b"88.118.7", (site("192.0.2.7"), site("192.0.2.8")))
    machine = delegated(place=both)
    assert machine.reply(reply) is trouble
    assert isinstance(machine.step(), Wait)
    assert [name for name, _ in machine.asked] == ["tcp://192.0.2.7:2641", "tcp://192.0.2.8:2641"]
    assert machine.resolution.legs[0].said == trouble.value


def test_what_nobody_asked_for_changes_nothing():
    machine = delegated()
    assert machine.reply(success("88.118.7/a", url()), number=99) is None
    machine.fail(Trouble.CLOSED, number=99)
    assert isinstance(machine.step(), Wait)
    machine.reply(success("88.118.7/a", url()))
    assert machine.reply(success("88.118.7/a", url("http://late"))) is None
    done = machine.step()
    assert isinstance(done, Done)
    assert done.values == (url(),)


# ---- time


def test_after_400_ms_the_next_is_asked_and_the_first_may_still_win():
    both = Delegated(b"88.118.7", (site("192.0.2.7"), site("192.0.2.8")))
    machine = Machine("88.118.7/a", both)
    assert machine.step() == Wait(0.4)
    machine.at = 0.4
    assert machine.step() == Wait(pytest.approx(1.2))
    assert len(machine.asked) == 2
    machine.reply(success("88.118.7/a", url()), number=1)
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.SUCCESS
    assert machine.resolution.cancelled == [2]
    assert machine.in_flight() == 0


def test_at_the_deadline_it_is_over_whatever_is_open():
    machine = delegated()
    machine.at = 0.4
    machine.step()
    machine.at = LIMITS.patience_s
    done = machine.step()
    reason = "tcp://192.0.2.7:2641: no answer in time"
    assert done == Done(Outcome.UNREACHABLE, reason=reason, is_spent=True)
    assert machine.in_flight() == 0
    assert machine.step() is done


def test_a_record_that_never_comes_is_named_at_the_deadline():
    machine = Machine("88.200/a")
    machine.step()
    machine.at = LIMITS.patience_s
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.UNREACHABLE
    assert done.reason == "0.NA/88.200: no answer in time"


def test_a_refused_connection_does_not_wait():
    both = Delegated(b"88.118.7", (site("192.0.2.7"), site("192.0.2.8")))
    machine = delegated(place=both)
    machine.fail(Trouble.REFUSED)
    machine.step()
    assert len(machine.asked) == 2
    machine.fail(Trouble.REFUSED)
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.UNREACHABLE


def test_over_udp_a_near_miss_leads_to_the_same_server_over_tcp():
    place = Delegated(b"88.118.7", (site("192.0.2.7", protocol=UDP),))
    machine = delegated(place=place)
    machine.fail(Trouble.NEAR_MISS)
    machine.step()
    assert [name for name, _ in machine.asked] == ["udp://192.0.2.7:2641", "tcp://192.0.2.7:2641"]
    machine.reply(success("88.118.7/a", url()))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.rank is Rank.TCP


# ---- referrals


def test_a_referral_is_followed_to_the_servers_in_its_values():
    machine = delegated()
    machine.reply(referral(site("192.0.2.77")))
    machine.step()
    assert machine.asked[-1] == ("tcp://192.0.2.77:2641", "88.118.7/a")


def test_a_referral_ends_the_round_it_came_in():
    both = Delegated(b"88.118.7", (site("192.0.2.7"), site("192.0.2.8")))
    machine = delegated(place=both)
    machine.at = 0.5
    machine.step()
    machine.reply(referral(site("192.0.2.77")), number=2)
    assert machine.resolution.cancelled == [1]
    machine.step()
    assert machine.in_flight() == 1


def test_a_referral_to_a_handle_needs_its_record():
    machine = delegated(text="88.118.7.1/a")
    machine.reply(Reply(Outcome.REFERRAL, referral=b"0.NA/88.118.7.1"))
    assert machine.step() == need("0.NA/88.118.7.1")
    machine.told(*site_value(site("192.0.2.71")))
    machine.step()
    assert machine.asked[-1] == ("tcp://192.0.2.71:2641", "88.118.7.1/a")


def test_servers_that_refer_to_each_other_are_a_loop():
    machine = delegated()
    machine.reply(referral(site("192.0.2.77")))
    machine.step()
    machine.reply(referral(site("192.0.2.7")))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.HOP_LIMIT


def test_a_referral_from_afar_does_not_lead_to_this_machine():
    machine = delegated()
    machine.reply(referral(site("127.0.0.1")))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.UNREACHABLE


def test_a_chain_of_referrals_ends_after_eight():
    machine = delegated()
    for number in range(1, 30):
        machine.reply(referral(site(f"198.51.100.{number}")))
        act = machine.step()
        if isinstance(act, Done):
            break
    assert act.outcome is Outcome.HOP_LIMIT
    assert len(machine.asked) == 1 + LIMITS.hops


def test_a_recursive_upstream_that_refers_is_followed_without_recursion():
    machine = Machine("88.200/a", the_world=world(is_recursive=True))
    machine.step()
    machine.reply(referral(SECONDARY))
    machine.step()
    assert machine.asked[-1] == ("tcp://192.0.2.20:2641", "88.200/a")
    assert not machine.question.may_recurse


# ---- what the record of a prefix says


def test_a_prefix_that_does_not_exist_has_nothing_below_it_and_that_is_not_this_identifiers_own():
    machine = Machine("88.200/a")
    machine.step()
    machine.told(outcome=Outcome.NOT_FOUND)
    done = machine.step()
    assert done == Done(Outcome.NOT_FOUND, reason="0.NA/88.200 is not registered", is_own=False)


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.BUSY, Outcome.UNTRUSTED])
def test_a_record_that_cannot_be_had_is_told_as_such_and_not_as_this_identifiers_own(outcome):
    machine = Machine("88.200/a")
    machine.step()
    machine.told(outcome=outcome, reason="why")
    assert machine.step() == Done(outcome, reason="why", is_own=False)


def test_a_service_handle_is_looked_up_for_the_servers():
    machine = Machine("88.200/a")
    machine.step()
    machine.told(*service("88.300/service"))
    assert machine.step() == need("88.300/service")
    machine.told(*site_value(SECONDARY))
    machine.step()
    assert machine.asked == [("tcp://192.0.2.20:2641", "88.200/a")]


@pytest.mark.parametrize("handle", ["0.NA/88.200", "88.200", "88.200/a", "88.200/A"])
def test_a_service_handle_that_leads_back_is_a_loop(handle):
    machine = Machine("88.200/a")
    machine.step()
    machine.told(*service(handle))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.HOP_LIMIT


def test_a_service_handle_that_is_no_handle_is_unreachable():
    machine = Machine("88.200/a")
    machine.step()
    machine.told(Value(1, "HS_SERV", b"\xff\xff"))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.UNREACHABLE


def test_a_service_handle_that_does_not_exist_says_nothing_about_the_identifier():
    machine = Machine("88.200/a")
    machine.step()
    machine.told(*service("88.300/service"))
    machine.step()
    machine.told(outcome=Outcome.NOT_FOUND)
    done = machine.step()
    assert done == Done(
        Outcome.UNREACHABLE, reason="88.300/service is not registered", is_own=False
    )


def test_a_service_handle_without_a_site_leads_nowhere():
    machine = Machine("88.200/a")
    machine.step()
    machine.told(*service("88.300/service"))
    machine.step()
    machine.told(url())
    done = machine.step()
    assert done == Done(Outcome.UNREACHABLE, reason="88.300/service names no server", is_own=False)
    assert machine.asked == []


def test_a_chain_of_service_handles_ends_after_eight():
    machine = Machine("88.200/a")
    needs = 0
    while isinstance(act := machine.step(), Need):
        needs += 1
        machine.told(*service(f"88.300/service{needs}"))
    assert isinstance(act, Done)
    assert act.outcome is Outcome.HOP_LIMIT
    assert needs == 1 + LIMITS.hops


def test_a_prefix_without_servers_is_asked_of_the_top():
    machine = Machine("88.200/a")
    machine.step()
    machine.told(url())
    machine.step()
    assert machine.asked == [(TOP.name, "88.200/a")]


def test_what_is_told_without_need_changes_nothing():
    machine = delegated()
    machine.told(outcome=Outcome.NOT_FOUND)
    assert isinstance(machine.step(), Wait)


# ---- climbing: a prefix below a secondary node's


def climbing():
    """The top does not know 88.200.5; 88.200 is needed."""
    machine = Machine("0.NA/88.200.5")
    machine.step()
    machine.reply(NOT_FOUND)
    assert machine.step() == need("0.NA/88.200")
    return machine


def test_a_prefix_that_the_top_does_not_know_is_asked_of_the_servers_of_the_prefix_above():
    machine = climbing()
    machine.told(*site_value(SECONDARY))
    machine.step()
    assert machine.asked[-1] == ("tcp://192.0.2.20:2641", "0.NA/88.200.5")
    machine.reply(NOT_FOUND)
    done = machine.step()
    assert isinstance(done, Done)
    assert (done.outcome, done.is_own) == (Outcome.NOT_FOUND, True)


@pytest.mark.parametrize("above", [(), (url(),), site_value(site(TOP.address))])
def test_a_prefix_above_whose_servers_are_those_that_do_not_know_means_absent(above):
    machine = climbing()
    machine.told(*above, outcome=Outcome.SUCCESS if above else Outcome.NOT_FOUND)
    done = machine.step()
    assert isinstance(done, Done)
    assert (done.outcome, done.is_own) == (Outcome.NOT_FOUND, True)
    assert len(machine.asked) == 1


def test_a_prefix_above_whose_servers_cannot_be_asked_does_not_mean_absent():
    machine = climbing()
    machine.told(*site_value(site("127.0.0.1")))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.UNREACHABLE


def test_a_prefix_above_that_names_a_service_handle_is_looked_up_there():
    machine = climbing()
    machine.told(*service("88.300/service"))
    assert machine.step() == need("88.300/service")
    machine.told(*site_value(SECONDARY))
    machine.step()
    assert machine.asked[-1] == ("tcp://192.0.2.20:2641", "0.NA/88.200.5")
    assert machine.reply(Reply(Outcome.REFERRAL, referral=b"0.NA/88.200")) is None


def test_a_prefix_above_that_cannot_be_had_does_not_mean_absent():
    machine = climbing()
    machine.told(outcome=Outcome.UNREACHABLE, reason="why")
    assert machine.step() == Done(Outcome.UNREACHABLE, reason="why", is_own=False)


@pytest.mark.parametrize("text", ["0.NA/88.200", "0.NA/88", "88.200"])
def test_a_secondary_nodes_own_prefix_is_absent_when_the_top_says_so(text):
    machine = Machine(text)
    machine.step()
    machine.reply(NOT_FOUND)
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.NOT_FOUND


def test_a_recursive_upstream_has_climbed_itself():
    machine = Machine("0.NA/88.200.5", the_world=world(is_recursive=True))
    machine.step()
    machine.reply(NOT_FOUND)
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.NOT_FOUND


def test_climbing_leaves_nothing_in_flight_behind():
    machine = Machine("0.NA/88.200.5", the_world=world(TOP, TOP2))
    machine.step()
    machine.at = 0.5
    machine.step()
    machine.reply(NOT_FOUND, number=2)
    machine.step()
    assert machine.in_flight() == 0
    assert machine.resolution.cancelled == [1]


# ---- spending


def test_sixteen_questions_are_the_end_and_are_said_to_be():
    limits = Limits(questions=2)
    machine = delegated(the_world=world(limits=limits))
    machine.reply(referral(site("192.0.2.77")))
    machine.step()
    machine.reply(referral(site("192.0.2.78")))
    done = machine.step()
    assert isinstance(done, Done)
    assert done.outcome is Outcome.HOP_LIMIT
    assert "more than 2 questions" in done.reason


def test_what_another_question_spent_of_a_shared_allowance_is_gone():
    allowance = Allowance(LIMITS, 0.0)
    allowance.questions = 1
    machine = delegated(allowance=allowance)
    machine.fail(Trouble.CLOSED)
    done = machine.step()
    assert isinstance(done, Done)
    assert len(machine.asked) == 1
    assert allowance.questions == 0


# ---- long names


def test_a_bare_prefix_too_long_for_its_full_name_is_asked_as_it_is():
    text = "8" * (MAX_IDENTIFIER_BYTES - 1)
    machine = Machine(text)
    machine.step()
    assert machine.asked == [(TOP.name, text)]


def test_an_identifier_whose_prefix_has_no_name_for_its_record_ends_without_a_question():
    machine = Machine("8" * (MAX_IDENTIFIER_BYTES - 2) + "/a")
    done = machine.step()
    assert isinstance(done, Done)
    assert machine.asked == []


# ---- whatever comes

TROUBLES = st.sampled_from(Trouble).map(lambda trouble: ("fail", trouble))
hosts = st.lists(st.integers(1, 40).map("198.51.100.{}".format), min_size=1, max_size=3)
values = st.one_of(
    st.just((url(),)),
    hosts.map(lambda addresses: site_value(site(*addresses))),
    hosts.map(lambda addresses: site_value(*(site(one, protocol=UDP) for one in addresses))),
    st.sampled_from(["0.NA/88.200", "88.300/s", "88.301/s", "0.NA/88.400", "88.200/a"]).map(
        service
    ),
    st.just(()),
)
replies = st.builds(
    Reply,
    st.sampled_from(Outcome),
    st.sampled_from([b"", b"88.200/a", b"88.200/b", b"0.NA/88.200.5"]),
    values,
    st.sampled_from([b"", b"0.NA/88.200", b"0.NA/88", b"88.300/s", b"\xff"]),
    st.sampled_from([0, 1]),
).map(lambda reply: ("reply", reply))
tells = st.tuples(st.sampled_from(Outcome), values).map(lambda told: ("told", told))
happenings = st.lists(
    st.tuples(st.one_of(TROUBLES, replies, tells), st.integers(0, 9), st.floats(0, 0.6)),
    max_size=60,
)


@given(
    happenings,
    st.sampled_from(["88.200/a", "0.NA/88.200.5", "88.200"]),
    st.booleans(),
    st.sampled_from([(TOP,), (TOP, TOP2), (TOP._replace(protocol=UDP),)]),
)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_it_ends_in_time_within_sixteen_questions_and_leaves_nothing_behind(
    happened, text, is_recursive, servers
):
    machine = Machine(text, the_world=world(*servers, is_recursive=is_recursive))
    open_: set[int] = set()
    act = None

    def step():
        before = machine.last
        result = machine.step()
        open_.update(range(before + 1, machine.last + 1))
        open_.difference_update(machine.resolution.cancelled)
        machine.resolution.cancelled.clear()
        return result

    act = step()
    for (what, how), which, wait_s in happened:
        machine.at += wait_s
        if what == "told":
            machine.told(*how[1], outcome=how[0])
        elif open_:
            number = sorted(open_)[which % len(open_)]
            open_.discard(number)
            if what == "reply":
                machine.reply(how, number, after_s=0)
            else:
                machine.fail(how, number, after_s=0)
        act = step()
        assert machine.in_flight() == len(open_)
        if isinstance(act, Wait):
            assert machine.at < act.until_s <= LIMITS.patience_s
    machine.at = max(machine.at, LIMITS.patience_s)
    act = step()
    assert isinstance(act, Done)
    assert len(machine.asked) <= LIMITS.questions
    assert machine.in_flight() == 0
    assert open_ == set()
    if act.outcome is Outcome.SUCCESS:
        assert act.values == tuple(sorted(act.values, key=lambda value: value.index))
