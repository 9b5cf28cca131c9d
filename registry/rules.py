"""RULES: everything a command must satisfy before it changes a record, in the order in which it is asked.

Each rule looks at (principal, command, record, context) and returns None or a ``Reject`` that says what, where and why.
The order is policy too: form comes first, because it depends on nothing; then authority, so that a stranger learns
nothing about what is stored; then the state the record is in. The name of the rule that refused stands in the receipt's
reason.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import MAX_PREFIX_BYTES, PREFIX_AUTHORITY, read_identifier
from protocols.message import Command, Operation, Outcome, Principal
from protocols.record import Record
from protocols.values.value import ADMIN_WRITE, Value
from protocols.values.value_list import MAX_RECORD_BYTES, MAX_VALUES
from registry.delegation import is_site_value, sites_in
from registry.holdings import Holdings
from registry.overlay import Overlay
from registry.permissions import Need, needs_of
from registry.revision import revise, size_of
from registry.stores.store import ABOUT_PREFIXES
from registry.value_rules import flaw_of

MAX_REQUEST_ID_BYTES = 256
"""A UUID has 36; room for clients that name file and line."""

CONTROL_BYTES = re.compile(rb"[\x00-\x1f\x7f]|\xc2[\x80-\x9f]")
"""Control characters as UTF-8: no printable name has them (RFC 3651 §2), and they break every list and log."""

VALUE_COUNT_BYTES = 4
"""The count in front of a value list."""


class Reject(NamedTuple):
    """Why a command is refused."""

    outcome: Outcome
    reason: str
    field: str = ""
    """Where in the command, e.g. ``values[1].data``."""


class Context:
    """What a rule may know besides its arguments: the state the command meets, and what it would make of it."""

    __slots__ = ("_revised", "command", "holdings", "now_s", "old", "overlay")

    def __init__(
        self, command: Command, record: Record | None, holdings: Holdings, overlay: Overlay
    ) -> None:
        self.command = command
        self.holdings = holdings
        self.overlay = overlay
        self.now_s = overlay.time_ms // 1000
        self.old: tuple[Value, ...] = () if record is None else holdings.all_values(record)
        self._revised: tuple[Value, ...] | None = None

    @property
    def revised(self) -> tuple[Value, ...]:
        """The record's values after the command; meaningful once the rules of form have passed."""
        if self._revised is None:
            self._revised = revise(self.command, self.old, self.now_s)
        return self._revised


Check = Callable[[Principal, Command, Record | None, Context], Reject | None]


class Rule(NamedTuple):
    """One line of the table."""

    name: str
    check: Check


def first_reject(
    principal: Principal, command: Command, record: Record | None, context: Context
) -> Reject | None:
    """The verdict of the first rule that refuses, its name added to the reason; None when all agree.

    ``record`` is the live record, None when absent or deleted.
    """
    for rule in RULES:
        reject = rule.check(principal, command, record, context)
        if reject is not None:
            return reject._replace(reason=f"{reject.reason} (rule: {rule.name})")
    return None


# ------------------------------------------------------------------------------------------------- form


def _identifier(_: Principal, command: Command, __: Record | None, ___: Context) -> Reject | None:
    identifier, reason = command.identifier, ""
    try:
        if read_identifier(identifier.spelling) != identifier:
            reason = "prefix and suffix are not those of the spelling"
    except ProtocolError as error:
        reason = str(error)
    if not reason and CONTROL_BYTES.search(identifier.spelling):
        reason = "the identifier contains a control character"
    if not reason and identifier.is_prefix_record:
        if b"/" in identifier.suffix or not all(identifier.suffix.split(b".")):
            reason = "a prefix is made of labels with dots between them; none is empty or has a '/'"
        elif len(identifier.suffix) > MAX_PREFIX_BYTES:
            size = len(identifier.suffix)
            reason = f"the prefix has {size} bytes, at most {MAX_PREFIX_BYTES} are allowed"
    return Reject(Outcome.INVALID_IDENTIFIER, reason, "identifier") if reason else None


def _request_id(_: Principal, command: Command, __: Record | None, ___: Context) -> Reject | None:
    size = len(command.request_id.encode(errors="replace"))
    if size <= MAX_REQUEST_ID_BYTES and command.request_id.isprintable():
        return None
    reason = f"a request id is printable text of at most {MAX_REQUEST_ID_BYTES} bytes"
    return Reject(Outcome.PROTOCOL_ERROR, reason, "request_id")


def _arguments(_: Principal, command: Command, __: Record | None, ___: Context) -> Reject | None:
    match command.operation:
        case Operation.PUT | Operation.ADD | Operation.MODIFY | Operation.DELEGATE if (
            not command.values
        ):
            return Reject(Outcome.INVALID_VALUE, "there is no value to register", "values")
        case Operation.REMOVE if not command.indexes:
            return Reject(Outcome.INVALID_VALUE, "there is no index to remove", "indexes")
    if command.operation in ABOUT_PREFIXES:
        if not command.identifier.is_prefix_record:
            reason = "only a prefix can be hosted or delegated, and this identifier has a suffix"
            return Reject(Outcome.INVALID_IDENTIFIER, reason, "identifier")
        if command.identifier.responsible_prefix == PREFIX_AUTHORITY:
            reason = "0.NA is where prefixes are registered; every node has it, and nobody hosts it"
            return Reject(Outcome.INVALID_IDENTIFIER, reason, "identifier")
    return None


