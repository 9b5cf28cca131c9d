"""Who may do what: every permission bit, every operation, every way of being an administrator, against a table.

The oracle is this file: bits as numbers, as RFC 3651 §3.2.1 prints them, and for each operation the sets of them that
will do. It knows nothing of how rights are found.
"""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.message import Command, Outcome, Principal, Query
from registry.registrar import Submission, decide
from registry.stores.memory import MemoryStore
from resolver.answering import answer_now
from resolver.source import Now, Peer
from tests.registry.desk import (
    ADD,
    DELETE,
    HIDE,
    HOST,
    LOG_ID,
    MODIFY,
    PUT,
    REMOVE,
    UNHOST,
    Desk,
    admin,
    command,
    group,
    name,
    secret,
    site_value,
    url,
)

BITS = [1 << n for n in range(13)]
OLD, NEW, GONE, HIDDEN = "88.118/old", "88.118/new", "88.118/gone", "88.118/hidden"
OWN, DERIVED, FRESH = "0.NA/88.118", "0.NA/88.118.7", "0.NA/88.118.9"
WHO = Principal("88.118/clerk", 5)

RECORD, PREFIX, PARENT_OF_PREFIX, ELSEWHERE = "record", "prefix", "parent", "elsewhere"
"""Where an operation's permissions are looked for. Record: its own HS_ADMIN and its prefix's. Elsewhere: nobody's."""

READ, LIST, LIST_PREFIXES = "read", "list", "list prefixes"


class Case(NamedTuple):
    """One operation: any of ``sets`` will do, looked for at ``place``; what it then comes to."""

    act: Command | str
    place: str
    sets: tuple[int, ...]
    then: Outcome = Outcome.SUCCESS


OK, TWICE, MISSING = Outcome.SUCCESS, Outcome.VALUE_EXISTS, Outcome.VALUES_NOT_FOUND
SAME = (name(), admin("88.118/other", 9, index=101))

