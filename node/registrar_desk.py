"""The registrar's desk: one thread that owns the store and does one job after another, each durable when it is told.

Ordinary commands go first: all that wait, up to ``MAX_BATCH``, share one commit, and no timer holds them back. Bulk
work (loads, chunks of batches) and upkeep run in the gaps. While workers serve, bulk work keeps to
``store.bulk_rows_per_s`` and is followed by a pause, so that readers and other writers get processor and disk in
between.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from node.clock import read_clocks
from node.disk import DiskWatch
from node.logs import get_log
from node.metrics import COMMIT_SECONDS, COMMITS, LOAD_ROWS, QUEUE_SECONDS
from protocols.message import Outcome, Receipt
from registry.chunks import Chunk, ChunkReceipt, refuse_all
from registry.errors import StoreError, StoreFailed, StoreFull, StoreLocked
from registry.loading import Load, LoadReceipt
from registry.registrar import MAX_BATCH, Registrar, Submission
from registry.stores.store import Store

PAUSE_SHARE = 0.15
"""Pause after a load, as a share of the time it took, while workers serve: bulk keeps more than four fifths."""
MAX_PAUSE_S = 0.1
_UNKNOWN = (
    "the store failed while it was written: what was asked may or may not have been carried out; read the record, or "
    "repeat the command with the same request id"
)

log = get_log("registrar")


class Refused(Exception):
    """A job that is not carried out; ``str()`` is the sentence for the client."""


class Upkeep(Protocol):
    """A call on the store that is neither command nor load; returns what its client is told."""

    def __call__(self, store: Store) -> object:
        """On the desk's thread."""


class Pace:
    """At most so many rows of bulk work a second (0 = no limit), evenly: what was not used is not made up for."""

    def __init__(self, rows_per_s: int) -> None:
        self._row_s = 1 / rows_per_s if rows_per_s else 0.0
        self._next_s = 0.0

    def next_s(self, started_s: float, rows: int) -> float:
        """When the next bulk work may begin, behind some of ``rows`` rows begun at ``started_s`` (monotonic)."""
        late_s = min(max(0.0, started_s - self._next_s), MAX_PAUSE_S)
        self._next_s = started_s + rows * self._row_s - late_s
        return self._next_s


Done = Callable[[object], None]
"""Called on the desk's thread with what became of a job: receipts, a LoadReceipt, facts, or an exception."""


class _Commands(NamedTuple):
    submissions: Sequence[Submission]
    done: Done
    since_s: float


class _Call(NamedTuple):
    work: Load | Chunk | Upkeep
    done: Done


