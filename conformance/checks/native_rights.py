"""Who may do what: HS_ADMIN and its bits, groups, RC 400 against RC 401 (RFC 3651 §3.2.1, §3.2.7)."""

from collections.abc import Callable
from typing import NamedTuple

from conformance.asking import command, remove, resolve
from conformance.check import Check, Need, add, check
from conformance.expectations import expect_code, values_of
from conformance.native_messages import Exchange
from conformance.outcome import expect_equal
from conformance.target import Account
from conformance.visit import ADMIN_INDEX, KEY_INDEX, Visit
from protocols.handle.codes import OpCode, ResponseCode
from protocols.values import admin as bits
from protocols.values.value import Reference, Value
from protocols.values.vlist import encode_vlist

BITS = "RFC 3651 §3.2.1; Handle.Net 9.2 server"
GROUPS = "RFC 3651 §3.2.7"
OWN_ADMIN_INDEX = 101
OLD, NEW = Value(1, "URL", b"https://example.org/old"), Value(1, "URL", b"https://example.org/new")
SECOND = Value(2, "EMAIL", b"a@example.org")


class _Right(NamedTuple):
    """One bit and a command that needs it."""

    name: str
    bit: int
    act: str
    """What the command does, as part of a sentence."""
    run: Callable[[Visit, Account, bytes], Exchange]


def _add(visit: Visit, who: Account, name: bytes) -> Exchange:
    return command(visit.tcp(), who, OpCode.ADD_VALUE, name, (SECOND,))


def _modify(visit: Visit, who: Account, name: bytes) -> Exchange:
    return command(visit.tcp(), who, OpCode.MODIFY_VALUE, name, (NEW,))


def _remove(visit: Visit, who: Account, name: bytes) -> Exchange:
    return remove(visit.tcp(), who, name, [1])


def _delete(visit: Visit, who: Account, name: bytes) -> Exchange:
    return command(visit.tcp(), who, OpCode.DELETE, name)


def _add_admin(visit: Visit, who: Account, name: bytes) -> Exchange:
    return command(visit.tcp(), who, OpCode.ADD_VALUE, name, (visit.admin_value(who, index=102),))


def _modify_admin(visit: Visit, who: Account, name: bytes) -> Exchange:
    value = visit.admin_value(permissions=bits.ADD_VALUE)
    return command(visit.tcp(), who, OpCode.MODIFY_VALUE, name, (value,))


def _remove_admin(visit: Visit, who: Account, name: bytes) -> Exchange:
    return remove(visit.tcp(), who, name, [ADMIN_INDEX])


_RIGHTS = (
    _Right("add-value", bits.ADD_VALUE, "adds a value", _add),
    _Right("modify-value", bits.MODIFY_VALUE, "modifies a value", _modify),
    _Right("remove-value", bits.REMOVE_VALUE, "removes a value", _remove),
    _Right("delete-handle", bits.DELETE_HANDLE, "deletes the handle", _delete),
    _Right("add-admin", bits.ADD_ADMIN, "adds an HS_ADMIN value", _add_admin),
    _Right("modify-admin", bits.MODIFY_ADMIN, "modifies an HS_ADMIN value", _modify_admin),
    _Right("remove-admin", bits.REMOVE_ADMIN, "removes an HS_ADMIN value", _remove_admin),
)


def _managed_by(visit: Visit, who: Account, permissions: int) -> bytes:
    """A record that ``who`` administers with these bits only."""
    return visit.make(OLD, visit.admin_value(who, permissions, OWN_ADMIN_INDEX))


def _try_right(visit: Visit, right: _Right) -> None:
    """Without the bit 401 and nothing happens, with it success."""
    who = visit.somebody()
    name = _managed_by(visit, who, bits.ALL_PERMISSIONS & ~right.bit)
    before = values_of(resolve(visit.tcp(), name))
    expect_code(right.run(visit, who, name), ResponseCode.INSUFFICIENT_PERMISSIONS)
    expect_equal("values", before, values_of(resolve(visit.tcp(), name)))
    name = _managed_by(visit, who, right.bit)
    expect_code(right.run(visit, who, name), ResponseCode.SUCCESS)


