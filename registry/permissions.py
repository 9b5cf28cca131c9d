"""Which administrator permission a command needs, and where (RFC 3651 §3.2.1; Handle.Net manual, "permissions").

Creating and deleting are matters of the prefix, or of the prefix above when the record is a prefix's own. Everything
else is judged by what would really change, value by value; HS_ADMIN values have permissions of their own. Whoever may
delete may also overwrite as a whole, new administrators apart, for which he needs to be allowed to create as well.
"""

from typing import NamedTuple

from protocols.identifier import Identifier, parent_prefix
from protocols.message import Command, Operation
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
from protocols.values.value import Value
from registry.authority import is_admin_value, prefix_record

_ABOUT_VALUES = {
    Operation.ADD: ADD_VALUE,
    Operation.MODIFY: MODIFY_VALUE,
    Operation.REMOVE: REMOVE_VALUE,
}
"""Needed even when nothing would change, or an outsider could ask what is there by trying."""

_TAKING = frozenset({Operation.HOST, Operation.DELEGATE})
_ABOUT_ADMINS = MODIFY_ADMIN | REMOVE_ADMIN | ADD_ADMIN
_HIDING = frozenset({Operation.HIDE, Operation.SHOW})
"""A matter of the prefix's own administrators: who may say who reads may say what the others learn."""


class Need(NamedTuple):
    """All of ``permissions`` over ``place``."""

    place: Identifier
    permissions: int


def needs_of(
    command: Command,
    is_present: bool,
    old: tuple[Value, ...],
    revised: tuple[Value, ...],
    *,
    is_known: bool = True,
) -> list[Need]:
    """Alternatives, any of which will do; none at all = only the operator may.

    ``is_known``: whether the prefix that the command is about was ever hosted or delegated here.
    """
    # Creating what is there already is refused later: to hear that, one needs to be allowed to create, no more.
    creates = command.operation is Operation.PUT and not (is_present and command.overwrite)
    if creates:
        return _over_whole(command.identifier, ADD_HANDLE, ADD_DERIVED_PREFIX)
    if command.operation in _TAKING:
        # What is there already is replaced as if it had been deleted before; a mere record that stays is not.
        is_replaced = is_present and (is_known or bool(command.values))
        gone = DELETE_DERIVED_PREFIX if is_replaced else 0
        return _over_whole(command.identifier, ADD_HANDLE, ADD_DERIVED_PREFIX | gone)
    if command.operation in _HIDING:
        return [Need(command.identifier, MODIFY_ADMIN)]
    if command.operation is Operation.UNHOST:
        return _over_whole(command.identifier, DELETE_HANDLE, DELETE_DERIVED_PREFIX)
    if command.operation is Operation.DELETE:
        return _over_whole(command.identifier, DELETE_HANDLE, DELETE_DERIVED_PREFIX)
    return _needs_for_values(command, old, revised)


def _needs_for_values(
    command: Command, old: tuple[Value, ...], revised: tuple[Value, ...]
) -> list[Need]:
    """Judged by what would change."""
    if command.operation is Operation.ADD and not command.overwrite:
        # To hear that an index is there already, one needs to be allowed to add, no more.
        return [Need(command.identifier, _bits_to_add_all(command.values))]
    bits = _bits_of_difference(command, old, revised) or _ABOUT_VALUES.get(command.operation, 0)
    needs = [Need(command.identifier, bits)]
    if command.operation is Operation.PUT:
        if not command.identifier.is_prefix_record:
            needs.append(Need(command.identifier, DELETE_HANDLE | bits & _ABOUT_ADMINS))
        needs += _over_whole(
            command.identifier,
            ADD_HANDLE | DELETE_HANDLE,
            ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX,
        )
    return needs


def _bits_to_add_all(values: tuple[Value, ...]) -> int:
    bits = 0
    for value in values:
        bits |= ADD_ADMIN if is_admin_value(value) else ADD_VALUE
    return bits


def _over_whole(identifier: Identifier, of_handle: int, of_prefix: int) -> list[Need]:
    if not identifier.is_prefix_record:
        return [Need(identifier, of_handle)]
    parent = parent_prefix(identifier.responsible_prefix)
    return [] if parent is None else [Need(prefix_record(parent), of_prefix)]


def _bits_of_difference(
    command: Command, old: tuple[Value, ...], revised: tuple[Value, ...]
) -> int:
    before = {value.index: value for value in old}
    after = {value.index: value for value in revised}
    mentioned = {value.index for value in command.values}
    bits = 0
    for index in before.keys() | after.keys():
        was, is_ = before.get(index), after.get(index)
        if was is None:
            bits |= _bits_to_add(after[index], command.operation)
        elif is_ is None:
            bits |= REMOVE_ADMIN if is_admin_value(was) else REMOVE_VALUE
        elif was != is_ or (index in mentioned and not was.is_public):
            # Sending a secret again counts as changing it, or one could find it out by trying.
            bits |= _bits_to_change(was, is_)
    return bits


def _bits_to_add(value: Value, operation: Operation) -> int:
    if is_admin_value(value):
        return ADD_ADMIN
    return MODIFY_VALUE if operation is Operation.MODIFY else ADD_VALUE


def _bits_to_change(was: Value, is_: Value) -> int:
    match is_admin_value(was), is_admin_value(is_):
        case True, True:
            return MODIFY_ADMIN
        case True, False:
            return REMOVE_ADMIN | MODIFY_VALUE
        case False, True:
            return ADD_ADMIN | MODIFY_VALUE
        case _:
            return MODIFY_VALUE
