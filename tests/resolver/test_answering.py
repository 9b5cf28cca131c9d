"""Scenarios: who asks what, and what he gets. One record of every kind of value, asked by every kind of asker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.identifier import parse_identifier, read_identifier
from protocols.message import ANONYMOUS, OPERATOR, Answer, Outcome, Principal, Query
from protocols.record import DELETED, public_offset
from protocols.values.admin import ALL_PERMISSIONS, AUTHORIZED_READ
from protocols.values.value import ADMIN_READ, PUBLIC_READ, Value
from protocols.values.value_list import encode_values
from resolver.answering import answer_now
from resolver.policies.ratelimit import RateLimit
from resolver.source import Now, Peer
from tests.registry.desk import (
    ADMIN,
    DELETE,
    HOST,
    PUT,
    STRANGER,
    Desk,
    admin,
    command,
    name,
    secret,
    site_value,
    url,
)

NOW = Now(1000.0, 2_000_000_000.0)
PEER = Peer("192.0.2.7", 4711, "udp", is_loopback=False)
WRITER = Principal("88.118/writer", 1)
"""An administrator of the prefix without authorised read."""
OWNER = Principal("88.118/owner", 1)
"""An administrator of one record only."""

SITE = site_value("192.0.2.8", "192.0.2.9", index=3)
SITE6 = site_value("2001:db8::8", index=4, kind="hs_site.6")

UNREADABLE = Value(400, "SEALED", b"for nobody", permissions=4)


@pytest.fixture(scope="module")
def desk():
    desk = Desk()
    desk.commit(
        command(
            PUT,
            "88.118",
            admin(),
            admin(WRITER.handle, 1, ALL_PERMISSIONS & ~AUTHORIZED_READ, index=101),
        ),
        command(PUT, "88.118/Full", name(), url(), secret(), UNREADABLE),
        command(PUT, "88.118/own", url(), secret(), admin(OWNER.handle, 1, index=100)),
        command(PUT, "88.118/secret", secret()),
        command(PUT, "88.118/open", url(), name()),
        command(PUT, "88.118/gone", url()),
        command(DELETE, "88.118/gone"),
        command(HOST, "88.7"),
        command(HOST, "88.case", case_sensitive=True),
        command(PUT, "88.case/a", url()),
        command(PUT, "0.NA/88.118.9", url("site")),
        command(PUT, "0.NA/88.118.5", url(), SITE, SITE6, secret()),
    )
    return desk


def ask(
    desk,
    text,
    *indexes,
    types=(),
    who=ANONYMOUS,
    public_only=False,
    stages=(),
    foreign=None,
    **more,
):
    query = Query(
        parse_identifier(text), indexes, types, public_only=public_only, principal=who, **more
    )
    return answer_now(query, desk.holdings, PEER, NOW, stages, foreign)


OK, NONE = Outcome.SUCCESS, Outcome.VALUES_NOT_FOUND
LOGIN, STRANGE, DENIED = (
    Outcome.AUTHENTICATION_NEEDED,
    Outcome.NOT_ADMINISTRATOR,
    Outcome.PERMISSION_DENIED,
)
FULL = "88.118/full"

# asked, indexes, types, who, public only -> outcome, indexes shown
SCENARIOS = [
    ("88.118/open", (), (), ANONYMOUS, True, OK, [1, 2]),
    ("88.118/OPEN", (), (), ANONYMOUS, False, OK, [1, 2]),
    ("88.118/open", (2,), (), ANONYMOUS, True, OK, [2]),
    ("88.118/open", (2,), ("url",), ANONYMOUS, True, OK, [1, 2]),
    ("88.118/open", (7,), ("EMAIL",), ANONYMOUS, True, NONE, []),
    ("88.118/none", (), (), ANONYMOUS, True, Outcome.NOT_FOUND, []),
    ("88.118/gone", (), (), OPERATOR, False, Outcome.NOT_FOUND, []),
    # public only: what is not public is not there, for whomever
    (FULL, (), (), ANONYMOUS, True, OK, [1, 2]),
    (FULL, (), (), ADMIN, True, OK, [1, 2]),
    (FULL, (300,), (), ANONYMOUS, True, NONE, []),
    (FULL, (300,), (), OPERATOR, True, NONE, []),
    (FULL, (), ("HS_SECKEY",), ADMIN, True, NONE, []),
    ("88.118/secret", (), (), ANONYMOUS, True, NONE, []),
    # not public only: what is selected and not public needs authorised read
    (FULL, (), (), ANONYMOUS, False, LOGIN, []),
    (FULL, (1, 2), (), ANONYMOUS, False, OK, [1, 2]),
    (FULL, (), ("URL", "NAME"), ANONYMOUS, False, OK, [1, 2]),
    (FULL, (301,), (), ANONYMOUS, False, NONE, []),
    (FULL, (300,), (), ANONYMOUS, False, LOGIN, []),
    (FULL, (1, 300), (), ANONYMOUS, False, LOGIN, []),
    (FULL, (300,), (), STRANGER, False, STRANGE, []),
    (FULL, (300,), (), WRITER, False, DENIED, []),
    (FULL, (300,), (), OWNER, False, STRANGE, []),
    (FULL, (300,), (), ADMIN, False, OK, [300]),
    (FULL, (300, 1), (), ADMIN, False, OK, [1, 300]),
    (FULL, (), ("hs_seckey",), ADMIN, False, OK, [300]),
    # neither public nor readable by administrators
    (FULL, (400,), (), ADMIN, False, DENIED, []),
    (FULL, (), (), ADMIN, False, DENIED, []),
    (FULL, (400,), (), ANONYMOUS, False, LOGIN, []),
    (FULL, (), (), OPERATOR, False, OK, [1, 2, 300, 400]),
    # administrators of one record
    ("88.118/own", (), (), OWNER, False, OK, [1, 100, 300]),
    ("88.118/own", (), (), ADMIN, False, OK, [1, 100, 300]),
    ("88.118/own", (), (), WRITER, False, DENIED, []),
    # prefixes
    ("0.NA/88.118", (), (), ANONYMOUS, True, OK, [100, 101]),
    ("88.118", (100,), (), ANONYMOUS, True, OK, [100]),
    ("0.na/88.118.9", (), (), ANONYMOUS, True, OK, [1]),
    ("88.118.10", (), (), ANONYMOUS, True, Outcome.NOT_FOUND, []),
    ("88.7", (), (), ANONYMOUS, True, NONE, []),
    ("88.7/x", (), (), ANONYMOUS, True, Outcome.NOT_FOUND, []),
    ("88.CASE/a", (), (), ANONYMOUS, True, OK, [1]),
    ("88.case/A", (), (), ANONYMOUS, True, Outcome.NOT_FOUND, []),
    ("88.119/x", (), (), OPERATOR, False, Outcome.NOT_RESPONSIBLE, []),
    ("88.118.9/x", (), (), ANONYMOUS, True, Outcome.NOT_RESPONSIBLE, []),
    # a delegated prefix: its record is here, what is below it is elsewhere
    ("88.118.5", (), (), ANONYMOUS, True, OK, [1, 3, 4]),
    ("0.NA/88.118.5", (), ("HS_SITE",), ANONYMOUS, True, OK, [3]),
    ("88.118.5", (), ("HS_SITE.",), ANONYMOUS, True, OK, [3, 4]),
    ("88.118.5/x", (), (), ANONYMOUS, True, Outcome.REFERRAL, [3, 4]),
    ("88.118.5/x", (1,), ("URL",), OPERATOR, False, Outcome.REFERRAL, [3, 4]),
    ("88.118.5.1/x", (), (), ANONYMOUS, True, Outcome.REFERRAL, [3, 4]),
    ("88.118.5.1", (), (), ANONYMOUS, True, Outcome.REFERRAL, [3, 4]),
]


@pytest.mark.parametrize(
    ("text", "indexes", "types", "who", "public_only", "outcome", "shown"), SCENARIOS
)
def test_who_gets_to_see_what(desk, text, indexes, types, who, public_only, outcome, shown):
    answer = ask(desk, text, *indexes, types=types, who=who, public_only=public_only)
    assert answer.outcome is outcome
    assert [value.index for value in answer.values] == shown
    assert bool(answer.reason) == (outcome is not OK)
    assert answer.is_authoritative == (outcome is not Outcome.NOT_RESPONSIBLE)


def test_an_answer_carries_version_and_time_of_the_record(desk):
    record = desk.record("88.118/open")
    answer = ask(desk, "88.118/open", 1)
    assert (answer.version, answer.modified_s) == (record.version, record.modified_s)
    nothing = ask(desk, "88.118/open", 9)
    assert (nothing.version, nothing.modified_s) == (record.version, record.modified_s)


def test_reasons_say_what_where_and_why(desk):
    assert ask(desk, "88.118/none").reason == "88.118/none is not registered"
    assert ask(desk, "88.118.9/x").reason == (
        "prefix 88.118.9 is not hosted by this node; 88.118 above it is"
    )
    assert ask(desk, "99/x").reason == "prefix 99 is not hosted by this node"
    refusal = ask(desk, FULL, 300, who=STRANGER).reason
    assert "300:0.NA/88.999 is not one" in refusal
    assert refusal.endswith("(stage: visibility)")


def test_a_referral_names_the_delegated_prefix_and_tells_only_where_to_go_on(desk):
    answer = ask(desk, "88.118.5.1/x")
    assert [(value.index, value.type, value.data) for value in answer.values] == [
        (3, "HS_SITE", SITE.data),
        (4, "hs_site.6", SITE6.data),
    ]
    assert answer.reason == "prefix 88.118.5 is delegated; ask its servers"


def test_who_wants_no_referral_hears_that_others_are_responsible(desk):
    answer = ask(desk, "88.118.5/x", may_refer=False)
    assert (answer.outcome, answer.values) == (Outcome.NOT_RESPONSIBLE, ())
    assert answer.reason == (
        "prefix 88.118.5 is not hosted by this node but delegated; ask its servers, or ask with "
        "recursion (RECU)"
    )


# -- asking elsewhere


class Elsewhere:
    """Remembers what it is asked about; knows one answer, or none."""

    def __init__(self, answer=None):
        self.answer, self.asked = answer, []

    def lookup(self, query, place, peer, now):
        assert (peer, now) == (PEER, NOW)
        self.asked.append((query.identifier.text, place.prefix))
        return self.answer


KNOWN = Answer(OK, (url(),), is_authoritative=False)


@pytest.mark.parametrize("answer", [KNOWN, None])
@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("88.118.5/x", b"88.118.5"),
        ("88.118.5.1/x", b"88.118.5"),
        ("88.118.5.1", b"88.118.5"),
        ("99/x", b"99"),
        ("0.NA/99", b"99"),
    ],
)
def test_with_recursion_what_others_hold_is_looked_up_there_instead_of_referred(
    desk, text, prefix, answer
):
    elsewhere = Elsewhere(answer)
    for may_refer in (True, False):
        said = ask(desk, text, foreign=elsewhere, may_recurse=True, may_refer=may_refer)
        assert said is answer
    assert elsewhere.asked == [(text, prefix)] * 2


@pytest.mark.parametrize(
    "text", ["88.118/open", "88.118/none", "88.118", "88.118.5", "88.118.10", "88.118.9/x"]
)
def test_nobody_is_asked_about_what_this_node_must_know(desk, text):
    elsewhere = Elsewhere(KNOWN)
    assert ask(desk, text, foreign=elsewhere, may_recurse=True) == ask(desk, text)
    assert elsewhere.asked == []


@pytest.mark.parametrize("text", ["88.118.5/x", "99/x"])
def test_without_recursion_nobody_is_asked(desk, text):
    elsewhere = Elsewhere(KNOWN)
    assert ask(desk, text, foreign=elsewhere) == ask(desk, text)
    assert elsewhere.asked == []


def test_a_refusal_tells_nothing_of_the_record(desk):
    for who in (ANONYMOUS, STRANGER, WRITER):
        answer = ask(desk, FULL, 300, who=who)
        assert (answer.values, answer.version, answer.modified_s) == ((), 0, 0)


# -- stages


class Closed:
    """A stage that refuses everything."""

    def __init__(self, name, outcome):
        self.name, self.outcome = name, outcome

    def before(self, query, peer, now):
        return Answer(self.outcome, reason=f"{query.identifier.text} {peer.port} {now.wall_s:.0f}")


class Open:
    """A stage that lets everything pass."""

    name = "open"

    def before(self, query, peer, now):
        return None


def test_the_first_stage_that_refuses_is_named(desk):
    stages = (Open(), Closed("hours", Outcome.BUSY), Closed("later", Outcome.ERROR))
    answer = ask(desk, "88.118/open", stages=stages)
    assert answer == Answer(Outcome.BUSY, reason="88.118/open 4711 2000000000 (stage: hours)")
    assert ask(desk, "88.118/open", stages=(Open(),)).outcome is OK


def test_a_refused_question_looks_nothing_up():
    stages = (Closed("closed", Outcome.BUSY),)
    query = Query(parse_identifier("88.118/open"))
    assert answer_now(query, None, PEER, NOW, stages).outcome is Outcome.BUSY


def test_the_rate_limit_is_a_stage(desk):
    stages = (RateLimit(rate_per_s=1, burst=2),)
    outcomes = [ask(desk, "88.118/open", stages=stages).outcome for _ in range(3)]
    assert outcomes == [OK, OK, Outcome.BUSY]


# -- nothing leaks

SECRET_MARK = b"\xf0secret"
indexes = st.integers(1, 5)
types = st.sampled_from(["URL", "NAME", "HS_SECKEY", "url.", "X"])
values = st.lists(
    st.builds(
        lambda index, type_, permissions: Value(
            index,
            "X" if type_ == "HS_SECKEY" and permissions & PUBLIC_READ else type_,
            b"open" if permissions & PUBLIC_READ else SECRET_MARK,
            permissions=permissions,
        ),
        indexes,
        st.sampled_from(["URL", "NAME", "HS_SECKEY", "X"]),
        st.integers(0, 15),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda value: value.index,
)
PEOPLE = [ANONYMOUS, STRANGER, WRITER, OWNER, ADMIN, OPERATOR]
admins = st.lists(st.tuples(st.sampled_from(PEOPLE[1:-1]), st.integers(0, 0xFFF)), max_size=3)
queries = st.builds(
    lambda text, some, kinds, public_only, who: Query(
        parse_identifier(text), some, kinds, public_only=public_only, principal=who
    ),
    st.sampled_from(["88.118/x", "88.118/X", "0.NA/88.118", "88.118", "88.118/none", "99/x"]),
    st.lists(indexes, max_size=3).map(tuple),
    st.lists(types, max_size=2).map(tuple),
    st.booleans(),
    st.sampled_from(PEOPLE),
)


def granted(who, *granting):
    bits = 0
    for grant in granting:
        bits |= sum({permissions for person, permissions in [grant] if person == who})
    return bits


@given(values, values, admins, admins, st.lists(queries, max_size=12))
def test_a_value_that_is_not_public_never_reaches_anybody_without_the_permission(
    of_record, of_prefix, record_admins, prefix_admins, some
):
    desk = Desk()
    named = [
        [admin(who.handle, who.index, bits, index=50 + n) for n, (who, bits) in enumerate(group)]
        for group in (record_admins, prefix_admins)
    ]
    prepared = desk.commit(
        command(PUT, "0.NA/88.118", *of_prefix, *named[1]),
        command(PUT, "88.118/x", *of_record, *named[0]),
    )
    assert {receipt.outcome for receipt in prepared} == {OK}
    for query in some:
        who = query.principal
        answer = answer_now(query, desk.holdings, PEER, NOW)
        shown = [value for value in answer.values if not value.permissions & PUBLIC_READ]
        leaks = any(SECRET_MARK in value.data for value in answer.values)
        assert leaks == bool(shown)
        assert "\xf0" not in answer.reason
        if not shown:
            continue
        over_record = [] if query.identifier.is_prefix_record else record_admins
        assert not query.public_only
        assert who == OPERATOR or granted(who, *prefix_admins, *over_record) & AUTHORIZED_READ
        assert who == OPERATOR or all(value.permissions & ADMIN_READ for value in shown)


@given(values, queries)
def test_answers_are_complete_sorted_and_within_the_selection(of_record, query):
    desk = Desk()
    desk.put("88.118/x", *of_record)
    query = query._replace(identifier=parse_identifier("88.118/x"), principal=OPERATOR)
    answer = answer_now(query, desk.holdings, PEER, NOW)

    def is_chosen(value):
        if query.public_only and not value.permissions & PUBLIC_READ:
            return False
        if not query.indexes and not query.types:
            return True
        is_listed = value.type in query.types or (value.type == "URL" and "url." in query.types)
        return value.index in query.indexes or is_listed

    expected = sorted((value for value in of_record if is_chosen(value)), key=lambda v: v.index)
    assert [value._replace(timestamp=0) for value in answer.values] == expected
    assert answer.outcome is (OK if expected else NONE)


# -- the hot path


def hot_answer(store, spelling):
    """What a serving worker does for a plain public question: the stored list as it lies."""
    stored = store.stored(spelling)
    if stored is None or stored[1] & DELETED:
        return None
    return bytes(stored[public_offset(stored) :])


spellings = st.sampled_from(
    [b"88.118/x", b"88.118/X", b"88.118", b"0.na/88.118", b"88.118/none", b"88.118/gone", b"99/x"]
)


@given(values, values, spellings)
def test_stored_bytes_are_the_answer_to_a_plain_public_question(of_record, of_prefix, spelling):
    desk = Desk()
    desk.commit(
        command(PUT, "88.118", *of_prefix),
        command(PUT, "88.118/x", *of_record),
        command(PUT, "88.118/gone", url()),
        command(DELETE, "88.118/gone"),
    )
    answer = answer_now(Query(read_identifier(spelling)), desk.holdings, PEER, NOW)
    hot = hot_answer(desk.store, spelling)
    if answer.outcome is OK:
        assert hot == encode_values(answer.values)
    elif answer.outcome is NONE:
        assert hot == encode_values(())
    else:
        assert hot is None
        assert answer.outcome in (Outcome.NOT_FOUND, Outcome.NOT_RESPONSIBLE)
