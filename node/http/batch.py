"""Batch: ``POST /api/batch``: many records in one request, one JSON object a line, one receipt a line (NDJSON).

Rows are read as fast as the registrar commits them and the client takes the receipts, so a batch of any length needs
the memory of a few groups. A client that stops reading stops the intake. When it goes away, rows handed to the
registrar are carried out all the same; sending the batch again with the same ``Idempotency-Key`` gives the same
receipts and changes nothing twice, because a row's request id is the key and its line number.
"""

import asyncio
from collections import Counter
from typing import NamedTuple

import orjson

from node.http.api import Api
from node.http.batch_rows import STATUSES, Row, read_row, receipt_line, status_of
from node.http.errors import http_trouble
from node.http.ndjson import LineSplitter
from node.http.reply import NDJSON, Reply
from node.http.request import Request, Stream
from node.http.writing import read_request_id
from protocols.message import Principal, Receipt
from registry.registrar import MAX_BATCH, Submission

GROUPS_WAITING = 2
"""Groups submitted behind the one whose receipts are being sent: the registrar never waits for the next one."""
GATHER_S = 0.02
"""How long an unfinished group waits for more rows: a fast sender fills it, a slow one gets its receipts at once."""
TYPES = frozenset({NDJSON, "application/ndjson", "application/jsonl"})


async def register_batch(api: Api, request: Request) -> Reply | None:
    """Stream rows in and receipts out."""
    principal = await api.need(request)
    if isinstance(principal, Reply):
        return principal
    if request.media_type() not in TYPES:
        return http_trouble(415, f"Content-Type must be {NDJSON}")
    key = read_request_id(request)
    is_brief = request.parameters.first("receipts") == "rejected"
    request.connection.is_bulk = True
    try:
        request.expect_plain_body()
        stream = request.open_stream(
            Reply(200, content_type=NDJSON, headers=(("Cache-Control", "no-store"),))
        )
        await _Batch(api, request, principal, stream, is_brief=is_brief).run(key)
    finally:
        request.connection.is_bulk = False
    return None


class _Group(NamedTuple):
    """Rows on their way through the registrar."""

    rows: list[Row]
    receipts: "asyncio.Task[list[Receipt]] | None"
    """Of those rows that have a command; None when none has."""


class _Batch:
    """One batch: ``_intake`` reads and submits, ``_tell`` sends the receipts, a short queue lies between them."""

    def __init__(
        self, api: Api, request: Request, principal: Principal, stream: Stream, *, is_brief: bool
    ) -> None:
        self.api = api
        self.payload = request.payload
        self.principal = principal
        self.source = f"http {request.peer.address}"
        self.stream = stream
        self.is_brief = is_brief
        """Send receipts of rejected rows only."""
        self.queue: asyncio.Queue[_Group | None] = asyncio.Queue(GROUPS_WAITING)
        self.counts: Counter[str] = Counter()
        self.last_seq = 0
        self.is_gone = False
        """Nobody reads the receipts any more."""
        self.teller = asyncio.create_task(self._tell())

    async def run(self, key: str) -> None:
        """Until every submitted row is settled. Raises ``ConnectionError`` when the client left."""
        try:
            await self._intake(key)
        finally:
            await self._hand_over(None)
            await asyncio.wait({self.teller})
        self.teller.result()
        if self.is_gone:
            raise ConnectionResetError("the client left in the middle of a batch")
        await self.stream.write(self._summary())
        self.stream.end()

    async def _intake(self, key: str) -> None:
        splitter = LineSplitter()
        rows: list[Row] = []
        reading: asyncio.Task[bytes] | None = None
        while not self.is_gone:
            reading = reading or asyncio.create_task(self.payload.readany())
            await asyncio.wait({reading}, timeout=GATHER_S if rows else None)
            if not reading.done():
                rows = await self._submit(rows, least=1)
                continue
            piece, reading = reading.result(), None
            rows += [read_row(line, key) for line in splitter.feed(piece)]
            if not piece:
                rows += [read_row(line, key) for line in splitter.end()]
                await self._submit(rows, least=1)
                return
            rows = await self._submit(rows, least=MAX_BATCH)
        if reading is not None:
            reading.cancel()

    async def _submit(self, rows: list[Row], least: int) -> list[Row]:
        """Hand on whole groups, and a last one of at least ``least`` rows; returns the rows left over."""
        while len(rows) >= least:
            group, rows = rows[:MAX_BATCH], rows[MAX_BATCH:]
            submissions = [
                Submission(self.principal, row.command, self.source)
                for row in group
                if row.command is not None
            ]
            receipts = None
            if submissions:
                receipts = asyncio.create_task(self.api.service.register_many(submissions))
            await self._hand_over(_Group(group, receipts))
            await asyncio.sleep(0)  # other connections get their turn between groups
        return rows

    async def _hand_over(self, group: _Group | None) -> None:
        """Wait for room in the queue, but not for a teller that has ended."""
        putting = asyncio.create_task(self.queue.put(group))
        await asyncio.wait({putting, self.teller}, return_when=asyncio.FIRST_COMPLETED)
        if not putting.done():
            putting.cancel()
            self.is_gone = True

    async def _tell(self) -> None:
        """Send receipts in order; once the client is gone only wait for what was submitted."""
        while (group := await self.queue.get()) is not None:
            receipts = await group.receipts if group.receipts is not None else []
            lines = self._count(group.rows, receipts)
            if lines and not self.is_gone:
                try:
                    await self.stream.write(lines)
                except ConnectionError:
                    self.is_gone = True

    def _count(self, rows: list[Row], receipts: list[Receipt]) -> bytes:
        """Sum the receipts up and write their lines."""
        lines = []
        given = iter(receipts)
        for row in rows:
            receipt = row.refusal or next(given)
            status = status_of(row, receipt)
            self.counts[status] += 1
            self.last_seq = max(self.last_seq, receipt.seq)
            if not self.is_brief or status == "rejected":
                lines.append(receipt_line(row, receipt, status))
        return b"".join(lines)

    def _summary(self) -> bytes:
        content: dict[str, object] = {"summary": True, "rows": self.counts.total()}
        content.update({status: self.counts[status] for status in STATUSES})
        content["lastSeq"] = self.last_seq
        return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