class Desk:
    """``on_head`` hears the newest change number after every commit; ``on_failure`` that the store has failed."""

    def __init__(  # noqa: PLR0913  # everything a desk stands on
        self,
        store: Store,
        registrar: Registrar,
        disk: DiskWatch,
        is_serving: Callable[[], bool],
        on_head: Callable[[int], None],
        on_failure: Callable[[str], None],
        bulk_rows_per_s: int = 0,
    ) -> None:
        self._store, self._registrar, self._disk = store, registrar, disk
        self._is_serving, self._on_head, self._on_failure = is_serving, on_head, on_failure
        self._pace = Pace(bulk_rows_per_s)
        self._commands: deque[_Commands] = deque()
        self._calls: deque[_Call] = deque()
        self._wake = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="desk")
        self.head = store.head()
        """As of the last commit."""
        self.trouble = ""
        """Why writes are refused, "" when they are not."""

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end; returns when the thread has ended."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join()

    def submit(self, submissions: Sequence[Submission], done: Done) -> None:
        """Queue commands; the caller bounds how many may wait."""
        self._queue(self._commands, _Commands(submissions, done, read_clocks().monotonic_s))

    def call(self, work: Load | Chunk | Upkeep, done: Done) -> None:
        """Queue a load, a chunk of a batch, or upkeep."""
        self._queue(self._calls, _Call(work, done))

    def _queue(self, queue: deque, job: object) -> None:  # type: ignore[type-arg]  # either of two queues
        with self._wake:
            queue.append(job)
            self._wake.notify()

    def _run(self) -> None:
        """Work until the end; a desk that nobody sits at any more must not keep clients waiting."""
        try:
            self._work()
        except Exception as error:
            log.exception("the desk met a bug")
            self._on_failure(str(error))

    def _work(self) -> None:
        not_before_s = 0.0
        while True:
            with self._wake:
                while not self._commands and (pause_s := self._pause_s(not_before_s)) != 0.0:
                    if self._is_stopping and not self._calls:
                        return
                    self._wake.wait(pause_s)
                batch = self._take_batch()
                call = None if batch else self._calls.popleft()
            started_s = read_clocks().monotonic_s
            if call is None:
                self._commit(batch, started_s)
            else:
                self._carry_out(call)
                took_s = read_clocks().monotonic_s - started_s
                if isinstance(call.work, Load | Chunk) and self._is_serving():
                    pause_s = min(took_s * PAUSE_SHARE, MAX_PAUSE_S)
                    not_before_s = max(
                        started_s + took_s + pause_s,
                        self._pace.next_s(started_s, len(call.work.rows)),
                    )

    def _pause_s(self, not_before_s: float) -> float | None:
        """How long to sleep before looking at ``_calls``: None = there is none, 0 = go on."""
        if not self._calls:
            return None
        return max(0.0, not_before_s - read_clocks().monotonic_s)

    def _take_batch(self) -> list[_Commands]:
        batch: list[_Commands] = []
        count = 0
        while self._commands and count + len(self._commands[0].submissions) <= MAX_BATCH:
            job = self._commands.popleft()
            count += len(job.submissions)
            batch.append(job)
        return batch

    def _commit(self, batch: Sequence[_Commands], started_s: float) -> None:
        for job in batch:
            QUEUE_SECONDS.observe(started_s - job.since_s)
        submissions = [s for job in batch for s in job.submissions]
        try:
            receipts = self._receipts(submissions)
        except (StoreFailed, StoreLocked) as failure:
            self._fail([job.done for job in batch], failure)
            return
        except Exception:  # one command that meets a bug must not take its neighbours down
            if len(batch) > 1:
                for job in batch:
                    self._commit([job], started_s)
                return
            log.exception("a command met a bug", extra={"commands": len(submissions)})
            refusal = Receipt(Outcome.ERROR, reason="internal error; see the node's log")
            receipts = [refusal] * len(submissions)
        COMMIT_SECONDS.observe(read_clocks().monotonic_s - started_s)
        COMMITS.inc()
        for job in batch:
            job.done(receipts[: len(job.submissions)])
            del receipts[: len(job.submissions)]
        self._tell_head()

    def _receipts(self, submissions: Sequence[Submission]) -> list[Receipt]:
        now = read_clocks()
        self.trouble = self._disk.trouble(now.monotonic_s)
        if self.trouble:
            return [Receipt(Outcome.READ_ONLY, reason=self.trouble)] * len(submissions)
        return self._registrar.commit(submissions, int(now.wall_s * 1000))

    def _carry_out(self, call: _Call) -> None:
        try:
            result = self._result_of(call.work)
        except StoreFull as full:
            result = Refused(f"writes are stopped: {full}")
        except (StoreFailed, StoreLocked) as failure:
            self._fail([call.done], failure)
            return
        except Refused as refused:
            result = refused
        except Exception as error:  # the client is told, the registrar goes on
            log.exception("a call met a bug")
            result = Refused(f"internal error: {error}")
        call.done(result)
        self._tell_head()

    def _result_of(self, work: Load | Chunk | Upkeep) -> object:
        if isinstance(work, Load):
            return self._load(work)
        return self._carry(work) if isinstance(work, Chunk) else work(self._store)

    def _carry(self, chunk: Chunk) -> ChunkReceipt:
        now = read_clocks()
        self.trouble = self._disk.trouble(now.monotonic_s)
        if self.trouble:
            refusal = Receipt(Outcome.READ_ONLY, reason=self.trouble)
            return refuse_all(len(chunk.rows), refusal)
        receipt = self._registrar.carry(chunk, int(now.wall_s * 1000))
        LOAD_ROWS.inc(len(chunk.rows))
        return receipt

    def _load(self, load: Load) -> LoadReceipt:
        now = read_clocks()
        self.trouble = self._disk.trouble(now.monotonic_s)
        if self.trouble:
            raise Refused(self.trouble)
        receipt = self._registrar.load(load, int(now.wall_s * 1000))
        LOAD_ROWS.inc(len(load.rows))
        return receipt

    def _tell_head(self) -> None:
        head = self._store.head()
        self._store.release()  # an idle writer must not keep pages of old snapshots from being used again
        if head != self.head:
            self.head = head
            self._on_head(head.seq)

    def _fail(self, waiting: Sequence[Done], failure: StoreError) -> None:
        log.error(
            "the store failed; the registrar stops and is started anew",
            extra={"reason": str(failure)},
        )
        for done in waiting:
            done(Refused(f"{_UNKNOWN}: {failure}"))
        self._on_failure(str(failure))
