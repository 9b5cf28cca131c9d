"""Visibility: which of a record's values a question gets to see (RFC 3651 §3.1, RFC 3652 §3.2.1).

* Asked for public values only, the answer is made from the public list; the sealed part is not even opened.
* Otherwise every selected value that is not public needs the permission of authorised read. One that is selected and
  may not be seen refuses the whole question, so that an answer is never silently incomplete.
* A value that neither the public nor administrators may read is shown to the operator alone.

Below a private prefix, whoever may not read gets no answer that depends on more than public values: a record without
any is absent, and every question for more is refused in the same words, whether the record is there or not.
"""

from protocols.message import Answer, Outcome, Query
from protocols.record import Record
from protocols.values.value import ADMIN_READ, Value
from protocols.values.value_list import decode_values, select
from resolver.source import LocalRecords

NAME = "visibility"

_NOTHING_SELECTED = "the identifier exists, but it has no value that was asked for"
_REFUSALS = {
    Outcome.AUTHENTICATION_NEEDED: "a value asked for is shown to administrators only",
    Outcome.NOT_ADMINISTRATOR: "a value asked for is shown to administrators only; {who} is not one",
    Outcome.PERMISSION_DENIED: "a value asked for needs a permission to read that {who} has not",
}
_PRIVATE_REFUSALS = {
    Outcome.AUTHENTICATION_NEEDED: "the prefix is private: more than public values needs a login",
    Outcome.PERMISSION_DENIED: "the prefix is private: {who} may ask for public values only",
}


def visible_answer(query: Query, record: Record, records: LocalRecords) -> Answer:
    """The selected values, sorted by index, or why they are not shown."""
    chosen = select(decode_values(record.public), query.indexes, query.types)
    if not query.public_only and record.sealed:
        hidden = select(records.nonpublic(record), query.indexes, query.types)
        if hidden:
            outcome = _verdict(query, hidden, records)
            if outcome is not Outcome.SUCCESS:
                return _refused(outcome, query)
            chosen = sorted((*chosen, *hidden), key=_index)
    if not chosen:
        return Answer(
            Outcome.VALUES_NOT_FOUND,
            version=record.version,
            modified_s=record.modified_s,
            reason=_NOTHING_SELECTED,
        )
    return Answer(Outcome.SUCCESS, tuple(chosen), record.version, record.modified_s)


def refused_alike(outcome: Outcome, query: Query) -> Answer:
    """The refusal below a private prefix, of a question for more than public values by one who may not read."""
    if outcome is not Outcome.AUTHENTICATION_NEEDED:
        outcome = Outcome.PERMISSION_DENIED
    reason = _PRIVATE_REFUSALS[outcome].format(who=query.principal.name)
    return Answer(outcome, reason=f"{reason} (stage: {NAME})")


def _verdict(query: Query, hidden: list[Value], records: LocalRecords) -> Outcome:
    outcome = records.may_read(query.principal, query.identifier)
    if outcome is not Outcome.SUCCESS or query.principal.is_operator:
        return outcome
    is_readable = all(value.permissions & ADMIN_READ for value in hidden)
    return Outcome.SUCCESS if is_readable else Outcome.PERMISSION_DENIED


def _refused(outcome: Outcome, query: Query) -> Answer:
    who = query.principal.name
    reason = _REFUSALS.get(outcome, "a value asked for may not be shown").format(who=who)
    return Answer(outcome, reason=f"{reason} (stage: {NAME})")


def _index(value: Value) -> int:
    return value.index
