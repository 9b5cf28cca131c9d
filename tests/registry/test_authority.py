import pytest

from protocols.identifier import parse_identifier
from protocols.message import ANONYMOUS, OPERATOR, Outcome, Principal
from protocols.values.admin import (
    ADD_HANDLE,
    ADD_VALUE,
    ALL_PERMISSIONS,
    AUTHORIZED_READ,
    DELETE_HANDLE,
    LIST_HANDLES,
    MODIFY_VALUE,
)
from protocols.values.value import SECRET_PERMISSIONS
from registry.authority import MAX_GROUP_LOOKUPS, MAX_NAMES, rights
from registry.registrar import Submission
from tests.registry.desk import ADMIN, HOST, PUT, STRANGER, Desk, admin, command, group, url

CLERK = Principal("88.118/clerk", 5)
RECORD = parse_identifier("88.118/SN-1")


def desk_with(*prefix_values, **others):
    """A desk whose prefix record has these values, and further records ``suffix=[values]``."""
    desk = Desk()
    assert not desk.put("0.NA/88.118", *prefix_values).reason
    for suffix, values in others.items():
        assert not desk.put(f"88.118/{suffix}", *values).reason
    return desk


def may(desk, principal, needed=ADD_HANDLE, identifier=RECORD):
    return desk.holdings.may(principal, identifier, needed)


def test_whoever_the_prefix_record_names_may_what_it_grants():
    desk = desk_with(admin(CLERK.handle, CLERK.index, ADD_HANDLE | MODIFY_VALUE))
    assert may(desk, CLERK, ADD_HANDLE) is Outcome.SUCCESS
    assert may(desk, CLERK, ADD_HANDLE | MODIFY_VALUE) is Outcome.SUCCESS
    assert may(desk, CLERK, ADD_HANDLE | DELETE_HANDLE) is Outcome.PERMISSION_DENIED


def test_nobody_has_to_say_who_he_is_and_a_stranger_is_no_administrator():
    desk = Desk()
    assert may(desk, ANONYMOUS) is Outcome.AUTHENTICATION_NEEDED
    assert may(desk, STRANGER) is Outcome.NOT_ADMINISTRATOR


@pytest.mark.parametrize(
    ("named_index", "outcome"),
    [(5, Outcome.SUCCESS), (0, Outcome.SUCCESS), (6, Outcome.NOT_ADMINISTRATOR)],
)
def test_index_0_stands_for_any_index(named_index, outcome):
    assert may(desk_with(admin(CLERK.handle, named_index)), CLERK) is outcome


def test_a_principal_without_an_index_is_not_everybody_at_that_handle():
    desk = desk_with(admin(CLERK.handle, 5))
    assert may(desk, Principal(CLERK.handle, 0)) is Outcome.NOT_ADMINISTRATOR


def test_rights_of_several_values_add_up():
    desk = desk_with(
        admin(CLERK.handle, 5, ADD_HANDLE, index=100),
        admin(CLERK.handle, 0, DELETE_HANDLE, index=101),
    )
    assert may(desk, CLERK, ADD_HANDLE | DELETE_HANDLE) is Outcome.SUCCESS


def test_a_record_may_name_administrators_of_its_own():
    desk = desk_with(admin(), **{"SN-1": [url(), admin(CLERK.handle, 5, MODIFY_VALUE)]})
    assert may(desk, CLERK, MODIFY_VALUE) is Outcome.SUCCESS
    assert may(desk, CLERK, MODIFY_VALUE, parse_identifier("88.118/SN-2")) is (
        Outcome.NOT_ADMINISTRATOR
    )


def test_prefix_record_and_bare_prefix_are_administered_by_the_prefix_record():
    desk = Desk()
    for text in ("0.NA/88.118", "88.118"):
        assert may(desk, ADMIN, LIST_HANDLES, parse_identifier(text)) is Outcome.SUCCESS


def test_an_administrator_of_a_prefix_has_no_say_over_derived_or_neighbouring_ones():
    desk = Desk()
    desk.submit(command(HOST, "88.118.7", url()))
    for text in ("88.118.7/x", "0.NA/88.118.7", "88.1/x", "88/x"):
        assert may(desk, ADMIN, ADD_HANDLE, parse_identifier(text)) is Outcome.NOT_ADMINISTRATOR


def test_an_administrator_value_that_is_not_public_counts_too():
    desk = desk_with(admin(CLERK.handle, 5, permissions=ALL_PERMISSIONS)._replace(permissions=12))
    assert may(desk, CLERK) is Outcome.SUCCESS


def test_types_of_administrators_and_groups_match_without_case():
    value = admin("88.118/staff", 200)._replace(type="hs_admin")
    desk = desk_with(value, staff=[group((CLERK.handle, 5))._replace(type="Hs_Vlist")])
    assert may(desk, CLERK) is Outcome.SUCCESS


# -- groups


def test_the_members_of_a_group_are_administrators():
    desk = desk_with(
        admin("88.118/staff", 200, ADD_HANDLE),
        staff=[group((STRANGER.handle, 1), (CLERK.handle, 5))],
    )
    assert may(desk, CLERK, ADD_HANDLE) is Outcome.SUCCESS
    assert may(desk, CLERK, ADD_VALUE) is Outcome.PERMISSION_DENIED
    assert may(desk, Principal(STRANGER.handle, 2)) is Outcome.NOT_ADMINISTRATOR


