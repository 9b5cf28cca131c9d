"""A trial run: says of every row what the registrar would make of it, and changes nothing."""

from collections import deque

from protocols.identifier import Identifier
from protocols.values.value_list import decode_values
from registry.loading import Load, LoadReceipt
from registry.stores.store import Reader


class Trial:
    """Takes loads like the registrar's client and answers from what is stored."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._answers: deque[LoadReceipt] = deque()

    def start_load(self, load: Load) -> None:
        """Decide now, answer later."""
        self._reader.refresh()
        statuses = bytes(self._status(load, suffix, values) for suffix, values in load.rows)
        self._reader.release()
        self._answers.append(LoadReceipt(statuses, {}, 0))

    def finish_load(self) -> LoadReceipt:
        """The oldest unanswered load's."""
        return self._answers.popleft()

    def _status(self, load: Load, suffix: bytes, values: bytes) -> int:
        record = self._reader.lookup(Identifier(load.prefix + b"/" + suffix, load.prefix, suffix))
        if record is None:
            return ord("r")
        there = [
            v._replace(timestamp=0) for v in decode_values(record.public) if v.index in load.indexes
        ]
        return ord("=") if tuple(there) == decode_values(values) else ord("u")