for _each in _RIGHTS:
    add(
        Check(
            f"native.rights.{_each.name}",
            f"An administrator of a handle {_each.act} with the bit {_each.bit:#05x} of HS_ADMIN alone, "
            "and gets RC 401 with all other bits.",
            BITS,
            frozenset({Need.TCP, Need.ADMIN}),
            lambda visit, right=_each: _try_right(visit, right),  # type: ignore[misc]
        )
    )


@check("native.rights.stranger", BITS, Need.TCP, Need.ADMIN)
def a_stranger_is_no_administrator(visit: Visit) -> None:
    """Somebody whom no HS_ADMIN of the handle names gets RC 400, not 401, and nothing changes."""
    name = visit.make(OLD)
    expect_code(_modify(visit, visit.somebody(), name), ResponseCode.NOT_ADMINISTRATOR)
    (came,) = values_of(resolve(visit.tcp(), name, indexes=(1,)))
    expect_equal("data", OLD.data, came.data)


@check("native.rights.other-index", BITS, Need.TCP, Need.ADMIN)
def another_index_is_another_administrator(visit: Visit) -> None:
    """An HS_ADMIN names one key of a handle: who proves another key of the same handle gets RC 400."""
    who = visit.somebody()
    named = Account(who.handle, KEY_INDEX + 1, who.secret)
    name = visit.make(OLD, visit.admin_value(named, index=OWN_ADMIN_INDEX))
    expect_code(_modify(visit, who, name), ResponseCode.NOT_ADMINISTRATOR)


@check("native.rights.index-zero-means-any", "Handle.Net 9.2 server: index 0", Need.TCP, Need.ADMIN)
def index_zero_means_any_key(visit: Visit) -> None:
    """An HS_ADMIN with index 0 means every key of that handle."""
    who = visit.somebody()
    named = Account(who.handle, 0, who.secret)
    name = visit.make(OLD, visit.admin_value(named, index=OWN_ADMIN_INDEX))
    expect_code(_modify(visit, who, name), ResponseCode.SUCCESS)


@check("native.rights.group-member", GROUPS, Need.TCP, Need.ADMIN)
def a_member_of_a_group_is_an_administrator(visit: Visit) -> None:
    """An HS_ADMIN that names an HS_VLIST means every member of that group."""
    who = visit.somebody()
    group = _make_group(visit, who)
    name = visit.make(OLD, visit.admin_value(group, index=OWN_ADMIN_INDEX))
    expect_code(_modify(visit, who, name), ResponseCode.SUCCESS)


@check("native.rights.group-in-group", GROUPS, Need.TCP, Need.ADMIN)
def groups_may_nest(visit: Visit) -> None:
    """A member of a group that is itself a member of the named group is an administrator."""
    who = visit.somebody()
    outer = _make_group(visit, _make_group(visit, who))
    name = visit.make(OLD, visit.admin_value(outer, index=OWN_ADMIN_INDEX))
    expect_code(_modify(visit, who, name), ResponseCode.SUCCESS)


@check("native.rights.no-member", GROUPS, Need.TCP, Need.ADMIN)
def who_is_not_in_the_group_is_a_stranger(visit: Visit) -> None:
    """Who is not a member of the named group gets RC 400; a group that names itself ends nobody's patience."""
    who = visit.somebody()
    name = visit.new_name("-group")
    own = Account(name, 200)
    group = _make_group(visit, visit.administrator, own, name=name)
    record = visit.make(OLD, visit.admin_value(group, index=OWN_ADMIN_INDEX))
    expect_code(_modify(visit, who, record), ResponseCode.NOT_ADMINISTRATOR)


def _make_group(visit: Visit, *members: Account, name: bytes | None = None) -> Account:
    """An HS_VLIST; as an account, because it can stand where one is named."""
    references = [Reference(member.handle.decode(), member.index) for member in members]
    value = Value(200, "HS_VLIST", encode_vlist(references))
    if name is None:
        return Account(visit.make(value, more="-group"), 200)
    visit.make_named(name, (value, visit.admin_value()))
    return Account(name, 200)