def _values(_: Principal, command: Command, __: Record | None, ___: Context) -> Reject | None:
    if len(command.values) > MAX_VALUES:
        reason = f"{len(command.values)} values, at most {MAX_VALUES} are allowed"
        return Reject(Outcome.INVALID_VALUE, reason, "values")
    seen: set[int] = set()
    for at, value in enumerate(command.values):
        flaw = flaw_of(value)
        if flaw is not None:
            return Reject(Outcome.INVALID_VALUE, flaw.reason, f"values[{at}].{flaw.field}")
        if value.index in seen:
            reason = f"index {value.index} occurs twice"
            return Reject(Outcome.VALUE_EXISTS, reason, f"values[{at}].index")
        seen.add(value.index)
    return None


def _hosted(
    principal: Principal, command: Command, _: Record | None, context: Context
) -> Reject | None:
    identifier, holdings = command.identifier, context.holdings
    if identifier.is_prefix_record or holdings.hosts(identifier.prefix):
        return None
    reason = f"prefix {identifier.prefix.decode()} is not hosted by this node"
    if holdings.delegation(identifier.prefix) is not None:
        # Beforehand, so that nothing is missing at the moment when responsibility is taken back.
        if holdings.keeps_unseen(identifier.prefix) and holdings.is_operator(principal):
            return None
        reason += " but delegated; it is registered there"
    return Reject(Outcome.NOT_RESPONSIBLE, reason, "identifier")


# -------------------------------------------------------------------------------------------- authority


def _authenticated(
    principal: Principal, _: Command, __: Record | None, ___: Context
) -> Reject | None:
    if principal.is_operator or principal.handle:
        return None
    return Reject(Outcome.AUTHENTICATION_NEEDED, "a change needs the identity of an administrator")


def _administrator(
    principal: Principal, command: Command, record: Record | None, context: Context
) -> Reject | None:
    if context.holdings.is_operator(principal):
        return None
    refusal = Outcome.NOT_ADMINISTRATOR
    for need in _needs(command, record, context):
        outcome = context.holdings.may(principal, need.place, need.permissions)
        if outcome is Outcome.SUCCESS:
            return None
        if outcome is Outcome.PERMISSION_DENIED:
            refusal = outcome
    what = f"{command.operation.value} {command.identifier.text}"
    if refusal is Outcome.NOT_ADMINISTRATOR:
        return Reject(refusal, f"{principal.name} is not an administrator for: {what}")
    return Reject(refusal, f"{principal.name} administers here, without the permission to: {what}")


def _needs(command: Command, record: Record | None, context: Context) -> list[Need]:
    is_present, is_known = record is not None, _is_known(command, context)
    return needs_of(command, is_present, context.old, context.revised, is_known=is_known)


def _is_known(command: Command, context: Context) -> bool:
    """Whether the prefix was ever hosted or delegated here."""
    return context.overlay.authority(command.identifier.responsible_prefix) is not None


def _changeable(
    principal: Principal, command: Command, _: Record | None, context: Context
) -> Reject | None:
    if command.operation is Operation.DELETE:
        return None  # of a record as a whole; the permission to delete it is enough
    kept = {value.index: value for value in context.revised}
    for value in context.old:
        if value.permissions & ADMIN_WRITE or kept.get(value.index) == value:
            continue
        if context.holdings.is_operator(principal):
            return None
        reason = f"the value at index {value.index} does not let administrators change it"
        return Reject(Outcome.PERMISSION_DENIED, reason, _field_of(command, value.index))
    return None


def _field_of(command: Command, index: int) -> str:
    for at, value in enumerate(command.values):
        if value.index == index:
            return f"values[{at}]"
    return f"indexes[{command.indexes.index(index)}]" if index in command.indexes else ""


# ------------------------------------------------------------------------------------------------ state


def _version(_: Principal, command: Command, record: Record | None, __: Context) -> Reject | None:
    expected, found = command.expect_version, 0 if record is None else record.version
    if expected is None or expected == found:
        return None
    is_at = f"is at version {found}" if found else "does not exist"
    wanted = f"at version {expected}" if expected else "absent"
    reason = f"the record {is_at}, the command expects it {wanted}"
    return Reject(Outcome.VERSION_CONFLICT, reason, "expect_version")


def _presence(
    _: Principal, command: Command, record: Record | None, context: Context
) -> Reject | None:
    name = command.identifier.text
    match command.operation:
        case Operation.HOST:
            prefix = command.identifier.responsible_prefix
            if record is not None and context.holdings.hosts(prefix):
                return Reject(Outcome.ALREADY_EXISTS, f"{name} is hosted already", "identifier")
        case Operation.DELEGATE:
            pass
        case Operation.PUT:
            if record is not None and not command.overwrite:
                reason = f"{name} exists, and the command does not overwrite"
                return Reject(Outcome.ALREADY_EXISTS, reason, "identifier")
        case _:
            if record is None:
                return Reject(Outcome.NOT_FOUND, f"{name} does not exist", "identifier")
            if command.operation in ABOUT_PREFIXES and not _is_known(command, context):
                reason = f"{name} is a record and no more: its prefix was never hosted here"
                return Reject(Outcome.NOT_RESPONSIBLE, reason, "identifier")
    return None


