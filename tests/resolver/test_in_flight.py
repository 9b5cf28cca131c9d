"""Every question that went out is ended for the health of its server, or the server would be full of ghosts one day:
refused as crowded, and never probed again once it was left alone."""

import pytest

from protocols.identifier import parse_identifier
from protocols.message import Outcome, Query
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from resolver.asking import Reply, Role, Send, Target, Tell
from resolver.delegation import NotHere
from resolver.forwarding import Forwarder, Setup
from resolver.limits import Limits
from resolver.source import Now, Peer

FIRST, SECOND = (Target(TCP, f"10.0.0.{n}", 2641, Role.UPSTREAM) for n in (1, 2))
BELOW = Target(TCP, "10.0.0.7", 2641)
PEER = Peer("10.9.0.1", 999, "tcp", is_loopback=False)
SITE = Value(1, "HS_SITE", encode_site(Site((Server(1, "10.0.0.7", (Interface(TCP, 2641),)),))))


class Nothing:
    """This node holds nothing."""

    def hosts(self, prefix):
        return False

    def lookup(self, identifier):
        return None

    def delegation(self, prefix):
        return None


def now(seconds):
    return Now(seconds, 1e9 + seconds)


def asking(*texts, limits=Limits()):  # noqa: B008  # immutable
    setup = Setup("88.118", "ab" * 8, (FIRST, SECOND), may_recurse={PEER.address}, limits=limits)
    forwarder = Forwarder(setup, Nothing())
    for text in texts:
        ask(forwarder, text, 0)
    return forwarder


def ask(forwarder, text, seconds):
    query = Query(parse_identifier(text), may_recurse=True)
    place = NotHere(query.identifier.responsible_prefix, None)
    return forwarder.ask(query, place, PEER, now(seconds))


def sends(forwarder, seconds):
    return [action for action in forwarder.step(now(seconds)) if isinstance(action, Send)]


def in_flight(forwarder):
    return {state.name: state.in_flight for state in forwarder.upstreams.states()}


def test_two_answers_to_one_question_before_the_next_step():
    forwarder = asking("0.NA/88.200")
    (first,), (second,) = sends(forwarder, 0), sends(forwarder, 0.5)
    for send in (first, second):
        reply = Reply(Outcome.SUCCESS, send.question.spelling, (SITE,))
        forwarder.received(send.number, reply, now(0.6))
    forwarder.step(now(0.6))
    assert in_flight(forwarder) == {FIRST.name: 0, SECOND.name: 0}


def test_a_slow_server_while_the_answer_of_another_leads_below():
    forwarder = asking("0.NA/88.200.5")
    _, (second,) = sends(forwarder, 0), sends(forwarder, 0.5)
    reply = Reply(Outcome.NOT_FOUND, b"0.NA/88.200.5")
    forwarder.received(second.number, reply, now(0.6))
    (above,) = sends(forwarder, 0.6)
    assert above.question.spelling == b"0.NA/88.200"
    forwarder.received(above.number, Reply(Outcome.SUCCESS, b"0.NA/88.200", (SITE,)), now(0.7))
    (below,) = sends(forwarder, 0.7)
    assert below.target.place == BELOW.place
    assert in_flight(forwarder) == {FIRST.name: 0, SECOND.name: 0, BELOW.name: 1}
    forwarder.received(below.number, reply, now(0.8))
    assert [type(action) for action in forwarder.step(now(0.8))] == [Tell]
    assert set(in_flight(forwarder).values()) == {0}


@pytest.mark.parametrize("count", [1, 5])
def test_a_question_that_gave_way_to_newer_ones(count):
    forwarder = asking("0.NA/88.200", limits=Limits(waiting=1))
    assert len(sends(forwarder, 0)) == 1
    for n in range(1, count + 1):
        assert isinstance(ask(forwarder, f"0.NA/88.20{n}", n), int)
        assert len(sends(forwarder, n)) == 1
    assert sum(in_flight(forwarder).values()) == 1
    forwarder.step(now(100))
    assert set(in_flight(forwarder).values()) == {0}
