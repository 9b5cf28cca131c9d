"""One run of an import: rows are read and checked here while the registrar commits those before them.

Two loads are on their way at a time, so both processes work. Every load carries the resume point in its own
transaction (registry/importing/resume.py says why it knows two positions). Counting and reject file follow the
receipts, in file order, so both are the same however often a run was killed.
"""

import os
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from node.importing.reject_file import RejectFile
from node.importing.source import Source
from protocols.identifier import Identifier
from protocols.message import OPERATOR
from registry.importing.mapping import Mapping
from registry.importing.preparing import Batch, Preparer, Reject, reject
from registry.importing.resume import ResumePoint, encode_resume_point
from registry.importing.rows import Block, Fault
from registry.importing.tally import Tally
from registry.loading import MAX_LOAD_ROWS, Load, LoadReceipt
from registry.stores.store import Note, Reader

LOADS_AHEAD = 2
"""One is committed while the next waits in the socket; more would only be memory."""
LOAD_ROWS = 5_000
"""Rows of a load until the registrar asks for another number: some 50 ms of its time, so that commands get a turn."""
LEAST_LOAD_ROWS = 256
"""Below this the durable commit would cost more than its rows."""
SHOWN_REJECTS = 5
"""Refused rows kept for the summary on the screen."""


class Loader(Protocol):
    """Where the rows go: the registrar, or a trial that changes nothing."""

    def start_load(self, load: Load) -> None:
        """Send a load without waiting."""

    def finish_load(self) -> LoadReceipt:
        """What became of the oldest unfinished one."""


class Plan(NamedTuple):
    """What is to be done, worked out before anything is written."""

    source: Source
    mapping: Mapping
    preparer: Preparer
    note: bytes
    """Name of the resume note."""

    @property
    def feed_source(self) -> str:
        """What the feed says about where these changes came from."""
        name = os.fsencode(self.source.path.name)  # any bytes; the feed is text
        return f"import {name.decode(errors='backslashreplace')}"


Pace = Callable[[], int]
"""How many rows a load should have now."""
OnProgress = Callable[[Tally, int], None]
"""What is told so far, and how many bytes of the file are read."""


class _Sent(NamedTuple):
    """A batch on its way; ``has_load`` is False when none of its rows were good."""

    batch: Batch
    block: Block
    first_row: int
    has_load: bool


class Run:
    """Make one and ``finish`` it; ``tally`` says what came of it."""

    def __init__(
        self, plan: Plan, loader: Loader, reader: Reader, rejects: RejectFile, start: ResumePoint
    ) -> None:
        """``start``: the point an interrupted run left, or ``first_point``."""
        self._plan, self._loader, self._reader, self._rejects = plan, loader, reader, rejects
        self._resumed = start
        self.tally = start.tally
        self._told_seq = start.told_seq
        self._read = 0
        self._on_way: deque[_Sent] = deque()
        self.shown: list[Reject] = []
        """The first refused rows of this run, for people."""

    def finish(self, on_progress: OnProgress, pace: Pace) -> None:
        """To the end of the file. The resume note stays until ``forget``, so that a death before the report costs
        nothing: the same command tells it all again."""
        for stretch in self._plan.source.stretches(pace):
            block, position = stretch.block, stretch.start
            while position < len(block.rows):
                batch = self._plan.preparer.prepare(block, position, self._rows_due(pace()))
                position = batch.end
                if self._read < self._resumed.tally.read:
                    self._read += (
                        batch.read
                    )  # told by the run before this one; now remembered as seen
                else:
                    self._send(batch, block)
                    self._tell_down_to(LOADS_AHEAD)
                    on_progress(self.tally, stretch.bytes_read)
        self._tell_down_to(0)
        self._rejects.close()

    def forget(self) -> None:
        """Take the resume note away, now that the outcome is reported."""
        self._load([], b"")
        self._loader.finish_load()

    def _rows_due(self, wanted: int) -> int:
        """Rows of the next batch; a resumed run's batches must meet the row where the told ones end."""
        wanted = max(LEAST_LOAD_ROWS, min(wanted, MAX_LOAD_ROWS))
        told = self._resumed.tally.read - self._read
        return min(wanted, told) if told > 0 else wanted

    def _send(self, batch: Batch, block: Block) -> None:
        first_row = self._read
        self._read += batch.read
        if batch.rows:
            self._tell_down_to(LOADS_AHEAD - 1)
            rejects = self._rejects
            path = str(rejects.path) if rejects.path else ""
            sent = max(
                self._read, self._resumed.sent
            )  # killed runs before this one may have come further
            point = ResumePoint(sent, self._told_seq, path, rejects.size_bytes, self.tally)
            self._load(batch.rows, encode_resume_point(point))
        self._on_way.append(_Sent(batch, block, first_row, bool(batch.rows)))

    def _load(self, rows: list[tuple[bytes, bytes]], note: bytes) -> None:
        plan = self._plan
        notes = (Note(plan.note, note),)
        self._loader.start_load(
            Load(OPERATOR, plan.feed_source, plan.mapping.prefix, rows, plan.mapping.indexes, notes)
        )

    def _tell_down_to(self, left: int) -> None:
        while len(self._on_way) > left:
            self._tell(self._on_way.popleft())

    def _tell(self, sent: _Sent) -> None:
        """Count a batch and write its rejects, now that it is known what became of it."""
        batch, statuses, refused = sent.batch, b"", []
        if sent.has_load:
            receipt = self._loader.finish_load()
            statuses = receipt.statuses
            if sent.first_row >= self._resumed.sent:
                self._told_seq = receipt.last_seq
            for row, reason in receipt.reasons.items():
                refused.append(reject(sent.block, batch.positions[row], Fault(reason)))
        if sent.first_row < self._resumed.sent:
            statuses = self._retell(batch, statuses)
        rejects = sorted(batch.rejects + refused) if refused else batch.rejects
        self._rejects.write(rejects)
        self.shown += rejects[: SHOWN_REJECTS - len(self.shown)]
        self.tally = self.tally.plus(batch.read, statuses, (r.reason for r in rejects))

    def _retell(self, batch: Batch, statuses: bytes) -> bytes:
        """What the killed run would have been told of rows it had sent: the store remembers who changed a record."""
        told = bytearray(statuses)
        self._reader.refresh()
        for row, (suffix, _) in enumerate(batch.rows):
            if told[row] == ord("="):
                told[row] = self._first_status(suffix)
        self._reader.release()
        return bytes(told)

    def _first_status(self, suffix: bytes) -> int:
        prefix = self._plan.mapping.prefix
        record = self._reader.lookup(Identifier(prefix + b"/" + suffix, prefix, suffix))
        if record is None or record.seq <= self._resumed.told_seq:
            return ord("=")
        changes = self._reader.changes(record.seq - 1, limit=1)
        if not changes or changes[0].source != self._plan.feed_source:
            return ord("=")
        return ord("r") if record.version == 1 else ord("u")
