"""Reading a trail: who answered in the end, and out of what."""

import pytest

from node.asking.trail import SOURCES, source, way
from protocols.trail import Leg, Trail, Verdict


def leg(said, trail=None, server="tcp://192.0.2.1:2641"):
    return Leg(server, "88.200/x", 0.001, said, trail)


TOP = Trail("88", Verdict.LOCAL)


def test_who_asks_nobody_is_the_way_itself():
    assert way(TOP) == ("88",)
    assert source(TOP) is Verdict.LOCAL


def test_the_way_goes_through_every_node_that_told_its_own():
    secondary = Trail("88.118", Verdict.ASKED, (leg("success", TOP),))
    enterprise = Trail("88.118.7", Verdict.ASKED, (leg("success", secondary),))
    assert way(enterprise) == ("88.118.7", "88.118", "88")
    assert source(enterprise) is Verdict.LOCAL


def test_a_server_that_tells_nothing_stands_in_the_way_with_its_address():
    asked = Trail("88.118", Verdict.ASKED, (leg("success"),))
    assert way(asked) == ("88.118", "tcp://192.0.2.1:2641")
    assert source(asked) is Verdict.ASKED


def test_the_leg_that_answered_counts_not_the_one_told_last():
    """Two servers were tried side by side; the slower one's failure is told after the answer."""
    legs = (leg("timeout"), leg("not-found", TOP), leg("timeout", server="tcp://192.0.2.9:1"))
    assert way(Trail("88.118", Verdict.ASKED, legs)) == ("88.118", "88")


def test_a_node_that_got_no_answer_is_the_one_that_answered():
    silent = Trail("88.118", Verdict.ASKED, (leg("timeout"), leg("refused")))
    assert way(silent) == ("88.118",)
    assert source(silent) is Verdict.ASKED


@pytest.mark.parametrize("verdict", [Verdict.FRESH, Verdict.ABSENT, Verdict.STALE, Verdict.FAILURE])
def test_what_is_remembered_did_not_come_from_who_was_asked_beside_it(verdict):
    remembered = Trail("88.118", verdict, (leg("timeout"),))
    assert way(remembered) == ("88.118",)
    assert source(remembered) is verdict


def test_a_verdict_of_a_node_behind_is_the_source():
    behind = Trail("88.118", Verdict.STALE, (leg("timeout"),))
    assert source(Trail("88.118.7", Verdict.ASKED, (leg("success", behind),))) is Verdict.STALE


def test_every_verdict_has_a_word_for_people():
    assert set(SOURCES) == set(Verdict)
