import pytest

from protocols.values.admin import (
    ADD_ADMIN,
    ADD_DERIVED_PREFIX,
    ADD_HANDLE,
    ADD_VALUE,
    DELETE_DERIVED_PREFIX,
    DELETE_HANDLE,
    MODIFY_ADMIN,
    MODIFY_VALUE,
    REMOVE_ADMIN,
    REMOVE_VALUE,
)
from registry.permissions import needs_of
from registry.revision import revise
from tests.registry.desk import (
    ADD,
    DELEGATE,
    DELETE,
    HOST,
    MODIFY,
    PUT,
    REMOVE,
    admin,
    command,
    name,
    secret,
    site_value,
    url,
)

TEXT = "88.118/x"
OLD = (url(timestamp=5), name(timestamp=5), admin(timestamp=5), secret()._replace(timestamp=5))
REPLACE_WHOLE = (TEXT, ADD_HANDLE | DELETE_HANDLE)


def needs(one, old=OLD):
    revised = revise(one, old or (), 9)
    return [
        (need.place.text, need.permissions)
        for need in needs_of(one, old is not None, old or (), revised)
    ]


CHANGES = {
    "add a value": (command(ADD, TEXT, url(index=7)), ADD_VALUE),
    "add an administrator": (command(ADD, TEXT, admin(index=7)), ADD_ADMIN),
    "add over a value": (command(ADD, TEXT, url("other")), MODIFY_VALUE),
    "add to what exists": (command(ADD, TEXT, url("other"), overwrite=False), ADD_VALUE),
    "add to administrators": (
        command(ADD, TEXT, admin("88.118/y"), overwrite=False),
        ADD_ADMIN,
    ),
    "add what is there": (command(ADD, TEXT, url()), ADD_VALUE),
    "modify a value": (command(MODIFY, TEXT, url("other")), MODIFY_VALUE),
    "modify what is there": (command(MODIFY, TEXT, url()), MODIFY_VALUE),
    "modify what is missing": (command(MODIFY, TEXT, url(index=7)), MODIFY_VALUE),
    "modify an administrator": (command(MODIFY, TEXT, admin("88.118/y")), MODIFY_ADMIN),
    "value to administrator": (command(MODIFY, TEXT, admin(index=1)), ADD_ADMIN | MODIFY_VALUE),
    "administrator to value": (
        command(MODIFY, TEXT, url(index=100)),
        REMOVE_ADMIN | MODIFY_VALUE,
    ),
    "modify a secret": (command(MODIFY, TEXT, secret(b"new")), MODIFY_VALUE),
    "remove a value": (command(REMOVE, TEXT, indexes=(1,)), REMOVE_VALUE),
    "remove an administrator": (command(REMOVE, TEXT, indexes=(100,)), REMOVE_ADMIN),
    "remove both": (command(REMOVE, TEXT, indexes=(1, 100)), REMOVE_VALUE | REMOVE_ADMIN),
    "remove what is missing": (command(REMOVE, TEXT, indexes=(7,)), REMOVE_VALUE),
}


@pytest.mark.parametrize(("one", "bits"), CHANGES.values(), ids=CHANGES)
def test_changes_of_values_need_their_own_bits(one, bits):
    assert needs(one) == [(TEXT, bits)]


OVERWRITES = {
    "nothing": ([url(), name(), admin()], (secret(),), 0),
    "one value": ([url("other"), name(), admin()], (secret(),), MODIFY_VALUE),
    "less": ([url(), admin()], (secret(),), REMOVE_VALUE),
    "without administrator": ([url(), name()], (secret(),), REMOVE_ADMIN),
    "more": ([url(), name(), admin(), url(index=7)], (secret(),), ADD_VALUE),
}


@pytest.mark.parametrize(("values", "old_secrets", "bits"), OVERWRITES.values(), ids=OVERWRITES)
def test_overwriting_needs_what_it_changes_or_the_right_to_delete(values, old_secrets, bits):
    one = command(PUT, TEXT, *values)
    by_deleting = DELETE_HANDLE | bits & (MODIFY_ADMIN | REMOVE_ADMIN | ADD_ADMIN)
    assert needs(one, OLD[:3]) == [(TEXT, bits), (TEXT, by_deleting), REPLACE_WHOLE]


def test_sending_a_secret_again_counts_as_changing_it_so_that_it_cannot_be_tried_out():
    right = command(PUT, TEXT, url(), name(), admin(), secret())
    wrong = command(PUT, TEXT, url(), name(), admin(), secret(b"a guess"))
    expected = [(TEXT, MODIFY_VALUE), (TEXT, DELETE_HANDLE), REPLACE_WHOLE]
    assert needs(right) == needs(wrong) == expected
    for operation in (ADD, MODIFY):
        right, wrong = command(operation, TEXT, secret()), command(operation, TEXT, secret(b"?"))
        assert needs(right) == needs(wrong) == [(TEXT, MODIFY_VALUE)]


WHOLE = {
    "create": (command(PUT, TEXT, url()), None, [(TEXT, ADD_HANDLE)]),
    "create with administrator": (command(PUT, TEXT, admin()), None, [(TEXT, ADD_HANDLE)]),
    "create what exists": (
        command(PUT, TEXT, url("other"), overwrite=False),
        OLD,
        [(TEXT, ADD_HANDLE)],
    ),
    "delete": (command(DELETE, TEXT), OLD, [(TEXT, DELETE_HANDLE)]),
    "host": (command(HOST, "88.118.7", url()), None, [("0.NA/88.118", ADD_DERIVED_PREFIX)]),
    "delegate": (
        command(DELEGATE, "88.118.7", site_value("192.0.2.8")),
        None,
        [("0.NA/88.118", ADD_DERIVED_PREFIX)],
    ),
    "delegate what is hosted": (
        command(DELEGATE, "88.118.7", site_value("192.0.2.8")),
        OLD,
        [("0.NA/88.118", ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX)],
    ),
    "take back": (
        command(HOST, "88.118.7", url()),
        OLD,
        [("0.NA/88.118", ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX)],
    ),
    "delegate a prefix with nothing above": (
        command(DELEGATE, "88", site_value("192.0.2.8")),
        OLD,
        [],
    ),
    "create a prefix record": (
        command(PUT, "0.NA/88.118.7", url()),
        None,
        [("0.NA/88.118", ADD_DERIVED_PREFIX)],
    ),
    "delete a prefix record": (
        command(DELETE, "88.118.7"),
        OLD,
        [("0.NA/88.118", DELETE_DERIVED_PREFIX)],
    ),
    "host a prefix with nothing above": (command(HOST, "88", url()), None, []),
    "delete a prefix with nothing above": (command(DELETE, "88"), OLD, []),
}


@pytest.mark.parametrize(("one", "old", "expected"), WHOLE.values(), ids=WHOLE)
def test_creating_and_deleting_is_a_matter_of_the_prefix(one, old, expected):
    assert needs(one, old) == expected


def test_overwriting_a_prefix_record_is_its_own_matter_or_that_of_the_prefix_above():
    assert needs(command(PUT, "88.118.7", url("other")), OLD[:1]) == [
        ("88.118.7", MODIFY_VALUE),
        ("0.NA/88.118", ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX),
    ]
