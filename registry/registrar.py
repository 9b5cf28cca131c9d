"""The registrar: commands become changes, one durable transaction per batch.

``decide`` is pure: commands, the stored state and the time go in, the transaction and the receipts come out. A command
that is refused has its receipt and the rest goes on; later commands see the effect of earlier ones.
``Registrar.commit`` makes the decision durable before anybody sees a receipt.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.message import Outcome, Receipt
from registry.chunks import Chunk, ChunkReceipt, decide_chunk, refuse_all
from registry.deciding import Submission, decide_one
from registry.errors import StoreFull
from registry.holdings import Holdings
from registry.loading import Load, LoadReceipt, decide_load
from registry.overlay import Overlay
from registry.requests import Requests, recognise
from registry.sealing import Sealer
from registry.stores.store import Reader, RequestMark, Run, Store, Write

__all__ = ["MAX_BATCH", "Decision", "Registrar", "Submission", "decide"]

MAX_BATCH = 256
"""Commands in one transaction: enough to share the disk's flush, few enough that nobody waits long behind it."""


class Decision(NamedTuple):
    """What a batch comes to: one receipt per submission, in order, and the transaction that makes them true."""

    writes: list[Write | Run]
    marks: list[RequestMark]
    receipts: list[Receipt]


def decide(
    batch: Sequence[Submission],
    store: Reader,
    sealer: Sealer,
    server_admins: frozenset[str],
    now_ms: int,
) -> Decision:
    """Pure; ``now_ms`` is the wall clock in milliseconds since 1970, ``server_admins`` are ``index:handle`` texts."""
    overlay, requests = Overlay(store, now_ms), Requests(store, now_ms // 1000)
    holdings = Holdings(overlay, sealer, server_admins)
    receipts = []
    for submission in batch:
        request = recognise(submission, sealer)
        receipt = None if request is None else requests.recall(request)
        if receipt is None:
            receipt = decide_one(submission, overlay, holdings, sealer)
            if request is not None:
                requests.remember(request, submission, receipt, overlay)
        receipts.append(receipt)
    return Decision(overlay.writes, requests.marks, receipts)


class Registrar:
    """The only writer of one store. Not for several threads."""

    def __init__(
        self, store: Store, sealer: Sealer, server_admins: frozenset[str] = frozenset()
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._server_admins = server_admins

    def commit(self, batch: Sequence[Submission], now_ms: int) -> list[Receipt]:
        """Receipts in the order of the batch; what they say is durable.

        A full disk gives READ_ONLY receipts. Raises ``StoreFailed`` when the engine fails: stop, reopen, verify.
        """
        if len(batch) > MAX_BATCH:
            raise ValueError(f"{len(batch)} commands in one batch, at most {MAX_BATCH}")
        writes, marks, receipts = decide(
            batch, self._store, self._sealer, self._server_admins, now_ms
        )
        if writes or marks:
            try:
                self._store.commit(writes, marks)
            except StoreFull as full:
                refusal = Receipt(Outcome.READ_ONLY, reason=f"nothing was changed: {full}")
                return [refusal] * len(batch)
        return receipts

    def load(self, load: Load, now_ms: int) -> LoadReceipt:
        """Register the rows of one load in one transaction, with its notes. Raises ``StoreFull``, ``StoreFailed``."""
        writes, receipt = decide_load(load, self._store, self._sealer, self._server_admins, now_ms)
        if writes or load.notes:
            self._store.commit(writes, (), load.notes)
        return receipt

    def carry(self, chunk: Chunk, now_ms: int) -> ChunkReceipt:
        """Carry out the rows of one chunk in one transaction. What the receipts say is durable.

        Refusals of a full disk and failures are those of ``commit``.
        """
        writes, marks, receipt = decide_chunk(
            chunk, self._store, self._sealer, self._server_admins, now_ms
        )
        if writes or marks:
            try:
                self._store.commit(writes, marks)
            except StoreFull as full:
                refusal = Receipt(Outcome.READ_ONLY, reason=f"nothing was changed: {full}")
                return refuse_all(len(chunk.rows), refusal)
        return receipt
