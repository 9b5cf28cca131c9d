"""Adding, removing and modifying values, ops 102, 103, 104 (RFC 3652 §3.6.1-3.6.3)."""

from collections.abc import Sequence

from conformance.asking import FULL, command, remove, resolve
from conformance.check import Need, check
from conformance.clock import now_s
from conformance.expectations import expect_code, values_of
from conformance.native_messages import Exchange, Fields
from conformance.outcome import expect, expect_equal
from conformance.target import Account
from conformance.visit import Visit
from protocols.handle.administration import Done
from protocols.handle.codes import OVRW, OpCode, ResponseCode
from protocols.values.value import ADMIN_READ, PUBLIC_READ, Value

ADD, REMOVE, MODIFY = "RFC 3652 §3.6.1", "RFC 3652 §3.6.2", "RFC 3652 §3.6.3"
JAVA = "Handle.Net 9.2 server"
OLD, NEW = Value(1, "URL", b"https://example.org/old"), Value(1, "URL", b"https://example.org/new")
SECOND = Value(2, "EMAIL", b"a@example.org")
OVERWRITE = FULL._replace(flags=FULL.flags | OVRW)
CLOCKS_APART_S = 3600


def add(visit: Visit, name: bytes, *values: Value, fields: Fields = FULL) -> Exchange:
    """Op 102 by the administrator."""
    return command(visit.tcp(), visit.administrator, OpCode.ADD_VALUE, name, values, fields)


def modify(visit: Visit, name: bytes, *values: Value) -> Exchange:
    """Op 104 by the administrator."""
    return command(visit.tcp(), visit.administrator, OpCode.MODIFY_VALUE, name, values)


def take(visit: Visit, name: bytes, indexes: Sequence[int]) -> Exchange:
    """Op 103 by the administrator."""
    return remove(visit.tcp(), visit.administrator, name, indexes)


def expect_data(visit: Visit, name: bytes, *datas: bytes) -> None:
    """The record has these data (and its HS_ADMIN)."""
    came = values_of(resolve(visit.tcp(), name))
    expect_equal("data", list(datas), [v.data for v in came if v.type != "HS_ADMIN"])


def _write_protected(visit: Visit) -> tuple[Account, bytes]:
    """A record with such a value, and who administers it. Not the administrator: servers let theirs do everything."""
    who = visit.somebody()
    protected = OLD._replace(permissions=ADMIN_READ | PUBLIC_READ)
    return who, visit.make(protected, visit.admin_value(who, index=101))


@check("native.add.added", ADD, Need.TCP, Need.ADMIN)
def a_value_is_added(visit: Visit) -> None:
    """A value added to a handle is resolved beside the others; the answer has an empty body."""
    name = visit.make(OLD)
    came = expect_code(add(visit, name, SECOND), ResponseCode.SUCCESS)
    expect_equal("body", Done(), came.answer.body)
    expect_data(visit, name, OLD.data, SECOND.data)


@check("native.add.index-taken", ADD, Need.TCP, Need.ADMIN)
def a_taken_index_is_refused(visit: Visit) -> None:
    """Adding a value at an index that is taken is answered with RC 201, and nothing changes."""
    name = visit.make(OLD)
    expect_code(add(visit, name, SECOND, NEW), ResponseCode.VALUE_EXISTS)
    expect_data(visit, name, OLD.data)


@check("native.add.overwrites", "Handle.Net Technical Manual 9: OVRW", Need.TCP, Need.ADMIN)
def adding_overwrites_when_told(visit: Visit) -> None:
    """With the OVRW flag a value added at a taken index takes its place."""
    name = visit.make(OLD)
    expect_code(add(visit, name, NEW, fields=OVERWRITE), ResponseCode.SUCCESS)
    expect_data(visit, name, NEW.data)


@check("native.add.unknown-handle", ADD, Need.TCP, Need.ADMIN)
def nothing_is_added_to_unknown_handles(visit: Visit) -> None:
    """Adding a value to a handle that does not exist is answered with RC 100."""
    expect_code(add(visit, visit.free_name(), SECOND), ResponseCode.HANDLE_NOT_FOUND)


@check("native.add.index-zero", JAVA, Need.TCP, Need.ADMIN)
def index_zero_is_refused(visit: Visit) -> None:
    """Adding a value with index 0 is answered with RC 202."""
    name = visit.make(OLD)
    expect_code(add(visit, name, SECOND._replace(index=0)), ResponseCode.INVALID_VALUE)
    expect_data(visit, name, OLD.data)


@check("native.add.duplicate-index", JAVA, Need.TCP, Need.ADMIN)
def an_index_twice_is_refused(visit: Visit) -> None:
    """Two values with one index in an add are answered with RC 201 or 202, and nothing changes."""
    name = visit.make(OLD)
    came = add(visit, name, SECOND, SECOND._replace(data=b"other"))
    expect_code(came, ResponseCode.VALUE_EXISTS, ResponseCode.INVALID_VALUE)
    expect_data(visit, name, OLD.data)


@check("native.modify.modified", MODIFY, Need.TCP, Need.ADMIN)
def a_value_is_modified(visit: Visit) -> None:
    """A modified value is resolved with its new data; the others stay."""
    name = visit.make(OLD, SECOND)
    expect_code(modify(visit, name, NEW), ResponseCode.SUCCESS)
    expect_data(visit, name, NEW.data, SECOND.data)


