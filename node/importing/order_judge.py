"""Order judge: what became of an order, from the registrar's receipt and what is stored."""

from protocols.errors import ProtocolError
from protocols.message import Command, Operation, Outcome, Receipt
from protocols.record import Record
from protocols.values.value import Value
from registry.errors import DamagedRecord
from registry.importing.rows import Fault
from registry.sealing import Sealer, by_index, merge
from registry.stores.store import Reader

REGISTERED, UPDATED, UNCHANGED, DELETED = b"ru=d"


class Judge:
    """``source``: what the feed says about this import's changes."""

    def __init__(self, reader: Reader, sealer: Sealer, source: str) -> None:
        self._reader, self._sealer, self._source = reader, sealer, source

    def verdict(self, command: Command, receipt: Receipt) -> int | Fault:
        """A status, or why it is rejected. What is there already as it was ordered is unchanged, not refused."""
        if receipt.outcome is Outcome.SUCCESS:
            if command.operation is Operation.DELETE:
                return DELETED
            if receipt.is_unchanged:
                return UNCHANGED
            return REGISTERED if receipt.was_created else UPDATED
        if receipt.outcome is Outcome.ALREADY_EXISTS and self.is_as_ordered(command):
            return UNCHANGED
        return Fault(receipt.outcome.value, receipt.reason, receipt.field)

    def first_verdict(self, command: Command, told_seq: int) -> int:
        """What a killed run would have been told of a creation that is now unchanged: the feed knows who made it."""
        record = self._reader.lookup(command.identifier)
        if record is None or record.seq <= told_seq:
            return UNCHANGED
        changes = self._reader.changes(record.seq - 1, limit=1)
        if not changes or changes[0].source != self._source:
            return UNCHANGED
        return REGISTERED if changes[0].version == 1 else UPDATED

    def is_empty(self, command: Command) -> bool:
        """Whether a record is there and has no values: homing a prefix makes such a one."""
        values = self._values_of(self._reader.lookup(command.identifier))
        return values == ()

    def release(self) -> None:
        """What was read need not stay as it was."""
        self._reader.release()

    def refresh(self) -> None:
        """See the newest commit."""
        self._reader.refresh()

    def is_as_ordered(self, command: Command) -> bool:
        """Whether everything is there already as a creation or a homing wants it."""
        if command.operation is Operation.HOST:
            authority = self._reader.authority(command.identifier.responsible_prefix)
            return authority is not None and not authority.is_delegated
        stored = self._values_of(self._reader.lookup(command.identifier))
        if command.operation is not Operation.PUT or stored is None:
            return False
        return len(stored) == len(command.values) and all(
            _is_same(wanted, found)
            for wanted, found in zip(by_index(command.values), stored, strict=True)
        )

    def _values_of(self, record: Record | None) -> tuple[Value, ...] | None:
        try:
            return None if record is None else merge(record, self._sealer)
        except (DamagedRecord, ProtocolError):
            return None


def _is_same(wanted: Value, found: Value) -> bool:
    """But for the timestamp, where none was ordered."""
    return wanted == (found if wanted.timestamp else found._replace(timestamp=0))