CASES = {
    "create": Case(command(PUT, NEW, url()), PREFIX, (0x001,)),
    "create what was deleted": Case(command(PUT, GONE, url()), PREFIX, (0x001,)),
    "create with an administrator": Case(command(PUT, NEW, admin()), PREFIX, (0x001,)),
    "create what exists": Case(
        command(PUT, OLD, url(), overwrite=False), RECORD, (0x001,), Outcome.ALREADY_EXISTS
    ),
    "overwrite a value": Case(command(PUT, OLD, url("b"), *SAME), RECORD, (0x010, 0x002, 0x003)),
    "overwrite with one more": Case(
        command(PUT, OLD, url(), url(index=7), *SAME), RECORD, (0x040, 0x002)
    ),
    "overwrite with one less": Case(command(PUT, OLD, *SAME), RECORD, (0x020, 0x002)),
    "overwrite with all of it": Case(
        command(PUT, OLD, url("b"), url(index=7), SAME[1]), RECORD, (0x070, 0x002)
    ),
    "overwrite without administrator": Case(
        command(PUT, OLD, url(), name()), RECORD, (0x100, 0x102, 0x003)
    ),
    "overwrite with a new administrator": Case(
        command(PUT, OLD, url(), *SAME, admin()), RECORD, (0x200, 0x202, 0x003)
    ),
    "overwrite with another administrator": Case(
        command(PUT, OLD, url("b"), name(), admin(index=101)), RECORD, (0x090, 0x082, 0x003)
    ),
    "delete": Case(command(DELETE, OLD), RECORD, (0x002,)),
    "delete what is not there": Case(
        command(DELETE, NEW), PREFIX, (0x002,), Outcome.NOT_FOUND
    ),
    "add": Case(command(ADD, OLD, url(index=7)), RECORD, (0x040,)),
    "add two sorts": Case(command(ADD, OLD, url(index=7), admin(index=8)), RECORD, (0x240,)),
    "add an administrator": Case(command(ADD, OLD, admin(index=8)), RECORD, (0x200,)),
    "add what exists": Case(command(ADD, OLD, url("b"), overwrite=False), RECORD, (0x040,), TWICE),
    "add over what exists": Case(command(ADD, OLD, url("b")), RECORD, (0x010,)),
    "add to nothing": Case(command(ADD, NEW, url()), PREFIX, (0x040,), Outcome.NOT_FOUND),
    "modify": Case(command(MODIFY, OLD, url("b")), RECORD, (0x010,)),
    "modify what is missing": Case(command(MODIFY, OLD, url(index=7)), RECORD, (0x010,), MISSING),
    "modify an administrator": Case(
        command(MODIFY, OLD, admin(index=101)), RECORD, (0x080,)
    ),
    "make an administrator of a value": Case(
        command(MODIFY, OLD, admin(index=1)), RECORD, (0x210,)
    ),
    "make a value of an administrator": Case(
        command(MODIFY, OLD, url(index=101)), RECORD, (0x110,)
    ),
    "remove": Case(command(REMOVE, OLD, indexes=(1,)), RECORD, (0x020,)),
    "remove what is missing": Case(command(REMOVE, OLD, indexes=(7,)), RECORD, (0x020,), MISSING),
    "remove an administrator": Case(command(REMOVE, OLD, indexes=(101,)), RECORD, (0x100,)),
    "remove both": Case(command(REMOVE, OLD, indexes=(1, 101)), RECORD, (0x120,)),
    "modify the prefix record": Case(command(MODIFY, OWN, url("b")), PREFIX, (0x010,)),
    "add a key to the prefix record": Case(command(ADD, OWN, secret(index=301)), PREFIX, (0x040,)),
    "make the prefix private": Case(command(HIDE, OWN), PREFIX, (0x080,)),
    "delete the prefix record": Case(command(DELETE, OWN), ELSEWHERE, (), Outcome.ALREADY_EXISTS),
    "give up the prefix": Case(command(UNHOST, OWN), ELSEWHERE, ()),
    "create the record of a derived prefix": Case(command(PUT, FRESH, url()), PREFIX, (0x004,)),
    "host a derived prefix": Case(command(HOST, FRESH, url()), PREFIX, (0x004,)),
    "delete a derived prefix": Case(command(DELETE, DERIVED), PREFIX, (0x008,)),
    "give up a derived prefix": Case(command(UNHOST, DERIVED), PREFIX, (0x008,)),
    "modify the record of a derived prefix": Case(
        command(MODIFY, DERIVED, site_value("192.0.2.9")), ELSEWHERE, ()
    ),
    "create below a derived prefix": Case(command(PUT, "88.118.7/x", url()), ELSEWHERE, ()),
    "create the record of a neighbour": Case(command(PUT, "0.NA/88.119", url()), ELSEWHERE, ()),
    READ: Case(READ, RECORD, (0x400,)),
    LIST: Case(LIST, PREFIX, (0x800,)),
    LIST_PREFIXES: Case(LIST_PREFIXES, PREFIX, (0x1000,)),
}  # fmt: skip

NAMINGS = {
    "not named": (("88.118/clerk", 6), ()),
    "named at another handle": (("88.118/clerk2", 5), ()),
    "exactly": (("88.118/Clerk", 5), ()),
    "by index 0": (("88.118/clerk", 0), ()),
    "in a group": (("88.118/staff", 200), ("staff",)),
    "in a group in a group": (("88.118/all", 200), ("staff", "all")),
    "by index 0 in a group": (("88.118/any", 200), ("any",)),
    "in a group at another index": (("88.118/staff", 201), ("staff",)),
    "in a group that is gone": (("88.118/nowhere", 200), ()),
}
STRANGERS = {
    "not named", "named at another handle", "in a group at another index", "in a group that is gone",
}  # fmt: skip
GROUPS = {
    "staff": (group((STRANGER_HANDLE := "88.999/x", 1), ("88.118/clerk", 5)),),
    "all": (group((STRANGER_HANDLE, 2), ("88.118/staff", 200)),),
    "any": (group(("88.118/clerk", 0)),),
}


