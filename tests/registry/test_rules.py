"""Each rule refuses what it should, by name, and lets the neighbouring good case pass."""

import pytest

from protocols.identifier import Identifier
from protocols.message import OPERATOR, Command, Outcome
from protocols.values.admin import ADD_HANDLE, DELETE_HANDLE
from protocols.values.site import ADMIN_ONLY, TCP, Interface, Server, encode_site
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.rules import RULES
from tests.registry.desk import (
    ADD,
    ADMIN,
    DELEGATE,
    DELETE,
    HIDE,
    HOST,
    MODIFY,
    NOBODY,
    PUT,
    REMOVE,
    STRANGER,
    UNHOST,
    Desk,
    admin,
    command,
    name,
    secret,
    site,
    site_value,
    url,
)

LOCKED = url(index=5, permissions=10)
"""Administrators may read it, not write it."""
FAR = site_value("192.0.2.8")
DEAF = Value(7, "HS_SITE", encode_site(site()))
FOR_ADMINISTRATORS = site()._replace(
    servers=(Server(1, "192.0.2.8", (Interface(TCP, 2641, ADMIN_ONLY),)),)
)


def raw(spelling, prefix, suffix, operation=PUT):
    return Command(operation, Identifier(spelling, prefix, suffix), (url(),))


REFUSED = {
    # identifier
    "torn identifier": (
        "identifier",
        raw(b"88.118/x", b"88.119", b"x"),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "no suffix": (
        "identifier",
        raw(b"88.118/", b"88.118", b""),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "not UTF-8": (
        "identifier",
        raw(b"88.118/\xff", b"88.118", b"\xff"),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "2,049 bytes": (
        "identifier",
        raw(b"88.118/" + b"x" * 2042, b"88.118", b"x" * 2042),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "line break": (
        "identifier",
        command(PUT, "88.118/a\nb", url()),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "C1 control": (
        "identifier",
        command(PUT, "88.118/a\x9fb", url()),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "prefix with a slash": (
        "identifier",
        command(HOST, "0.NA/88/7", url()),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "prefix with an empty label": (
        "identifier",
        command(HOST, "88..7", url()),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "long prefix": (
        "identifier",
        command(HOST, "8" * 256, url()),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    # request-id
    "long request id": (
        "request-id",
        command(PUT, "88.118/x", url(), request_id="r" * 257),
        Outcome.PROTOCOL_ERROR,
        "request_id",
    ),
    "request id with a line break": (
        "request-id",
        command(PUT, "88.118/x", url(), request_id="a\nb"),
        Outcome.PROTOCOL_ERROR,
        "request_id",
    ),
    "request id in half": (
        "request-id",
        command(PUT, "88.118/x", url(), request_id="\ud800"),
        Outcome.PROTOCOL_ERROR,
        "request_id",
    ),
    # arguments
    "put nothing": ("arguments", command(PUT, "88.118/x"), Outcome.INVALID_VALUE, "values"),
    "add nothing": ("arguments", command(ADD, "88.118/old"), Outcome.INVALID_VALUE, "values"),
    "modify nothing": ("arguments", command(MODIFY, "88.118/old"), Outcome.INVALID_VALUE, "values"),
    "remove nothing": (
        "arguments",
        command(REMOVE, "88.118/old"),
        Outcome.INVALID_VALUE,
        "indexes",
    ),
    "host the place of prefixes": (
        "arguments",
        command(HOST, "0.na", url()),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "host a suffix": (
        "arguments",
        command(HOST, "88.118/x", url()),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "delegate to nobody": (
        "arguments",
        command(DELEGATE, "88.118"),
        Outcome.INVALID_VALUE,
        "values",
    ),
    "delegate a suffix": (
        "arguments",
        command(DELEGATE, "88.118/x", FAR),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "delegate the place of prefixes": (
        "arguments",
        command(DELEGATE, "0.NA", FAR),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    # values
    "a flaw": (
        "values",
        command(PUT, "88.118/x", url(), name(ttl=-1)),
        Outcome.INVALID_VALUE,
        "values[1].ttl",
    ),
    "an index twice": (
        "values",
        command(PUT, "88.118/x", url(), name(), url("b")),
        Outcome.VALUE_EXISTS,
        "values[2].index",
    ),
    "2,049 values": (
        "values",
        command(PUT, "88.118/x", *(url(index=n + 1) for n in range(2049))),
        Outcome.INVALID_VALUE,
        "values",
    ),
    # hosted
    "another node's prefix": (
        "hosted",
        command(PUT, "88.119/x", url()),
        Outcome.NOT_RESPONSIBLE,
        "identifier",
    ),
    "derived prefix not hosted": (
        "hosted",
        command(PUT, "88.118.9/x", url()),
        Outcome.NOT_RESPONSIBLE,
        "identifier",
    ),
    "below a prefix delegated by its record": (
        "hosted",
        command(PUT, "88.118.8/x", url()),
        Outcome.NOT_RESPONSIBLE,
        "identifier",
    ),
    # version
    "expected absent": (
        "version",
        command(PUT, "88.118/old", url("b"), expect_version=0),
        Outcome.VERSION_CONFLICT,
        "expect_version",
    ),
    "expected another version": (
        "version",
        command(DELETE, "88.118/old", expect_version=2),
        Outcome.VERSION_CONFLICT,
        "expect_version",
    ),
    "expected present": (
        "version",
        command(PUT, "88.118/x", url(), expect_version=1),
        Outcome.VERSION_CONFLICT,
        "expect_version",
    ),
    "expected what was deleted": (
        "version",
        command(PUT, "88.118/gone", url(), expect_version=2),
        Outcome.VERSION_CONFLICT,
        "expect_version",
    ),
    # presence
    "create what exists": (
        "presence",
        command(PUT, "88.118/OLD", url("b"), overwrite=False),
        Outcome.ALREADY_EXISTS,
        "identifier",
    ),
    "add to nothing": (
        "presence",
        command(ADD, "88.118/x", url()),
        Outcome.NOT_FOUND,
        "identifier",
    ),
    "modify nothing there": (
        "presence",
        command(MODIFY, "88.118/x", url()),
        Outcome.NOT_FOUND,
        "identifier",
    ),
    "remove from nothing": (
        "presence",
        command(REMOVE, "88.118/x", indexes=(1,)),
        Outcome.NOT_FOUND,
        "identifier",
    ),
    "delete nothing": ("presence", command(DELETE, "88.118/x"), Outcome.NOT_FOUND, "identifier"),
    "delete twice": ("presence", command(DELETE, "88.118/gone"), Outcome.NOT_FOUND, "identifier"),
    "host twice": (
        "presence",
        command(HOST, "0.na/88.118", url()),
        Outcome.ALREADY_EXISTS,
        "identifier",
    ),
    "unhost a record": (
        "presence",
        command(UNHOST, "88.118.5"),
        Outcome.NOT_RESPONSIBLE,
        "identifier",
    ),
    "hide below a record": (
        "presence",
        command(HIDE, "88.118.5"),
        Outcome.NOT_RESPONSIBLE,
        "identifier",
    ),
    "unhost nothing": (
        "presence",
        command(UNHOST, "88.118.404"),
        Outcome.NOT_FOUND,
        "identifier",
    ),
    "unhost an identifier": (
        "arguments",
        command(UNHOST, "88.118/x"),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    "hide 0.NA": (
        "arguments",
        command(HIDE, "0.NA"),
        Outcome.INVALID_IDENTIFIER,
        "identifier",
    ),
    # presence-of-values
    "add over a value": (
        "presence-of-values",
        command(ADD, "88.118/old", url(index=7), name("b"), overwrite=False),
        Outcome.VALUE_EXISTS,
        "values[1].index",
    ),
    "modify a missing value": (
        "presence-of-values",
        command(MODIFY, "88.118/old", url("b"), url(index=7)),
        Outcome.VALUES_NOT_FOUND,
        "values[1].index",
    ),
    "remove a missing value": (
        "presence-of-values",
        command(REMOVE, "88.118/old", indexes=(1, 7)),
        Outcome.VALUES_NOT_FOUND,
        "indexes[1]",
    ),
    # case-rule
    "host again with another case rule": (
        "case-rule",
        command(HOST, "88.118.6", url(), case_sensitive=True),
        Outcome.ALREADY_EXISTS,
        "case_sensitive",
    ),
    "delegate with another case rule": (
        "case-rule",
        command(DELEGATE, "88.118.6", FAR, case_sensitive=True),
        Outcome.ALREADY_EXISTS,
        "case_sensitive",
    ),
    # delegation
    "delegate without a site": (
        "delegation",
        command(DELEGATE, "88.118.1", url(), admin()),
        Outcome.INVALID_VALUE,
        "values",
    ),
    "delegate to a site without servers": (
        "delegation",
        command(DELEGATE, "88.118.1", url(), DEAF),
        Outcome.INVALID_VALUE,
        "values[1].data",
    ),
    "delegate to a server that takes no questions": (
        "delegation",
        command(DELEGATE, "88.118.1", Value(1, "HS_SITE", encode_site(FOR_ADMINISTRATORS))),
        Outcome.INVALID_VALUE,
        "values[0].data",
    ),
    "delegate in secret": (
        "delegation",
        command(DELEGATE, "88.118.1", FAR._replace(permissions=SECRET_PERMISSIONS)),
        Outcome.INVALID_VALUE,
        "values[0].data",
    ),
    "delegate to derived prefixes only": (
        "delegation",
        command(DELEGATE, "88.118.1", FAR._replace(type="HS_SITE.PREFIX")),
        Outcome.INVALID_VALUE,
        "values",
    ),
    "take the site of a delegated prefix": (
        "delegation",
        command(REMOVE, "88.118.7", indexes=(1,)),
        Outcome.INVALID_VALUE,
        "indexes",
    ),
    "overwrite the site of a delegated prefix": (
        "delegation",
        command(PUT, "88.118.7", url()),
        Outcome.INVALID_VALUE,
        "values",
    ),
    "replace the site of a delegated prefix by a deaf one": (
        "delegation",
        command(MODIFY, "88.118.7", name(), DEAF._replace(index=1)),
        Outcome.INVALID_VALUE,
        "values[1].data",
    ),
    # unoccupied
    "delete a prefix in use": (
        "unoccupied",
        command(DELETE, "88.118"),
        Outcome.ALREADY_EXISTS,
        "identifier",
    ),
    "delete a delegated prefix with records kept below": (
        "unoccupied",
        command(DELETE, "88.118.7"),
        Outcome.ALREADY_EXISTS,
        "identifier",
    ),
    # record-size
    "a record too large": (
        "record-size",
        command(PUT, "88.118/x", *(Value(n, "B", bytes(62_500)) for n in range(1, 5))),
        Outcome.INVALID_VALUE,
        "values",
    ),
    "too many values together": (
        "record-size",
        command(ADD, "88.118/old", *(url(index=n) for n in range(10, 2057))),
        Outcome.INVALID_VALUE,
        "values",
    ),
}

REFUSED_TO = {
    "nobody": ("authenticated", NOBODY, command(PUT, "88.118/x", url()), ""),
    "a stranger": ("administrator", STRANGER, command(PUT, "88.118/x", url()), ""),
    "the administrator above": ("administrator", ADMIN, command(HOST, "88.119", url()), ""),
    "the administrator of a prefix with nothing above": (
        "administrator",
        ADMIN,
        command(HOST, "89", url()),
        "",
    ),
    "the administrator of a prefix, its delegation": (
        "administrator",
        ADMIN,
        command(DELEGATE, "88.118", FAR),
        "",
    ),
    "the administrator above, below a delegated prefix": (
        "hosted",
        ADMIN,
        command(PUT, "88.118.7/y", url()),
        "identifier",
    ),
    "the administrator of a prefix, its deletion": (
        "administrator",
        ADMIN,
        command(DELETE, "88.118"),
        "",
    ),
    "the administrator, a locked value": (
        "changeable",
        ADMIN,
        command(MODIFY, "88.118/old", name("b"), url("c", index=5)),
        "values[1]",
    ),
    "the administrator, removing a locked value": (
        "changeable",
        ADMIN,
        command(REMOVE, "88.118/old", indexes=(2, 5)),
        "indexes[1]",
    ),
    "the administrator, overwriting a locked value": (
        "changeable",
        ADMIN,
        command(PUT, "88.118/old", url()),
        "",
    ),
}


@pytest.fixture
def desk():
    desk = Desk()
    prepared = desk.commit(
        command(PUT, "88.118/old", url(), name(), LOCKED, secret()),
        command(PUT, "88.118/gone", url()),
        command(DELETE, "88.118/gone"),
        command(PUT, "0.NA/88.118.5", url()),
        command(HOST, "88.118.6", url()),
        command(DELETE, "88.118.6"),
        command(DELEGATE, "88.118.7", FAR, name()),
        command(PUT, "88.118.7/x", url()),
        command(PUT, "0.NA/88.118.8", FAR),
    )
    assert {receipt.outcome for receipt in prepared} == {Outcome.SUCCESS}
    return desk


@pytest.mark.parametrize(("rule", "one", "outcome", "field"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_for_everybody_is_refused_even_to_the_operator(
    desk, rule, one, outcome, field
):
    before = desk.state()
    receipt = desk.submit(one)
    assert (receipt.outcome, receipt.field) == (outcome, field)
    assert receipt.reason.endswith(f" (rule: {rule})")
    assert receipt.seq == receipt.version == 0
    assert desk.state() == before


@pytest.mark.parametrize(("rule", "who", "one", "field"), REFUSED_TO.values(), ids=REFUSED_TO)
def test_what_somebody_may_not_do_is_refused_to_him_and_done_for_the_operator(
    desk, rule, who, one, field
):
    outcomes = {
        "hosted": Outcome.NOT_RESPONSIBLE,
        "authenticated": Outcome.AUTHENTICATION_NEEDED,
        "administrator": Outcome.NOT_ADMINISTRATOR,
        "changeable": Outcome.PERMISSION_DENIED,
    }
    before = desk.state()
    receipt = desk.submit(one, who)
    assert (receipt.outcome, receipt.field) == (outcomes[rule], field)
    assert receipt.reason.endswith(f" (rule: {rule})")
    assert desk.state() == before
    if one.identifier.text != "88.118":
        assert desk.submit(one, OPERATOR).outcome is Outcome.SUCCESS


def test_every_rule_of_the_table_has_refused_something_here():
    tried = {case[0] for case in (*REFUSED.values(), *REFUSED_TO.values())}
    assert tried == {rule.name for rule in RULES}


def test_an_administrator_without_the_bit_is_told_apart_from_one_who_is_none(desk):
    desk.put("0.NA/88.118", admin(permissions=ADD_HANDLE))
    assert desk.put("88.118/new", url(), principal=ADMIN).outcome is Outcome.SUCCESS
    receipt = desk.submit(command(DELETE, "88.118/new"), ADMIN)
    assert receipt.outcome is Outcome.PERMISSION_DENIED
    assert "300:0.NA/88.118 administers here, without the permission to: delete" in receipt.reason


def test_whoever_may_only_create_is_told_that_it_exists(desk):
    desk.put("0.NA/88.118", admin(permissions=ADD_HANDLE))
    desk.put("88.118/taken", url())
    for data in ("b", "https://example.com/1"):
        one = command(PUT, "88.118/taken", url(data), overwrite=False)
        assert desk.submit(one, ADMIN).outcome is Outcome.ALREADY_EXISTS
        assert desk.submit(one, STRANGER).outcome is Outcome.NOT_ADMINISTRATOR


def test_whoever_may_delete_and_create_may_overwrite(desk):
    desk.put("88.118/free", url(), name())
    desk.put("0.NA/88.118", admin(permissions=ADD_HANDLE))
    one = command(PUT, "88.118/free", url("b"))
    assert desk.submit(one, ADMIN).outcome is Outcome.PERMISSION_DENIED
    desk.put("0.NA/88.118", admin(permissions=ADD_HANDLE | DELETE_HANDLE))
    assert desk.submit(one, ADMIN).outcome is Outcome.SUCCESS


def test_a_stranger_is_refused_before_anything_is_said_about_what_is_stored(desk):
    for text in ("88.118/old", "88.118/none"):
        for one in (
            command(PUT, text, url(), overwrite=False),
            command(ADD, text, url(index=300), overwrite=False),
            command(REMOVE, text, indexes=(300,)),
            command(DELETE, text, expect_version=1),
        ):
            assert desk.submit(one, STRANGER).outcome is Outcome.NOT_ADMINISTRATOR
            assert desk.submit(one, NOBODY).outcome is Outcome.AUTHENTICATION_NEEDED


def test_the_record_of_0_na_itself_comes_and_goes_whatever_prefixes_there_are(desk):
    assert desk.put("0.NA/0.NA", url()).outcome is Outcome.SUCCESS
    assert desk.submit(command(DELETE, "0.NA")).outcome is Outcome.SUCCESS
    assert desk.put("88.118/x", url()).outcome is Outcome.SUCCESS


def test_a_prefix_at_the_limits_is_accepted(desk):
    long_prefix = "8" * 255
    assert desk.submit(command(HOST, long_prefix, url())).outcome is Outcome.SUCCESS
    longest = f"{long_prefix}/" + "x" * (2048 - 256)
    assert desk.put(longest, url()).outcome is Outcome.SUCCESS
    assert desk.record(longest).spelling == longest.encode()


def test_a_record_of_exactly_the_greatest_size_is_accepted(desk):
    room = 250_000 - 4 - 4 * (26 + 1)
    values = [Value(n, "B", bytes(room // 4)) for n in range(1, 5)]
    assert desk.put("88.118/x", *values).outcome is Outcome.SUCCESS
    assert len(desk.record("88.118/x").public) == 250_000
    values[0] = Value(1, "B", bytes(room // 4 + 1))
    assert "250001 bytes" in desk.put("88.118/x", *values).reason


def test_a_locked_value_does_not_keep_its_record_from_being_deleted(desk):
    assert desk.submit(command(DELETE, "88.118/old"), ADMIN).outcome is Outcome.SUCCESS