def test_a_group_that_is_not_public_counts_too():
    members = group((CLERK.handle, 5), permissions=SECRET_PERMISSIONS)
    assert may(desk_with(admin("88.118/staff", 200), staff=[members]), CLERK) is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("handle", "at"),
    [("88.118/staff", 201), ("88.118/none", 200), ("88.118/staff", 0), ("20.5/x", 200)],
)
def test_a_group_is_found_only_at_its_own_place(handle, at):
    desk = desk_with(admin(handle, at), staff=[group((CLERK.handle, 5), index=200)])
    assert may(desk, CLERK) is Outcome.NOT_ADMINISTRATOR


@pytest.mark.parametrize(
    ("levels", "outcome"), [(4, Outcome.SUCCESS), (5, Outcome.NOT_ADMINISTRATOR)]
)
def test_groups_nest_four_levels_deep(levels, outcome):
    groups = {f"g{n}": [group((f"88.118/g{n + 1}", 200))] for n in range(1, levels)}
    groups[f"g{levels}"] = [group((CLERK.handle, 5))]
    assert may(desk_with(admin("88.118/g1", 200), **groups), CLERK) is outcome


def test_groups_that_contain_each_other_end():
    desk = desk_with(
        admin("88.118/a", 200),
        a=[group(("88.118/b", 200), ("88.118/a", 200))],
        b=[group(("88.118/a", 200), (CLERK.handle, 5))],
    )
    assert may(desk, CLERK) is Outcome.SUCCESS
    assert may(desk, STRANGER) is Outcome.NOT_ADMINISTRATOR


class Counting:
    """A directory that counts what is asked of it."""

    def __init__(self, holdings):
        self.holdings, self.lookups, self.keys = holdings, 0, 0

    def key_of(self, identifier):
        self.keys += 1
        return self.holdings.key_of(identifier)

    def values_of(self, identifier):
        self.lookups += 1
        return self.holdings.values_of(identifier)


def test_a_web_of_groups_costs_a_bounded_search():
    wide = [(f"88.118/m{n}", 200) for n in range(100)]
    others = {f"m{n}": [group(*wide)] for n in range(100)}
    desk = desk_with(*(admin(f"88.118/m{n}", 200, index=n + 1) for n in range(60)), **others)
    counting = Counting(desk.holdings)
    assert rights(STRANGER, RECORD, counting) is None
    assert counting.lookups <= MAX_GROUP_LOOKUPS + 2
    assert counting.keys <= MAX_NAMES + 1


def test_members_beyond_the_bound_are_not_administrators():
    crowd = [(f"20.5/{n}", 1) for n in range(2048)]
    desk = desk_with(
        admin("88.118/a", 200),
        a=[group(("88.118/b", 200), ("88.118/c", 200), ("88.118/d", 200))],
        b=[group(*crowd)],
        c=[group(*crowd)],
        d=[group((CLERK.handle, 5))],
    )
    assert may(desk, CLERK) is Outcome.NOT_ADMINISTRATOR


# -- spelling


def test_handles_of_administrators_are_compared_by_the_case_rule_of_their_prefix():
    named = admin("88.118/Clerk", 5)
    folding, exact = Desk(), Desk(case_sensitive=True)
    for desk in (folding, exact):
        assert not desk.put("0.na/88.118", named).reason
    assert may(folding, CLERK) is Outcome.SUCCESS
    assert may(exact, CLERK) is Outcome.NOT_ADMINISTRATOR
    assert may(exact, Principal("88.118/Clerk", 5)) is Outcome.SUCCESS


def test_below_a_prefix_hosted_elsewhere_two_spellings_are_two_administrators():
    desk = desk_with(admin("20.500.TST/Clerk", 5))
    assert may(desk, Principal("20.500.tst/Clerk", 5)) is Outcome.SUCCESS
    assert may(desk, Principal("20.500.tst/clerk", 5)) is Outcome.NOT_ADMINISTRATOR


@pytest.mark.parametrize("handle", ["", "/x", "x/", "88.118/" + "x" * 3000, "\ud800"])
def test_a_principal_with_an_impossible_handle_is_no_administrator(handle):
    outcome = may(Desk(), Principal(handle, 300))
    assert outcome in (Outcome.NOT_ADMINISTRATOR, Outcome.AUTHENTICATION_NEEDED)


# -- server administrators


def test_server_administrators_count_as_operator_in_any_spelling_of_the_prefix():
    desk = Desk(server_admins=frozenset({"300:0.NA/88.999"}))
    everything = ALL_PERMISSIONS | AUTHORIZED_READ
    assert may(desk, Principal("0.na/88.999", 300), everything) is Outcome.SUCCESS
    assert may(desk, Principal("0.na/88.999", 301), everything) is Outcome.NOT_ADMINISTRATOR
    assert not desk.put("88.118/x", url(), principal=STRANGER).reason


@pytest.mark.parametrize(
    "text", ["0.NA/88.999", ":0.NA/88.999", "x:0.NA/88.999", "300:", "300", ""]
)
def test_a_server_administrator_that_cannot_be_read_is_nobody(text):
    desk = Desk(server_admins=frozenset({text}))
    assert may(desk, STRANGER) is Outcome.NOT_ADMINISTRATOR
    assert may(desk, ANONYMOUS) is Outcome.AUTHENTICATION_NEEDED


def test_the_rights_a_command_gives_count_for_the_next_in_the_batch():
    desk = Desk()
    grant = command(PUT, "0.NA/88.118", admin(), admin(CLERK.handle, 5, index=101))
    use = command(PUT, "88.118/x", url())
    batch = [
        Submission(CLERK, use, "t"),
        Submission(OPERATOR, grant, "t"),
        Submission(CLERK, use, "t"),
    ]
    outcomes = [receipt.outcome for receipt in desk.registrar.commit(batch, 5_000)]
    assert outcomes == [Outcome.NOT_ADMINISTRATOR, Outcome.SUCCESS, Outcome.SUCCESS]
