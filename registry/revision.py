"""Revision: the next version of a record. Pure: old values and a command in, new values and the record out."""

from collections.abc import Iterable

from protocols.message import Command, Operation
from protocols.record import NO_VALUES, Record
from protocols.values.value import LEAST_VALUE_BYTES, TTL_ABSOLUTE, Value
from protocols.values.value_list import encode_values, least_ttl_s
from registry.sealing import Sealer, by_index, content_digest


def revise(command: Command, old: tuple[Value, ...], now_s: int) -> tuple[Value, ...]:
    """The values after the command, sorted by index; ``old`` itself when nothing but times would change.

    A value with no timestamp gets ``now_s``; one whose content stays as it was keeps the time it had.
    """
    before = {value.index: value for value in old}
    wanted = {value.index: value for value in _wanted(command, old)}
    new = by_index(_dated(value, before.get(value.index), now_s) for value in wanted.values())
    return old if new == old else new


def _wanted(command: Command, old: tuple[Value, ...]) -> Iterable[Value]:
    """What shall be there; of two values with one index the later counts."""
    match command.operation:
        case Operation.PUT | Operation.DELEGATE:
            return command.values
        case Operation.HOST:
            return command.values or old
        case Operation.ADD | Operation.MODIFY:
            return (*old, *command.values)
        case Operation.REMOVE:
            gone = frozenset(command.indexes)
            return (value for value in old if value.index not in gone)
        case Operation.DELETE:
            return ()
        case Operation.UNHOST | Operation.HIDE | Operation.SHOW:
            return old


def _dated(value: Value, old: Value | None, now_s: int) -> Value:
    if old is not None and value.same_content(old):
        return old
    return value if value.timestamp else value._replace(timestamp=now_s)


def fill(blank: Record, values: Iterable[Value], sealer: Sealer) -> tuple[Record, bytes]:
    """The record with these values, sorted by index, and its content digest.

    ``blank`` says whose record it is and which version, number and time it has.
    """
    values = tuple(values)
    public = [value for value in values if value.is_public]
    secrets = tuple(value for value in values if not value.is_public)
    blob = encode_values(public)
    record = blank._replace(
        least_ttl_s=least_ttl_s(public),
        public=blob,
        sealed=sealer.seal(secrets, blank.key, blank.version),
        has_absolute_ttl=any(value.ttl_type == TTL_ABSOLUTE for value in public),
    )
    return record, content_digest(blob, secrets, sealer, blank.key)


def make_tombstone(old: Record, seq: int, now_s: int, sealer: Sealer) -> tuple[Record, bytes]:
    """What a deleted record leaves: its version, which goes on counting, and nothing else."""
    version = old.version + 1
    record = Record(
        old.key, old.spelling, version, seq, now_s, least_ttl_s(()), NO_VALUES, is_deleted=True
    )
    return record, content_digest(NO_VALUES, (), sealer, old.key)


def size_of(value: Value) -> int:
    """Bytes of one value on the wire; its texts must be encodable."""
    size = LEAST_VALUE_BYTES + len(value.type.encode()) + len(value.data)
    return size + sum(8 + len(reference.handle.encode()) for reference in value.references)
