"""Batch: ``POST /api/batch``: many records in one request, one JSON object a line, one receipt a line (NDJSON).

Rows are read as fast as the registrar commits them and the client takes the receipts, so a batch of any length needs
the memory of a few sheets (``batch_sheet.py``), each of which is one transaction. A client that stops reading stops
the intake. When it goes away, rows handed to the registrar are carried out all the same; sending the batch again with
the same ``Idempotency-Key`` gives the same receipts and changes nothing twice, because a row's request id is the key
and its line number.
"""

import asyncio
from collections import Counter
from typing import NamedTuple

import orjson

from node.http.api import Api
from node.http.batch_rows import STATUSES
from node.http.batch_sheet import PlainLines, Sheet
from node.http.errors import http_trouble
from node.http.ndjson import LineSplitter
from node.http.reply import NDJSON, Reply
from node.http.request import Request, Stream
from node.http.writing import read_request_id
from node.overload import LOOK_EVERY_S, Work
from protocols.message import Principal
from registry.chunks import ChunkReceipt

SHEETS_WAITING = 2
"""Sheets submitted behind the one whose receipts are being sent: the registrar never waits for the next one."""
GATHER_S = 0.02
"""How long an unfinished sheet waits for more rows: a fast sender fills it, a slow one gets its receipts at once."""
WRITE_BYTES = 32_768
"""Receipts sent in one piece: each piece costs a system call, and wakes the client."""
MOST_LOOKS = 20
"""A sheet waits a second at most for a loop that comes late."""
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


class _Sent(NamedTuple):
    """A sheet on its way through the registrar."""

    sheet: Sheet
    receipt: "asyncio.Task[ChunkReceipt] | None"
    """None when no row of it has a command."""


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
        self.plain = PlainLines()
        self.queue: asyncio.Queue[_Sent | None] = asyncio.Queue(SHEETS_WAITING)
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
        sheet = Sheet(self.plain, key)
        reading: asyncio.Task[bytes] | None = None
        while not self.is_gone:
            reading = reading or asyncio.create_task(self.payload.readany())
            await asyncio.wait({reading}, timeout=GATHER_S if len(sheet) else None)
            if not reading.done():
                sheet = await self._send(sheet, key)
                continue
            piece, reading = reading.result(), None
            lines = splitter.feed(piece) if piece else splitter.end()
            at = 0
            while at < len(lines) and not self.is_gone:
                room = sheet.room
                sheet.add(lines[at : at + room])
                at += room
                if not sheet.room:
                    sheet = await self._send(sheet, key)
                await asyncio.sleep(0)  # other connections get their turn
            if not piece:
                await self._send(sheet, key)
                return
        if reading is not None:
            reading.cancel()

    async def _send(self, sheet: Sheet, key: str) -> Sheet:
        """Hand a sheet on; returns an empty one."""
        if len(sheet):
            await self._give_way()
            parcel = sheet.parcel(self.principal, self.source)
            receipt = None
            if parcel is not None:
                receipt = asyncio.create_task(self.api.service.register_parcel(parcel))
            await self._hand_over(_Sent(sheet, receipt))
        return Sheet(self.plain, key)

    async def _give_way(self) -> None:
        """Let everybody else go first while the worker is overloaded, but not for ever."""
        for _ in range(MOST_LOOKS):
            if not self.api.service.overload.holds(Work.BULK):
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _hand_over(self, sent: _Sent | None) -> None:
        """Wait for room in the queue, but not for a teller that has ended."""
        putting = asyncio.create_task(self.queue.put(sent))
        await asyncio.wait({putting, self.teller}, return_when=asyncio.FIRST_COMPLETED)
        if not putting.done():
            putting.cancel()
            self.is_gone = True

    async def _tell(self) -> None:
        """Send receipts in order; once the client is gone only wait for what was submitted."""
        while (sent := await self.queue.get()) is not None:
            receipt = await sent.receipt if sent.receipt is not None else None
            waiting = bytearray()
            for lines in sent.sheet.receipts(receipt, self.counts, is_brief=self.is_brief):
                waiting += lines
                if len(waiting) >= WRITE_BYTES:
                    await self._write(waiting)
                await asyncio.sleep(0)  # other connections get their turn
            await self._write(waiting)
            self.last_seq = max(self.last_seq, sent.sheet.last_seq)

    async def _write(self, waiting: bytearray) -> None:
        if waiting and not self.is_gone:
            try:
                await self.stream.write(bytes(waiting))
            except ConnectionError:
                self.is_gone = True
        waiting.clear()

    def _summary(self) -> bytes:
        content: dict[str, object] = {"summary": True, "rows": self.counts.total()}
        content.update({status: self.counts[status] for status in STATUSES})
        content["lastSeq"] = self.last_seq
        return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
