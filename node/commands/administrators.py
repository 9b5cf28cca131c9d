"""Who administers a record: HS_ADMIN values and the groups (HS_VLIST) they name, and how names join and leave them.

Everything here turns values into values; reading and writing records is with the commands. A name is ``index:handle``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from node.asking.node import Kept
from protocols.errors import ProtocolError
from protocols.identifier import parse_identifier
from protocols.trust.claims import folded
from protocols.values.admin import PERMISSION_NAMES, Admin, decode_admin, encode_admin
from protocols.values.value import Reference, Value
from protocols.values.vlist import decode_vlist, encode_vlist
from registry.authority import GROUP_TYPE, MAX_GROUP_LEVELS, is_admin_value

FIRST_ADMIN_INDEX = 100
"""Where HS_ADMIN values stand by custom (Handle.Net manual)."""
MAX_SHOWN = 4096
"""Names listed of one record; as many as authority looks at."""


class Entry(NamedTuple):
    """One name with rights over a record."""

    place: str
    """The record whose HS_ADMIN it is."""
    index: int  # type: ignore[assignment]  # of that HS_ADMIN; tuple.index is not wanted here
    name: Reference
    permissions: int
    groups: tuple[Reference, ...] = ()
    """The groups in between, the outermost first."""


def permission_words(permissions: int) -> list[str]:
    """The rights by name, e.g. ``add_handle``."""
    return [word for word, bit in PERMISSION_NAMES.items() if permissions & bit]


def entries_of(place: str, values: Sequence[Value], read: Callable[[str], Kept]) -> Iterator[Entry]:
    """Everybody whom the record's HS_ADMIN values name, groups opened; ``read`` looks up other records."""
    count = 0
    for value in values:
        admin = _admin(value)
        if admin is None:
            continue
        start = Entry(place, value.index, Reference(admin.handle, admin.index), admin.permissions)
        for entry in _opened(start, read, place, values):
            count += 1
            if count > MAX_SHOWN:
                return
            yield entry


def same_name(one: Reference, other: Reference) -> bool:
    """Handles are compared without their case."""
    try:
        return one.index == other.index and folded(one.handle) == folded(other.handle)
    except ProtocolError:
        return one == other


def names_in(values: Iterable[Value]) -> list[tuple[Value, tuple[Reference, ...]]]:
    """Each HS_ADMIN and HS_VLIST with the names in it; what cannot be read names nobody."""
    found: list[tuple[Value, tuple[Reference, ...]]] = []
    for value in values:
        admin = _admin(value)
        if admin is not None:
            found.append((value, (Reference(admin.handle, admin.index),)))
        elif is_group(value):
            found.append((value, members_of(value)))
    return found


def names(values: Iterable[Value], name: Reference) -> bool:
    """Whether an HS_ADMIN or a group among the values names it."""
    return any(same_name(one, name) for _, listed in names_in(values) for one in listed)


def granted(values: Sequence[Value], name: Reference, permissions: int) -> Value | None:
    """The HS_ADMIN that gives the rights besides those it has; None when it has them all."""
    for value in values:
        admin = _admin(value)
        if admin is not None and same_name(Reference(admin.handle, admin.index), name):
            if admin.permissions & permissions == permissions:
                return None
            wider = admin._replace(permissions=admin.permissions | permissions)
            return value._replace(data=encode_admin(wider), timestamp=0)
    data = encode_admin(Admin(name.handle, name.index, permissions))
    return Value(free_index(values, FIRST_ADMIN_INDEX), "HS_ADMIN", data)


def joined(group: Value, name: Reference) -> Value | None:
    """The group with one member more; None when it is one."""
    members = members_of(group)
    if any(same_name(member, name) for member in members):
        return None
    return group._replace(data=encode_vlist([*members, name]), timestamp=0)


def without(values: Sequence[Value], name: Reference) -> tuple[list[Value], list[int]]:
    """Groups as they are without the name, and the indexes of HS_ADMIN values that name only it."""
    groups: list[Value] = []
    admins: list[int] = []
    for value, listed in names_in(values):
        left = [one for one in listed if not same_name(one, name)]
        if len(left) == len(listed):
            continue
        if is_admin_value(value):
            admins.append(value.index)
        else:
            groups.append(value._replace(data=encode_vlist(left), timestamp=0))
    return groups, admins


def beside(values: Sequence[Value], old: Reference, new: Reference) -> list[Value]:
    """What is to be added or replaced so that ``new`` has every right that ``old`` has."""
    changed: list[Value] = []
    have = list(values)
    for value, listed in names_in(values):
        if not any(same_name(one, old) for one in listed):
            continue
        admin = _admin(value)
        made = joined(value, new) if admin is None else granted(have, new, admin.permissions)
        if made is not None:
            changed.append(made)
            have = [one for one in have if one.index != made.index] + [made]
    return changed


def is_group(value: Value) -> bool:
    """Types match without case."""
    return value.type.upper() == GROUP_TYPE


def members_of(value: Value) -> tuple[Reference, ...]:
    """Of a group; none when it cannot be read."""
    try:
        return decode_vlist(value.data)
    except ProtocolError:
        return ()


def free_index(values: Iterable[Value], first: int) -> int:
    """The first index from ``first`` on at which nothing stands."""
    taken = {value.index for value in values}
    while first in taken:
        first += 1
    return first


def _opened(
    entry: Entry, read: Callable[[str], Kept], place: str, values: Sequence[Value]
) -> Iterator[Entry]:
    is_here = _is_handle(entry.name.handle, place)
    record = values if is_here else read(entry.name.handle).values
    group = next((v for v in record if v.index == entry.name.index and is_group(v)), None)
    if group is None or len(entry.groups) >= MAX_GROUP_LEVELS or entry.name in entry.groups:
        yield entry
        return
    for member in members_of(group):
        inner = entry._replace(name=member, groups=(*entry.groups, entry.name))
        yield from _opened(inner, read, place, values)


def _is_handle(one: str, other: str) -> bool:
    try:
        return parse_identifier(one).folded() == parse_identifier(other).folded()
    except ProtocolError:
        return False


def _admin(value: Value) -> Admin | None:
    if not is_admin_value(value):
        return None
    try:
        return decode_admin(value.data)
    except ProtocolError:
        return None
