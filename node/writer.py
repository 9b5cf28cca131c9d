"""Writer: a worker's connection to the registrar. Bounded queue, batches, reconnects by itself.

Commands that have not been sent, or came too late for a registrar that is stopping, wait for its successor. Those that
were sent and not answered when the connection broke get ERROR: nobody here can know whether they became durable.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from node.control_socket import connect_control
from node.logs import get_log
from node.registrar_client import split_submissions
from node.registrar_wire import (
    MAX_OUTSTANDING,
    MAX_PARCELS,
    MAX_SUBMISSIONS,
    Frame,
    FrameBuffer,
    Parcel,
    encode_frame,
    pack_parcel,
    pack_submissions,
    unpack_chunk_receipt,
    unpack_receipts,
)
from protocols.errors import ProtocolError
from protocols.message import Outcome, Receipt
from registry.chunks import ChunkReceipt, refuse_all
from registry.registrar import Submission

PATIENCE_S = 3.0
"""How long an unsent command waits for a registrar; restarting one takes well under a second."""
FIRST_RETRY_S, MAX_RETRY_S = 0.02, 0.5
_BUSY = "too many commands are waiting for the registrar; try again later"
_DOWN = "writes are stopped while the registrar restarts; try again in a moment"
_UNKNOWN = (
    "the registrar ended before it answered: the command may or may not have been carried out; "
    "read the record, or repeat the command with the same request id"
)

log = get_log("writer")


class _Job:
    """Submissions of one caller that travel together."""

    __slots__ = ("future", "since_s", "size_bytes", "submissions")

    def __init__(
        self,
        submissions: Sequence[Submission],
        future: "asyncio.Future[list[Receipt]]",
        since_s: float,
    ) -> None:
        self.submissions = submissions
        self.future = future
        self.since_s = since_s
        self.size_bytes = sum(
            256 + len(command.identifier.spelling) + sum(len(v.data) + 128 for v in command.values)
            for _, command, _ in submissions
        )

    def answer(self, receipts: list[Receipt]) -> None:
        if not self.future.done():
            self.future.set_result(receipts)

    def refuse(self, outcome: Outcome, reason: str) -> None:
        self.answer([Receipt(outcome, reason=reason)] * len(self.submissions))


class _ParcelJob:
    """Rows of a batch that travel together."""

    __slots__ = ("future", "parcel", "since_s", "size_bytes")

    def __init__(
        self, parcel: Parcel, future: "asyncio.Future[ChunkReceipt]", since_s: float
    ) -> None:
        self.parcel = parcel
        self.future = future
        self.since_s = since_s
        self.size_bytes = parcel.size_bytes

    def answer(self, receipt: ChunkReceipt) -> None:
        if not self.future.done():
            self.future.set_result(receipt)

    def refuse(self, outcome: Outcome, reason: str) -> None:
        self.answer(refuse_all(self.parcel.row_count, Receipt(outcome, reason=reason)))


class Writer(asyncio.Protocol):
    """``on_head`` hears the number of the newest change whenever somebody committed one."""

    def __init__(
        self,
        path: Path,
        queue_bytes: int,
        on_head: Callable[[int], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._path = path
        self._patience_s = patience_s
        self._queue_bytes = queue_bytes
        self._on_head = on_head
        self._queue: deque[_Job] = deque()
        self._sent: dict[int, list[_Job]] = {}
        self._parcels: deque[_ParcelJob] = deque()
        self._sent_parcels: dict[int, _ParcelJob] = {}
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._buffer = FrameBuffer()
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()
        self._last_id = 0
        self._is_stopping = False
        """The registrar has said that it takes nothing more."""
        self._late: list[_Job] = []
        """What it did not take, in order; goes before the queue to its successor."""
        self._late_parcels: list[_ParcelJob] = []
        self.waiting_bytes = 0
        """Bytes of commands queued or sent and unanswered."""

    @property
    def is_connected(self) -> bool:
        """Whether a registrar is at the other end."""
        return self._transport is not None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        loop = asyncio.get_running_loop()
        retry_s = FIRST_RETRY_S
        while True:
            try:
                # Without waiting: a registrar that hangs must not hold up readers.
                connection = connect_control(self._path, timeout_s=0.0)
            except OSError:
                self._refuse_old(loop.time())
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, MAX_RETRY_S)
                continue
            self._lost.clear()
            connected_s = loop.time()
            await loop.create_unix_connection(lambda: self, sock=connection)
            log.info("connected to the registrar")
            await self._lost.wait()
            log.warning("the registrar is gone; writes wait, reads go on")
            if loop.time() - connected_s > MAX_RETRY_S:
                retry_s = FIRST_RETRY_S
            # One that hangs up at once must not be asked without a pause.
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, MAX_RETRY_S)

    async def submit(self, submissions: Sequence[Submission]) -> list[Receipt]:
        """One receipt for each, in order. BUSY when the queue is full, READ_ONLY when no registrar comes back."""
        loop = asyncio.get_running_loop()
        jobs = [
            _Job(batch, loop.create_future(), loop.time())
            for batch in split_submissions(submissions)
        ]
        for job in jobs:
            if self.waiting_bytes + job.size_bytes > self._queue_bytes:
                job.refuse(Outcome.BUSY, _BUSY)
            else:
                self.waiting_bytes += job.size_bytes
                self._queue.append(job)
        self._pump()
        return [receipt for job in jobs for receipt in await job.future]

    async def carry(self, parcel: Parcel) -> ChunkReceipt:
        """What became of the rows; all BUSY or READ_ONLY as with ``submit``."""
        loop = asyncio.get_running_loop()
        job = _ParcelJob(parcel, loop.create_future(), loop.time())
        if self.waiting_bytes + job.size_bytes > self._queue_bytes:
            job.refuse(Outcome.BUSY, _BUSY)
        else:
            self.waiting_bytes += job.size_bytes
            self._parcels.append(job)
        self._pump()
        return await job.future

    async def ask(self, kind: str, payload: object = None) -> Any:
        """One call that is no command, e.g. ``status``. Raises ``ConnectionError`` without a registrar."""
        if self._transport is None or len(self._asked) >= MAX_OUTSTANDING:
            raise ConnectionError(_DOWN)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[self._send(kind, payload)] = future
        return await future

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop: a peer is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = FrameBuffer()
        self._is_stopping = False
        self._send("follow", None)
        self._pump()

    def data_received(self, data: bytes) -> None:
        """The event loop: bytes came."""
        try:
            for frame in self._buffer.receive(data):
                self._take(frame)
        except ProtocolError:
            log.exception("the registrar sent what cannot be read")
            if self._transport is not None:
                self._transport.abort()
        self._pump()

    def connection_lost(self, _: Exception | None) -> None:
        """The event loop: the peer is gone."""
        self._transport = None
        for jobs in self._sent.values():
            self._done(jobs)
            for job in jobs:
                job.refuse(Outcome.ERROR, _UNKNOWN)
        self._sent.clear()
        for parcel in self._sent_parcels.values():
            self._done([parcel])
            parcel.refuse(Outcome.ERROR, _UNKNOWN)
        self._sent_parcels.clear()
        self._queue.extendleft(reversed(self._late))
        self._late.clear()
        self._parcels.extendleft(reversed(self._late_parcels))
        self._late_parcels.clear()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ConnectionError(_DOWN))
        self._asked.clear()
        self._lost.set()

    def _take(self, frame: Frame) -> None:
        if frame.kind == "head":
            self._on_head(int(frame.payload))
        elif frame.kind == "later" and frame.id in self._sent:
            self._is_stopping = True
            self._late += self._sent.pop(frame.id)
        elif frame.id in self._sent_parcels:
            self._take_parcel(frame)
        elif (jobs := self._sent.pop(frame.id, None)) is not None:
            self._done(jobs)
            receipts = unpack_receipts(frame.payload) if frame.kind == "ok" else None
            for job in jobs:
                if receipts is None:
                    job.refuse(Outcome.ERROR, str(frame.payload))
                else:
                    job.answer(receipts[: len(job.submissions)])
                    del receipts[: len(job.submissions)]
        elif (future := self._asked.pop(frame.id, None)) is not None and not future.done():
            if frame.kind == "ok":
                future.set_result(frame.payload)
            else:
                future.set_exception(ConnectionError(str(frame.payload)))

    def _take_parcel(self, frame: Frame) -> None:
        parcel = self._sent_parcels.pop(frame.id)
        if frame.kind == "later":
            self._is_stopping = True
            self._late_parcels.append(parcel)
            return
        self._done([parcel])
        if frame.kind == "ok":
            parcel.answer(unpack_chunk_receipt(frame.payload))
        else:
            parcel.refuse(Outcome.ERROR, str(frame.payload))

    def _pump(self) -> None:
        """Send what is queued, joined into frames of at most ``MAX_SUBMISSIONS`` commands."""
        while self._may_send() and self._queue and len(self._sent) < MAX_OUTSTANDING:
            jobs = [self._queue.popleft()]
            count = len(jobs[0].submissions)
            while self._queue and count + len(self._queue[0].submissions) <= MAX_SUBMISSIONS:
                count += len(self._queue[0].submissions)
                jobs.append(self._queue.popleft())
            self._send_jobs(jobs)

        while self._may_send() and self._parcels and len(self._sent_parcels) < MAX_PARCELS:
            self._send_parcel(self._parcels.popleft())

    def _send_parcel(self, job: _ParcelJob) -> None:
        try:
            self._sent_parcels[self._send("chunk", pack_parcel(job.parcel))] = job
        except (OverflowError, ProtocolError) as error:
            self._done([job])
            job.refuse(Outcome.INVALID_VALUE, f"cannot be stored: {error}")

    def _may_send(self) -> bool:
        return self._transport is not None and not self._is_stopping

    def _send_jobs(self, jobs: list[_Job]) -> None:
        try:
            packed = pack_submissions([s for job in jobs for s in job.submissions])
            self._sent[self._send("submit", packed)] = jobs
        except (OverflowError, ProtocolError) as error:
            if len(jobs) == 1:
                self._done(jobs)
                jobs[0].refuse(Outcome.INVALID_VALUE, f"cannot be stored: {error}")
            else:
                for job in jobs:
                    self._send_jobs([job])

    def _send(self, kind: str, payload: object) -> int:
        assert self._transport is not None
        frame = encode_frame(self._last_id + 1, kind, payload)
        self._last_id += 1
        self._transport.write(frame)
        return self._last_id

    def _done(self, jobs: Sequence[_Job | _ParcelJob]) -> None:
        self.waiting_bytes -= sum(job.size_bytes for job in jobs)

    def _refuse_old(self, now_s: float) -> None:
        for queue in (self._queue, self._parcels):
            while queue and now_s - queue[0].since_s > self._patience_s:
                job: _Job | _ParcelJob = queue.popleft()
                self._done([job])
                job.refuse(Outcome.READ_ONLY, _DOWN)