@check("native.modify.missing-index", MODIFY, Need.TCP, Need.ADMIN)
def a_missing_index_is_not_modified(visit: Visit) -> None:
    """Modifying a value that does not exist is answered with RC 200, and nothing changes."""
    name = visit.make(OLD)
    expect_code(modify(visit, name, SECOND), ResponseCode.VALUES_NOT_FOUND)
    expect_data(visit, name, OLD.data)


@check("native.modify.all-or-nothing", JAVA, Need.TCP, Need.ADMIN)
def a_modification_is_all_or_nothing(visit: Visit) -> None:
    """When one of several values cannot be modified, none is."""
    name = visit.make(OLD)
    expect_code(modify(visit, name, NEW, SECOND), ResponseCode.VALUES_NOT_FOUND)
    expect_data(visit, name, OLD.data)


@check("native.modify.unknown-handle", MODIFY, Need.TCP, Need.ADMIN)
def values_of_unknown_handles_are_not_modified(visit: Visit) -> None:
    """Modifying values of a handle that does not exist is answered with RC 100."""
    expect_code(modify(visit, visit.free_name(), NEW), ResponseCode.HANDLE_NOT_FOUND)


@check("native.modify.type-and-ttl", MODIFY, Need.TCP, Need.ADMIN)
def type_and_ttl_are_modified(visit: Visit) -> None:
    """Type, TTL and permissions of a value are modified with its data."""
    name = visit.make(OLD)
    other = Value(1, "DESC", b"x", ttl=60, permissions=0b1111)
    expect_code(modify(visit, name, other), ResponseCode.SUCCESS)
    (came,) = values_of(resolve(visit.tcp(), name, indexes=(1,)))
    expect_equal("value", other, came._replace(timestamp=0))


@check("native.modify.timestamp-set", JAVA, Need.TCP, Need.ADMIN)
def modified_values_get_a_timestamp(visit: Visit) -> None:
    """A modified value gets the present time as its timestamp."""
    name = visit.make(OLD)
    expect_code(modify(visit, name, NEW), ResponseCode.SUCCESS)
    (came,) = values_of(resolve(visit.tcp(), name, indexes=(1,)))
    expect(abs(came.timestamp - now_s()) < CLOCKS_APART_S, f"about {now_s()}", came.timestamp)


@check(
    "native.modify.write-protected", "RFC 3651 §3.1: admin-write permission", Need.TCP, Need.ADMIN
)
def a_write_protected_value_is_not_modified(visit: Visit) -> None:
    """A value without the admin-write permission is not modified: RC 401."""
    who, name = _write_protected(visit)
    came = command(visit.tcp(), who, OpCode.MODIFY_VALUE, name, (NEW,))
    expect_code(came, ResponseCode.INSUFFICIENT_PERMISSIONS)
    expect_data(visit, name, OLD.data)


@check("native.remove.removed", REMOVE, Need.TCP, Need.ADMIN)
def a_value_is_removed(visit: Visit) -> None:
    """A removed value is gone; the others stay."""
    name = visit.make(OLD, SECOND)
    expect_code(take(visit, name, [1]), ResponseCode.SUCCESS)
    expect_data(visit, name, SECOND.data)


@check("native.remove.missing-index", JAVA, Need.TCP, Need.ADMIN)
def a_missing_index_is_not_removed(visit: Visit) -> None:
    """Removing a value that does not exist is answered with RC 200, or with success where that counts as done."""
    name = visit.make(OLD)
    came = take(visit, name, [77])
    expect_code(came, ResponseCode.VALUES_NOT_FOUND, ResponseCode.SUCCESS)
    expect_data(visit, name, OLD.data)


@check("native.remove.unknown-handle", REMOVE, Need.TCP, Need.ADMIN)
def values_of_unknown_handles_are_not_removed(visit: Visit) -> None:
    """Removing values of a handle that does not exist is answered with RC 100."""
    expect_code(take(visit, visit.free_name(), [1]), ResponseCode.HANDLE_NOT_FOUND)


@check(
    "native.remove.write-protected", "RFC 3651 §3.1: admin-write permission", Need.TCP, Need.ADMIN
)
def a_write_protected_value_is_not_removed(visit: Visit) -> None:
    """A value without the admin-write permission is not removed: RC 401."""
    who, name = _write_protected(visit)
    expect_code(remove(visit.tcp(), who, name, [1]), ResponseCode.INSUFFICIENT_PERMISSIONS)
    expect_data(visit, name, OLD.data)


@check("native.change.seen-at-once", MODIFY, Need.TCP, Need.UDP, Need.ADMIN)
def a_change_is_seen_at_once(visit: Visit) -> None:
    """Once a change is acknowledged, every question is answered with it, over UDP and on other connections too."""
    name = visit.make(OLD)
    other, udp = visit.tcp(), visit.udp()
    for client in (other, udp):
        expect_equal("data", OLD.data, values_of(resolve(client, name, indexes=(1,)))[0].data)
    expect_code(modify(visit, name, NEW), ResponseCode.SUCCESS)
    for client in (other, udp):
        expect_equal("data", NEW.data, values_of(resolve(client, name, indexes=(1,)))[0].data)
