"""One run of an import of orders: read here, carried out by the registrar, counted, and resumable at any moment.

Creations go two parcels ahead. Everything else goes one parcel at a time, behind a note that says so: after a crash the
registrar is asked which of its request ids it knows, so that nothing is done twice, and nothing is undone by doing a
creation again (registry/importing/order_resume.py).
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from node.importing.order_judge import UNCHANGED, Judge
from node.importing.order_parcels import PARCEL_BYTES, PARCEL_ORDERS, Batch, is_fresh, size_of
from node.importing.order_source import OrderSource
from node.importing.reject_file import RejectFile
from protocols.message import OPERATOR, Command, Operation, Outcome, Principal, Receipt
from registry.importing.order_resume import OrderPoint, encode_order_point
from registry.importing.orders import Broken, Login, Order, Remark
from registry.importing.preparing import Reject
from registry.importing.resume import ResumePoint
from registry.importing.rows import Fault
from registry.importing.tally import Tally

AHEAD = 2
"""Parcels on their way: one is committed while the next waits in the socket."""
PROMISED_PARCELS = 16
"""Parcels that may be sent behind the noted ones: a durable note each is too many, and all of them are looked at again
after a crash."""
SHOWN = 5
"""Refused orders and remarks kept for the summary on the screen."""
REFUSED_BEFORE = Fault(
    "refused before", "refused before the import was interrupted; import it alone to see why"
)


class Carrier(Protocol):
    """Where the orders go: the registrar, or a trial that changes nothing."""

    def start(self, batch: Batch) -> None:
        """Send without waiting."""

    def finish(self) -> list[Receipt]:
        """One receipt for each order that was understood, of the oldest unfinished batch."""

    def recall(self, batch: Batch) -> list[Receipt | None]:
        """The receipts of a batch that is not fresh, as far as they are remembered."""

    def add(self, command: Command, principal: Principal) -> Receipt:
        """One command more, carried out now."""

    def save(self, note: bytes) -> None:
        """Keep the resume point; empty = forget it."""


LogIn = Callable[[Login], Principal]
"""Who the orders behind a login are carried out for. Raises what ends the import."""
OnProgress = Callable[[Tally, int], None]


class OrderPlan(NamedTuple):
    """What is to be done, worked out before anything is written."""

    source: OrderSource
    overwrite: bool
    """Creations may replace what is there."""
    log_in: LogIn | None
    """None = the operator does it all, and logins are passed over."""
    parcel_orders: int = PARCEL_ORDERS
    """The same in every run of one import."""


class _Sent(NamedTuple):
    batch: Batch
    has_parcel: bool


class OrderRun:
    """Make one and ``finish`` it; ``tally`` says what came of it, ``broken`` where the file ended too early."""

    def __init__(
        self,
        plan: OrderPlan,
        carrier: Carrier,
        judge: Judge,
        rejects: RejectFile,
        start: OrderPoint,
    ) -> None:
        self._plan, self._carrier, self._judge, self._rejects = plan, carrier, judge, rejects
        self._run_id, self._resumed = start
        self.tally = start.point.tally
        self._told_seq = start.point.told_seq
        self._promised = start.point.sent
        self._read = 0
        self._pending: list[Order] = []
        self._pending_bytes = 0
        self._principal = OPERATOR
        self._on_way: deque[_Sent] = deque()
        self._sent_again: set[bytes] = set()
        """Folded identifiers that were looked at again after a crash."""
        self.shown: list[Reject] = []
        self.remarks: dict[str, int] = {}
        """Words -> the line on which they apply first."""
        self.broken: Broken | None = None

    def finish(self, on_progress: OnProgress) -> None:
        """To the end of the file. The resume note stays until ``forget``."""
        for item, bytes_read in self._plan.source.items():
            match item:
                case Order():
                    self._collect(item)
                case Login():
                    self._log_in(item)
                case Remark():
                    self._remark(item)
                case Broken():
                    self.broken = item
            if not self._pending:
                on_progress(self.tally, bytes_read)
        self._flush()
        self._tell_down_to(0)
        self._rejects.close()
        on_progress(self.tally, self._plan.source.size_bytes)

    def forget(self) -> None:
        """Take the resume note away, now that the outcome is reported."""
        self._carrier.save(b"")

    def _collect(self, order: Order) -> None:
        command = order.command
        if command is not None and self._plan.overwrite and command.operation is Operation.PUT:
            command = command._replace(overwrite=True)
            order = order._replace(command=command)
        self._pending.append(order)
        self._pending_bytes += 0 if command is None else size_of(command)
        if len(self._pending) == self._plan.parcel_orders or self._pending_bytes >= PARCEL_BYTES:
            self._flush()

    def _log_in(self, login: Login) -> None:
        self._flush()
        if self._plan.log_in is None:
            words = "logins are passed over: the node's operator does what the file says; see --as-admin"
            self._remark(Remark(login.line, words))
            return
        self._tell_down_to(0)  # the key may be in this very file
        self._principal = self._plan.log_in(login)

    def _remark(self, remark: Remark) -> None:
        if len(self.remarks) < SHOWN:
            self.remarks.setdefault(remark.words, remark.line)

    def _flush(self) -> None:
        orders, self._pending, self._pending_bytes = self._pending, [], 0
        told = max(0, min(len(orders), self._resumed.tally.read - self._read))
        self._read += told
        orders = orders[told:]
        if orders:
            batch = Batch(self._read, orders, self._principal, is_fresh(orders))
            self._read += len(orders)
            self._send(batch)

    def _send(self, batch: Batch) -> None:
        if not batch.due:
            self._on_way.append(_Sent(batch, has_parcel=False))
        elif batch.is_fresh:
            if self._read > self._promised:
                self._save(self._read + PROMISED_PARCELS * self._plan.parcel_orders)
            self._tell_down_to(AHEAD - 1)
            self._carrier.start(batch)
            self._on_way.append(_Sent(batch, has_parcel=True))
        else:
            self._send_alone(batch)

    def _send_alone(self, batch: Batch) -> None:
        self._tell_down_to(0)
        if batch.first < self._resumed.sent:
            known = self._carrier.recall(batch)
            if any(receipt is not None for receipt in known):
                self._tell(batch, known)
                return
        self._save(self._read)
        self._carrier.start(batch)
        self._tell(batch, self._carrier.finish())

    def _save(self, promised: int) -> None:
        """Say what is told, and that nothing behind ``promised`` was sent; durable before anything is."""
        rejects = self._rejects
        path = str(rejects.path) if rejects.path else ""
        point = ResumePoint(promised, self._told_seq, path, rejects.size_bytes, self.tally)
        self._carrier.save(encode_order_point(OrderPoint(self._run_id, point)))
        self._promised = promised

    def _tell_down_to(self, left: int) -> None:
        while len(self._on_way) > left:
            sent = self._on_way.popleft()
            self._tell(sent.batch, self._carrier.finish() if sent.has_parcel else [])

    def _tell(self, batch: Batch, receipts: Sequence[Receipt | None]) -> None:
        """Count a batch and write its refused orders, now that it is known what became of it."""
        self._judge.refresh()
        told, refused, due = bytearray(), [], iter(receipts)
        for number, order in enumerate(batch.orders, batch.first):
            fault = order.fault
            if order.command is not None:
                verdict = self._verdict(batch, number, order.command, next(due))
                if isinstance(verdict, int):
                    told.append(verdict)
                    continue
                fault = verdict
            assert fault is not None, "an order is a command or a fault"
            refused.append(Reject(order.line, fault.field, fault.reason, fault.detail, order.text))
        self._judge.release()
        self._told_seq = max([self._told_seq, *(r.seq for r in receipts if r is not None)])
        self._rejects.write(refused)
        self.shown += refused[: SHOWN - len(self.shown)]
        self.tally = self.tally.plus(len(batch.orders), bytes(told), (r.reason for r in refused))

    def _verdict(
        self, batch: Batch, number: int, command: Command, receipt: Receipt | None
    ) -> int | Fault:
        if receipt is None:
            is_there = self._judge.is_as_ordered(command)
            return self._first_verdict(command) if is_there else REFUSED_BEFORE
        if self._fills_a_home(command, receipt):
            receipt = self._carrier.add(command._replace(operation=Operation.ADD), batch.principal)
            self._judge.refresh()
        verdict = self._judge.verdict(command, receipt)
        if number >= self._resumed.sent:
            return verdict
        if verdict == UNCHANGED and batch.is_fresh:
            return self._first_verdict(command)
        self._sent_again.add(command.identifier.folded())
        return verdict

    def _first_verdict(self, command: Command) -> int:
        """What the run before this one would have been told of what is now unchanged, at its first mention."""
        key = command.identifier.folded()
        if key in self._sent_again:
            return UNCHANGED
        self._sent_again.add(key)
        return self._judge.first_verdict(command, self._resumed.told_seq)

    def _fills_a_home(self, command: Command, receipt: Receipt) -> bool:
        """Whether a prefix record is to be made that homing the prefix has made already, without values."""
        return (
            receipt.outcome is Outcome.ALREADY_EXISTS
            and command.operation is Operation.PUT
            and command.identifier.is_prefix_record
            and self._judge.is_empty(command)
        )


def feed_source(path: Path) -> str:
    """What the feed says about where these changes came from."""
    name = os.fsencode(path.name)  # any bytes; the feed is text
    return f"import {name.decode(errors='backslashreplace')}"
