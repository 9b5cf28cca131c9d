"""Private prefixes: what may not be seen is answered like what is absent, and guessing is slow."""

import gc
import time
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.message import ANONYMOUS, OPERATOR, Outcome, Principal, Query
from protocols.values.admin import ALL_PERMISSIONS, AUTHORIZED_READ
from protocols.values.value import ADMIN_READ, Value
from resolver.answering import answer_now
from resolver.policies.enumeration import MISSES_PER_MINUTE, TOO_MANY_MISSES, MissLimit
from resolver.source import Now, Peer
from tests.registry.desk import (
    ADMIN,
    DELETE,
    HIDE,
    PUT,
    SHOW,
    STRANGER,
    Desk,
    admin,
    command,
    name,
    secret,
    url,
)

NOW = Now(1000.0, 2_000_000_000.0)
PEER = Peer("192.0.2.7", 4711, "udp", is_loopback=False)
WRITER = Principal("88.118/writer", 1)
"""An administrator of the prefix without authorised read."""
SN = "88.118/SN-7"

FOR_ADMINS = Value(5, "INTERNAL", b"cost", permissions=ADMIN_READ)
FOR_NOBODY = Value(6, "SEALED", b"?", permissions=4)
HIDDEN = (
    secret(),
    FOR_ADMINS,
    FOR_NOBODY,
    admin(permissions=7)._replace(index=101, permissions=12),
)
OUTSIDERS = [ANONYMOUS, STRANGER, WRITER, Principal("88.118/SN-7", 300)]


def private_desk(*values):
    """``SN`` has these values; without any it is not there."""
    desk = Desk()
    granted = ALL_PERMISSIONS & ~AUTHORIZED_READ
    desk.commit(
        command(PUT, "88.118", admin(), admin(WRITER.handle, 1, granted, index=101)),
        command(HIDE, "88.118"),
    )
    if values:
        assert not desk.put(SN, *values).reason
    return desk


def ask(desk, text=SN, *, who=ANONYMOUS, public_only=True, peer=PEER, now=NOW, misses=None, **more):
    query = Query(parse_identifier(text), public_only=public_only, principal=who, **more)
    return answer_now(query, desk.holdings, peer, now, misses=misses)


ABSENT, OPEN = private_desk(), private_desk(url(), name())
subsets = st.sets(st.sampled_from(HIDDEN), min_size=1)
questions = st.fixed_dictionaries(
    {
        "who": st.sampled_from(OUTSIDERS),
        "public_only": st.booleans(),
        "indexes": st.lists(st.sampled_from([1, 2, 5, 300, 999]), max_size=2).map(tuple),
        "types": st.lists(st.sampled_from(["URL", "HS_SECKEY", "INTERNAL"]), max_size=2).map(tuple),
        "may_recurse": st.booleans(),
    }
)


@given(subsets, questions)
def test_to_an_outsider_a_record_of_hidden_values_is_absent_in_every_field(hidden, question):
    assert ask(private_desk(*hidden), **question) == ask(ABSENT, **question)


@given(subsets, questions)
def test_to_an_outsider_hidden_values_beside_public_ones_are_absent(hidden, question):
    """But for the version, which is that of the record as a whole."""
    with_hidden = ask(private_desk(url(), name(), *hidden), **question)
    without = ask(OPEN, **question)
    dated = [tuple(v._replace(timestamp=0) for v in a.values) for a in (with_hidden, without)]
    assert dated[0] == dated[1]
    blank = {"version": 0, "modified_s": 0, "values": ()}
    assert with_hidden._replace(**blank) == without._replace(**blank)


@pytest.mark.parametrize(
    ("who", "outcome"),
    [
        (ANONYMOUS, Outcome.AUTHENTICATION_NEEDED),
        (STRANGER, Outcome.PERMISSION_DENIED),
        (WRITER, Outcome.PERMISSION_DENIED),
    ],
)
def test_more_than_public_values_is_refused_alike_whatever_is_there(who, outcome):
    desks = (ABSENT, OPEN, private_desk(*HIDDEN))
    answers = {ask(desk, who=who, public_only=False) for desk in desks}
    assert [answer.outcome for answer in answers] == [outcome]


def test_public_values_below_a_private_prefix_are_public():
    answer = ask(private_desk(url(), secret()))
    assert [value.index for value in answer.values] == [1]


def test_who_may_read_is_told_what_is_there_and_what_is_not():
    desk = private_desk(secret(), FOR_ADMINS)
    for who in (ADMIN, OPERATOR):
        assert [v.index for v in ask(desk, who=who, public_only=False).values] == [5, 300]
        assert ask(desk, who=who, public_only=True).outcome is Outcome.VALUES_NOT_FOUND
        assert ask(ABSENT, who=who, public_only=False).outcome is Outcome.NOT_FOUND


