"""Order parcels: orders as chunks for the registrar. Plain creations travel as bytes, everything else as commands.

A parcel of creations only can be sent again after a crash: what exists already is seen to be ours. Any other order
gets a request id, by which the registrar knows it again; that costs it several times as much.
"""

from collections.abc import Sequence
from typing import NamedTuple

from node.registrar_wire import Parcel, PlainText, pack_rows
from protocols.message import Command, Operation, Principal
from protocols.values.value import FIXED, Value
from registry.importing.orders import Order
from registry.stores.keys import LONGEST_PLAIN_SUFFIX_BYTES

PARCEL_ORDERS = 512
"""Orders of one transaction: enough to share its flush, few enough that a command waits some 20 ms behind it."""
PARCEL_BYTES = 2_000_000
"""Values of one transaction, well below what a frame may hold."""


class Batch(NamedTuple):
    """Some orders of one principal, in file order."""

    first: int
    """Number of its first order, from 0."""
    orders: list[Order]
    principal: Principal
    is_fresh: bool
    """Creations only, of different identifiers."""

    @property
    def due(self) -> list[Order]:
        """Those that were understood."""
        return [order for order in self.orders if order.command is not None]


def size_of(command: Command) -> int:
    """About how many bytes it takes."""
    return 64 + len(command.identifier.spelling) + sum(64 + len(v.data) for v in command.values)


def is_fresh(orders: Sequence[Order]) -> bool:
    """Whether all that were understood create, each another identifier, whatever the prefix makes of case."""
    seen: set[bytes] = set()
    for command in (order.command for order in orders):
        if command is None:
            continue
        key = command.identifier.folded()
        if command.operation is not Operation.PUT or key in seen:
            return False
        seen.add(key)
    return True


def with_ids(batch: Batch, run_id: str) -> list[Command]:
    """The commands of a batch that is not fresh, with request ids that are the same whenever it is made."""
    due = enumerate(batch.orders, batch.first)
    return [
        order.command._replace(request_id=f"{run_id}-{number}")
        for number, order in due
        if order.command is not None
    ]


def pack_batch(batch: Batch, run_id: str, source: str) -> Parcel:
    """The parcel of its orders that were understood."""
    commands = [order.command for order in batch.due if order.command is not None]
    if not batch.is_fresh:
        commands = with_ids(batch, run_id)
    rows: list[PlainText | None] = []
    shapes: dict[tuple[bytes, ...], int] = {}
    others: dict[int, Command] = {}
    conditions: dict[int, tuple[bool, int | None]] = {}
    for at, command in enumerate(commands):
        heads = _heads(command) if batch.is_fresh else None
        if heads is None:
            others[at] = command
            rows.append(None)
            continue
        number = shapes.setdefault(heads, len(shapes))
        data = [value.data for value in sorted(command.values, key=_index)]
        rows.append((command.identifier.spelling, number, *data))  # type: ignore[arg-type]  # bytes are as good
        if not command.overwrite:
            conditions[at] = (False, None)
    size = sum(map(size_of, commands))
    return Parcel(
        batch.principal, source, list(shapes), [pack_rows(rows)], others, conditions, [], len(rows), size
    )  # fmt: skip


def _heads(command: Command) -> tuple[bytes, ...] | None:
    """The fronts of the values, when nothing about them needs the rules' eye before they are put together."""
    values = sorted(command.values, key=_index)
    if len(command.identifier.spelling) > LONGEST_PLAIN_SUFFIX_BYTES:
        return None
    if any(value.timestamp or value.references for value in values):
        return None
    if len({value.index for value in values}) < len(values):
        return None
    return tuple(_head(value) for value in values)


def _head(value: Value) -> bytes:
    fixed = FIXED.pack(value.index, 0, value.ttl_type, value.ttl, value.permissions)
    type_ = value.type.encode()
    return fixed + len(type_).to_bytes(4) + type_


def _index(value: Value) -> int:
    return value.index