def _presence_of_values(
    _: Principal, command: Command, __: Record | None, context: Context
) -> Reject | None:
    present = {value.index for value in context.old}
    match command.operation:
        case Operation.ADD if not command.overwrite:
            for at, value in enumerate(command.values):
                if value.index in present:
                    reason = f"index {value.index} exists, and the command does not overwrite"
                    return Reject(Outcome.VALUE_EXISTS, reason, f"values[{at}].index")
        case Operation.MODIFY:
            for at, value in enumerate(command.values):
                if value.index not in present:
                    reason = f"there is no value at index {value.index} to modify"
                    return Reject(Outcome.VALUES_NOT_FOUND, reason, f"values[{at}].index")
        case Operation.REMOVE:
            for at, index in enumerate(command.indexes):
                if index not in present:
                    reason = f"there is no value at index {index} to remove"
                    return Reject(Outcome.VALUES_NOT_FOUND, reason, f"indexes[{at}]")
        case _:
            pass
    return None


def _case_rule(
    _: Principal, command: Command, __: Record | None, context: Context
) -> Reject | None:
    if command.operation not in (Operation.HOST, Operation.DELEGATE):
        return None
    authority = context.overlay.authority(command.identifier.responsible_prefix)
    if authority is None or authority.is_case_sensitive == command.case_sensitive:
        return None
    is_bare = command.operation is Operation.DELEGATE or not command.values
    if is_bare and not command.case_sensitive:
        return None  # it is not about the case rule, which stays
    was = "case-sensitive" if authority.is_case_sensitive else "case-insensitive"
    reason = f"the prefix was {was} when it was hosted before, and that is fixed for ever"
    return Reject(Outcome.ALREADY_EXISTS, reason, "case_sensitive")


def _delegation(
    _: Principal, command: Command, __: Record | None, context: Context
) -> Reject | None:
    """The record of a delegated prefix always says where to go, or nobody could find what is below it."""
    if not _leaves_delegated(command, context) or sites_in(context.revised):
        return None
    named = (at for at, value in enumerate(command.values) if is_site_value(value))
    field = next((f"values[{at}].data" for at in named), "indexes" if command.indexes else "values")
    reason = (
        "a delegated prefix needs a publicly readable HS_SITE with a server that takes questions"
    )
    return Reject(Outcome.INVALID_VALUE, reason, field)


_LEAVING = (Operation.HOST, Operation.UNHOST, Operation.DELETE)


def _leaves_delegated(command: Command, context: Context) -> bool:
    """Whether the command leaves the record of a delegated prefix behind."""
    operation = command.operation
    if operation in _LEAVING or not command.identifier.is_prefix_record:
        return False
    if operation is Operation.DELEGATE:
        return True
    authority = context.overlay.authority(command.identifier.responsible_prefix)
    return authority is not None and authority.is_delegated


def _unoccupied(
    _: Principal, command: Command, __: Record | None, context: Context
) -> Reject | None:
    if command.operation is not Operation.DELETE or not command.identifier.is_prefix_record:
        return None
    prefix = command.identifier.responsible_prefix
    # What lies below 0.NA are the records of other prefixes, which do not depend on the record of 0.NA itself.
    count = 0 if prefix == PREFIX_AUTHORITY else context.overlay.count(prefix)
    if not count:
        return None
    reason = f"{count} identifiers are registered below {prefix.decode()}; delete them first"
    return Reject(Outcome.ALREADY_EXISTS, reason, "identifier")


def _record_size(_: Principal, __: Command, ___: Record | None, context: Context) -> Reject | None:
    values = context.revised
    if len(values) > MAX_VALUES:
        reason = f"the record would have {len(values)} values, at most {MAX_VALUES} are allowed"
        return Reject(Outcome.INVALID_VALUE, reason, "values")
    size = VALUE_COUNT_BYTES + sum(map(size_of, values))
    if size > MAX_RECORD_BYTES:
        reason = f"the record would have {size} bytes, at most {MAX_RECORD_BYTES} are allowed"
        return Reject(Outcome.INVALID_VALUE, reason, "values")
    return None


RULES: tuple[Rule, ...] = (
    Rule("identifier", _identifier),
    Rule("request-id", _request_id),
    Rule("arguments", _arguments),
    Rule("values", _values),
    Rule("hosted", _hosted),
    Rule("authenticated", _authenticated),
    Rule("administrator", _administrator),
    Rule("changeable", _changeable),
    Rule("version", _version),
    Rule("presence", _presence),
    Rule("presence-of-values", _presence_of_values),
    Rule("case-rule", _case_rule),
    Rule("delegation", _delegation),
    Rule("unoccupied", _unoccupied),
    Rule("record-size", _record_size),
)