def test_an_ordinary_prefix_keeps_telling_existing_from_absent():
    desk = private_desk(secret())
    desk.submit(command(SHOW, "88.118"))
    assert ask(desk).outcome is Outcome.VALUES_NOT_FOUND
    assert ask(desk, public_only=False).outcome is Outcome.AUTHENTICATION_NEEDED
    assert ask(desk, "88.118/none").outcome is Outcome.NOT_FOUND
    assert ask(desk, "88.118/none", public_only=False).outcome is Outcome.NOT_FOUND


def test_a_deleted_record_is_as_absent_as_one_that_never_was():
    desk = private_desk(secret())
    desk.submit(command(DELETE, SN))
    for public_only in (True, False):
        assert ask(desk, public_only=public_only) == ask(ABSENT, public_only=public_only)


def test_the_prefix_record_itself_is_no_secret():
    assert ask(ABSENT, "0.NA/88.118").outcome is Outcome.SUCCESS


def test_absent_and_hidden_take_the_same_time():
    """Processor time, interleaved, the fastest of several rounds: what else the machine does must not count."""
    hidden = private_desk(secret(), FOR_ADMINS)

    def mean_us(desk):
        started = time.thread_time()
        for _ in range(400):
            ask(desk)
        return (time.thread_time() - started) / 400 * 1e6

    gc.disable()
    try:
        rounds = [(mean_us(ABSENT), mean_us(hidden)) for _ in range(9)]
    finally:
        gc.enable()
    absent, there = (min(column) for column in zip(*rounds, strict=True))
    assert abs(there - absent) < 0.25 * absent, (absent, there, fmean(r[0] for r in rounds))


# -- guessing


def scan(desk, count=10_000, seconds=60.0, *, peer=lambda n: PEER, misses=None, below="88.118"):
    """How many of sequential suffixes were answered within the time."""
    answered = []
    for n in range(count):
        now = Now(NOW.monotonic_s + n * seconds / count, NOW.wall_s)
        answer = ask(desk, f"{below}/SN-{n:06}", peer=peer(n), now=now, misses=misses)
        if answer.outcome is not Outcome.BUSY:
            answered.append(answer)
    return answered


def test_a_scan_of_ten_thousand_numbers_gets_a_hundred_misses_a_minute_and_raises_one_alarm():
    desk, alarms = private_desk(), []
    for n in range(0, 10_000, 500):
        desk.put(f"88.118/SN-{n:06}", url())
    answered = scan(desk, misses=MissLimit(alarms.append))
    assert MISSES_PER_MINUTE <= len(answered) <= 150
    assert alarms == [("192.0.2.7", b"88.118")]


def test_a_source_that_has_missed_too_much_is_refused_hits_too_until_the_minute_is_over():
    desk, misses = private_desk(url()), MissLimit()
    assert ask(desk, misses=misses).outcome is Outcome.SUCCESS
    scan(desk, 200, 1.0, misses=misses)
    assert ask(desk, misses=misses) is TOO_MANY_MISSES
    assert ask(desk, "88.118/other", misses=misses) is TOO_MANY_MISSES
    later = NOW._replace(monotonic_s=NOW.monotonic_s + 60)
    assert ask(desk, misses=misses, now=later).outcome is Outcome.SUCCESS


def test_the_same_identifier_missed_again_and_again_costs_one():
    misses = MissLimit()
    for n in range(300):
        text = "88.118/sn-1" if n % 2 else "88.118/SN-1"
        assert ask(ABSENT, text, misses=misses).outcome is Outcome.NOT_FOUND


def test_others_and_those_who_may_read_are_not_slowed():
    desk, misses = private_desk(), MissLimit()
    scan(desk, 200, 1.0, misses=misses)
    other = PEER._replace(address="192.0.2.8")
    assert ask(desk, misses=misses, peer=other).outcome is Outcome.NOT_FOUND
    assert ask(desk, misses=misses, who=ADMIN).outcome is Outcome.NOT_FOUND
    assert ask(desk, "0.NA/88.118", misses=misses).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("form", ["2001:db8::{:x}", "127.0.0.1", "::1"])
def test_addresses_of_one_ipv6_network_are_one_source_and_loopback_is_no_exception(form):
    def peer(n):
        return PEER._replace(address=form.format(n))

    assert len(scan(ABSENT, 1000, peer=peer, misses=MissLimit())) == MISSES_PER_MINUTE


def test_an_ordinary_prefix_is_not_limited():
    desk = Desk()
    assert len(scan(desk, 500, misses=MissLimit())) == 500


def test_memory_is_bounded_however_many_sources_there_are():
    misses = MissLimit(max_sources=50)
    for n in range(1000):
        ask(ABSENT, misses=misses, peer=PEER._replace(address=f"10.0.{n // 250}.{n % 250}"))
    assert len(misses) <= 100


def test_every_minute_of_a_lasting_scan_raises_one_alarm():
    alarms = []
    scan(ABSENT, 6_000, 180.0, misses=MissLimit(alarms.append))
    assert len(alarms) == 3
