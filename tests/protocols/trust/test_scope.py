"""What a permission covers, what it may pass on: a table, and that passing on never widens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.trust.claims import Perm, Permission
from protocols.trust.scope import signs, uncovered

PERMS = {one.value: one for one in Perm}


def perm(text):
    name, _, handle = text.partition(" ")
    return Permission(handle, PERMS[name])


SIGNS = [
    ("everything", "88.118/X", True),
    ("thisHandle 88.118/X", "88.118/x", True),
    ("thisHandle 88.118/X", "88.118/Y", False),
    ("thisHandle 0.NA/88.118", "0.NA/88.118", True),
    ("thisHandle 88.118", "0.NA/88.118", True),
    ("thisHandle 0.NA/88.118", "88.118/X", False),
    ("handlesUnderThisPrefix 88.118", "88.118/X", True),
    ("handlesUnderThisPrefix 0.NA/88.118", "88.118/X", True),
    ("handlesUnderThisPrefix 88.118", "88.1181/X", False),
    ("handlesUnderThisPrefix 88.118", "88.118.7/X", False),
    ("handlesUnderThisPrefix 88.118", "0.NA/88.118", False),
    ("handlesUnderThisPrefix 88.118/X", "88.118/X", False),
    ("derivedPrefixes 88.118", "0.NA/88.118.7", True),
    ("derivedPrefixes 88.118", "0.NA/88.118.7.1", True),
    ("derivedPrefixes 88.118", "0.NA/88.118", False),
    ("derivedPrefixes 88.118", "0.NA/88.1187", False),
    ("derivedPrefixes 88.118", "88.118.7/X", False),
    ("derivedPrefixes 88.118/X", "0.NA/88.118.7", False),
]


@pytest.mark.parametrize(("permission", "handle", "expected"), SIGNS)
def test_what_a_permission_signs(permission, handle, expected):
    assert signs([perm(permission)], parse_identifier(handle)) is expected


COVERS = [
    ("everything", "everything", True),
    ("derivedPrefixes 88", "everything", False),
    ("handlesUnderThisPrefix 88.118", "everything", False),
    ("everything", "derivedPrefixes 88", True),
    ("derivedPrefixes 88", "derivedPrefixes 88", True),
    ("derivedPrefixes 88", "derivedPrefixes 88.118", True),
    ("derivedPrefixes 88.118", "derivedPrefixes 88", False),
    ("derivedPrefixes 88", "handlesUnderThisPrefix 88.118", True),
    ("derivedPrefixes 88", "handlesUnderThisPrefix 88", False),
    ("derivedPrefixes 88", "thisHandle 88.118/X", True),
    ("derivedPrefixes 88", "thisHandle 0.NA/88.118", True),
    ("derivedPrefixes 88", "thisHandle 88/X", False),
    ("derivedPrefixes 88", "thisHandle 0.NA/88", False),
    ("handlesUnderThisPrefix 88.118", "handlesUnderThisPrefix 0.NA/88.118", True),
    ("handlesUnderThisPrefix 88.118", "handlesUnderThisPrefix 88.118.7", False),
    ("handlesUnderThisPrefix 88.118", "derivedPrefixes 88.118", False),
    ("handlesUnderThisPrefix 88.118", "thisHandle 88.118/X", True),
    ("thisHandle 88.118/X", "thisHandle 88.118/X", True),
    ("thisHandle 0.NA/88.118", "handlesUnderThisPrefix 88.118", False),
    ("thisHandle 0.NA/88.118", "derivedPrefixes 88.118", False),
]


@pytest.mark.parametrize(("parent", "child", "expected"), COVERS)
def test_what_a_permission_may_pass_on(parent, child, expected):
    assert (uncovered([perm(parent)], [perm(child)]) is None) is expected


def test_no_permission_covers_nothing_and_the_first_excess_is_named():
    under = perm("handlesUnderThisPrefix 88.118")
    assert not signs([], parse_identifier("88.118/X"))
    assert uncovered([], [under]) == under
    assert uncovered([perm("derivedPrefixes 88")], [under, perm("everything")]) == perm(
        "everything"
    )


handles = st.sampled_from(
    ["88", "88.118", "88.118.7", "0.NA/88.118", "88.118/X", "88.118.7/Y", "88.119/Z", "0.NA/88.119"]
)
permissions = st.builds(Permission, handles, st.sampled_from(list(Perm)))


@settings(max_examples=300, deadline=None)
@given(permissions, permissions, handles)
def test_whoever_passes_on_signs_no_less_than_the_receiver_or_governs_its_prefix(
    parent, child, handle
):
    """Derived prefixes are the one thing passed on without being signed oneself."""
    identifier = parse_identifier(handle)
    if uncovered([parent], [child]) is None and signs([child], identifier):
        governs = parent.perm is Perm.DERIVED_PREFIXES and not identifier.is_prefix_record
        assert signs([parent], identifier) or governs


@settings(max_examples=300, deadline=None)
@given(permissions, permissions, permissions)
def test_passing_on_twice_passes_on_no_more(first, second, third):
    if uncovered([first], [second]) is None and uncovered([second], [third]) is None:
        assert uncovered([first], [third]) is None