def desk(at_prefix, at_record, naming, server_admins=frozenset()):
    """A desk where ``WHO`` has been granted these bits at the prefix record and at the record; None = no value."""
    named, groups = NAMINGS[naming]

    def grant(bits):
        return () if bits is None else (admin(*named, bits, index=102),)

    made = Desk(MemoryStore(LOG_ID), server_admins=server_admins)
    made.commit(
        command(HOST, "88.118.7", site_value("192.0.2.8")),
        *(command(PUT, f"88.118/{one}", *GROUPS[one]) for one in groups),
        command(PUT, GONE, url()),
        command(DELETE, GONE),
        command(PUT, OLD, url(), *SAME, *grant(at_record)),
        command(PUT, HIDDEN, url(), secret(), *grant(at_record)),
        command(PUT, OWN, url(), admin("88.118/boss", 1), *grant(at_prefix)),
    )
    return made


def expected(case, at_prefix, at_record, naming, is_server_admin):
    """The oracle."""
    if is_server_admin:
        return case.then
    grants = [at_prefix] if case.place in (PREFIX, RECORD) else []
    grants += [at_record] if case.place == RECORD else []
    grants = [bits for bits in grants if bits is not None]
    if naming in STRANGERS or not grants:
        return Outcome.NOT_ADMINISTRATOR
    granted = 0
    for bits in grants:
        granted |= bits
    if any(granted & needed == needed for needed in case.sets):
        return case.then
    return Outcome.PERMISSION_DENIED


def outcome_of(made, case, who):
    """What really happens; nothing is kept."""
    if isinstance(case.act, Command):
        act = case.act
        if act.operation is PUT and act.identifier.text == OLD and act.overwrite:
            act = act._replace(values=_with_grant(made, act))
        decision = decide(
            [Submission(who, act, "test")],
            made.store,
            made.sealer,
            made.server_admins,
            3_000_000_000,
        )
        return decision.receipts[0].outcome
    if case.act == READ:
        query = Query(parse_identifier(HIDDEN), public_only=False, principal=who)
        return answer_now(query, made.holdings, PEER, NOW).outcome
    place = parse_identifier(OWN)
    return made.holdings.may(who, place, 0x800 if case.act == LIST else 0x1000)


NOW, PEER = Now(0.0, 2_000_000_000.0), Peer("192.0.2.7", 1, "tcp", is_loopback=False)


def _with_grant(made, act):
    """An overwriting command leaves the value that grants as it is, or it would be about that one, too."""
    kept = [value for value in made.values(OLD) if value.index == 102]
    return (*act.values, *kept)


def check(at_prefix, at_record, naming, is_server_admin=False):
    """All operations; returns how many were tried."""
    server_admins = frozenset({"5:88.118/CLERK"} if is_server_admin else ())
    made = desk(at_prefix, at_record, naming, server_admins)
    for title, case in CASES.items():
        wanted = expected(case, at_prefix, at_record, naming, is_server_admin)
        found = outcome_of(made, case, WHO)
        assert found is wanted, (title, at_prefix, at_record, naming, found, wanted)
    return len(CASES)


ALL = 0x1FFF
SINGLES = [0, ALL, *BITS, *(ALL & ~bit for bit in BITS)]


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_bit_alone_and_all_but_every_bit_at_the_prefix(naming):
    tried = sum(check(bits, None, naming) for bits in SINGLES)
    assert tried == len(SINGLES) * len(CASES) == 1204


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_bit_alone_and_all_but_every_bit_at_the_record(naming):
    assert sum(check(None, bits, naming) for bits in SINGLES) == 1204


@pytest.mark.parametrize("naming", ["exactly", "not named"])
@pytest.mark.parametrize("bits", [None, 0, ALL])
def test_a_server_administrator_may_everything_whatever_was_granted(naming, bits):
    assert check(bits, bits, naming, is_server_admin=True) == len(CASES)


masks = st.none() | st.integers(0, 0xFFFF)


@settings(max_examples=60)  # what masks do alone is gone through above, mask by mask
@given(masks, masks, st.sampled_from(sorted(NAMINGS)))
def test_any_bits_at_the_prefix_and_at_the_record_add_up(at_prefix, at_record, naming):
    check(at_prefix, at_record, naming)


@pytest.mark.parametrize("bits", [None, 0, ALL])
def test_nobody_is_asked_who_he_is_first(bits):
    made = desk(bits, bits, "exactly")
    for case in CASES.values():
        if isinstance(case.act, Command):
            receipt = outcome_of(made, case, Principal())
            assert receipt is Outcome.AUTHENTICATION_NEEDED
