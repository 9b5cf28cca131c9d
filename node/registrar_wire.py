"""The bytes between the registrar process and its clients (workers, commands): framing and shapes, no sockets.

A frame is ``u32 length + msgpack [id, kind, payload]``. A client chooses ``id`` (1, 2, 3 …) and gets exactly one frame
``[id, "ok" | "error" | "later", payload]`` back, in any order ("later": a stopping registrar has not done it, its
successor will); ``[0, "head", seq]`` is pushed to whoever sent ``follow``.

======== ================================================ =======================================
kind     payload                                          answer
======== ================================================ =======================================
submit   submissions, at most ``MAX_SUBMISSIONS``         receipts, one for each, in order
load     one ``Load``                                     one ``LoadReceipt``
chunk    one ``Parcel``                                   one ``ChunkReceipt``
follow   nil                                              head number; pushes follow
status   nil                                              map of facts
metrics  nil                                              Prometheus text
truncate number before which feed entries may go          how many went
======== ================================================ =======================================

The socket is the operator's (mode 0600, same user): principals inside are believed, sizes are not.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgpack

from protocols.errors import Malformed, TooLarge
from protocols.identifier import read_identifier
from protocols.message import Command, Operation, Outcome, Principal, Receipt
from protocols.values.value import Reference, Value
from registry.chunks import MAX_CHUNK_ROWS, Chunk, ChunkReceipt
from registry.loading import Load, LoadReceipt
from registry.registrar import Submission
from registry.stores.store import Note

MAX_FRAME_BYTES = 16_777_216
"""Holds a load of 20,000 rows of 800 bytes, or 64 records of the largest size."""
MAX_LOAD_BYTES = 12_582_912
"""Suffixes and values of one load; leaves room in the frame for packing."""
MAX_SUBMISSIONS = 256
"""Commands in one frame: one commit of the registrar."""
MAX_OUTSTANDING = 4
"""Unanswered frames of one connection: enough to keep the writer busy, few enough to stay fair."""
MAX_PARCELS = 2
"""Unanswered chunks beside them: one is carried out while the next comes; commands never wait for room behind them."""

_LENGTH_BYTES = 4


class Frame(NamedTuple):
    """One message. ``id`` 0 is a push."""

    id: int
    kind: str
    payload: Any
    """Plain msgpack; the ``unpack_…`` functions below give it its type."""


class FrameBuffer:
    """Bytes in, whole frames out; memory grows with bytes received, never with a length that was only announced."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> Iterator[Frame]:
        """Frames completed by ``data``. Raises ``TooLarge`` or ``Malformed``: the connection must then be closed."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            size = int.from_bytes(self._buffer[:_LENGTH_BYTES])
            if size > MAX_FRAME_BYTES:
                raise TooLarge(f"frame: {size} bytes, at most {MAX_FRAME_BYTES} allowed")
            end = _LENGTH_BYTES + size
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[_LENGTH_BYTES:end])
            del self._buffer[:end]
            yield _decode(body)


def encode_frame(id_: int, kind: str, payload: object) -> bytes:
    """Raises ``TooLarge`` above the limit, ``OverflowError`` when an integer has more than 64 bits."""
    body: bytes = msgpack.packb((id_, kind, payload), unicode_errors="surrogatepass")
    if len(body) > MAX_FRAME_BYTES:
        raise TooLarge(f"frame: {len(body)} bytes, at most {MAX_FRAME_BYTES} allowed")
    return len(body).to_bytes(_LENGTH_BYTES) + body


def _decode(body: bytes) -> Frame:
    try:
        id_, kind, payload = msgpack.unpackb(
            body, use_list=False, strict_map_key=False, unicode_errors="surrogatepass"
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise Malformed(f"frame: {error}") from None
    if not isinstance(id_, int) or not isinstance(kind, str):
        raise Malformed("frame: not [id, kind, payload]")
    return Frame(id_, kind, payload)


def pack_submissions(submissions: Sequence[Submission]) -> list[object]:
    """``Submission``s as plain msgpack."""
    return [
        (tuple(principal), source, *_pack_command(command))
        for principal, command, source in submissions
    ]


def _pack_command(command: Command) -> tuple[object, ...]:
    return (
        command.operation.value,
        command.identifier.spelling,
        [tuple(value) for value in command.values],
        command.indexes,
        command.overwrite,
        command.expect_version,
        command.request_id,
        command.case_sensitive,
        command.request_lasts_s,
    )


def unpack_submissions(payload: Any) -> list[Submission]:
    """The inverse. Raises ``Malformed`` or ``TooLarge``."""
    try:
        if len(payload) > MAX_SUBMISSIONS:
            raise TooLarge(f"submit: {len(payload)} commands, at most {MAX_SUBMISSIONS} allowed")
        return [_unpack_submission(*item) for item in payload]
    except (TypeError, KeyError) as error:
        raise Malformed(f"submit: {error}") from None


_OPERATIONS = {operation.value: operation for operation in Operation}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


def _unpack_submission(principal: Any, source: str, *command: Any) -> Submission:
    return Submission(Principal(*principal), _unpack_command(*command), source)


def _unpack_command(  # noqa: PLR0913  # the fields of one command, in their order on the wire
    operation: str,
    spelling: bytes,
    values: Any,
    indexes: tuple[int, ...],
    overwrite: bool,
    expect_version: int | None,
    request_id: str,
    case_sensitive: bool,
    request_lasts_s: int = 0,
) -> Command:
    return Command(
        _OPERATIONS[operation],
        read_identifier(spelling),
        tuple(_unpack_value(*value) for value in values),
        indexes,
        overwrite,
        expect_version,
        request_id,
        case_sensitive,
        request_lasts_s,
    )


def _unpack_value(*fields: Any) -> Value:
    value = Value(*fields)
    if not value.references:
        return value
    return value._replace(references=tuple(Reference(*item) for item in value.references))


def pack_receipts(receipts: Sequence[Receipt]) -> list[object]:
    """``Receipt``s as plain msgpack."""
    return [(receipt.outcome.value, *receipt[1:]) for receipt in receipts]


def unpack_receipts(payload: Any) -> list[Receipt]:
    """The inverse. Raises ``Malformed``."""
    try:
        return [Receipt(_OUTCOMES[outcome], *rest) for outcome, *rest in payload]
    except (TypeError, ValueError, KeyError) as error:
        raise Malformed(f"receipts: {error}") from None


def pack_load(load: Load) -> object:
    """A ``Load`` as plain msgpack. Raises ``TooLarge`` above ``MAX_LOAD_BYTES``."""
    size = sum(len(suffix) + len(values) for suffix, values in load.rows)
    if size > MAX_LOAD_BYTES:
        raise TooLarge(
            f"load: {size} bytes of rows, at most {MAX_LOAD_BYTES} allowed; send fewer rows"
        )
    notes = [tuple(note) for note in load.notes]
    return (tuple(load.principal), load.source, load.prefix, load.rows, load.indexes, notes)


def unpack_load(payload: Any) -> Load:
    """The inverse. Raises ``Malformed``."""
    try:
        principal, source, prefix, rows, indexes, notes = payload
        return Load(
            Principal(*principal), source, prefix, list(rows), indexes, tuple(Note(*n) for n in notes)
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise Malformed(f"load: {error}") from None


def unpack_load_receipt(payload: Any) -> LoadReceipt:
    """Raises ``Malformed``. (A ``LoadReceipt`` packs as it is.)"""
    try:
        return LoadReceipt(*payload)
    except TypeError as error:
        raise Malformed(f"load receipt: {error}") from None


class Parcel(NamedTuple):
    """A ``Chunk`` on its way: its plain rows packed as they came, a few at a time, so that nothing else waits long."""

    principal: Principal
    source: str
    shapes: list[tuple[bytes, ...]]
    pieces: list[bytes]
    """Of ``pack_rows``, in order."""
    commands: dict[int, Command]
    """Row number -> the command of a row that is not plain."""
    conditions: dict[int, tuple[bool, int | None]]
    request_ids: list[str]
    row_count: int
    """All of them."""
    size_bytes: int


PlainText = tuple[str, int, *tuple[str, ...]]
"""A plain row before it is packed: identifier, number of the shape, data."""


def pack_rows(rows: Sequence[PlainText | None]) -> bytes:
    """Some rows of a parcel; None stands for one that has a command."""
    packed: bytes = msgpack.packb(rows)
    return packed


def pack_parcel(parcel: Parcel) -> list[object]:
    """A ``Parcel`` as plain msgpack."""
    return [
        tuple(parcel.principal),
        parcel.source,
        parcel.shapes,
        parcel.pieces,
        {at: _pack_command(command) for at, command in parcel.commands.items()},
        parcel.conditions,
        parcel.request_ids,
    ]


def unpack_chunk(payload: Any) -> Chunk:
    """The ``Chunk`` of a parcel. Raises ``Malformed``, or ``TooLarge`` above ``MAX_CHUNK_ROWS``."""
    try:
        principal, source, shapes, pieces, commands, conditions, request_ids = payload
        rows: list[Any] = []
        for piece in pieces:
            rows += msgpack.unpackb(piece, use_list=False, raw=True)
        if len(rows) > MAX_CHUNK_ROWS:
            raise TooLarge(f"chunk: {len(rows)} rows, at most {MAX_CHUNK_ROWS} allowed")
        for at, command in commands.items():
            rows[at] = _unpack_command(*command)
        return Chunk(Principal(*principal), source, shapes, rows, conditions, request_ids)
    except (TypeError, ValueError, KeyError, IndexError, msgpack.UnpackException) as error:
        raise Malformed(f"chunk: {error}") from None


def pack_chunk_receipt(receipt: ChunkReceipt) -> object:
    """A ``ChunkReceipt`` as plain msgpack."""
    others = {at: (one.outcome.value, *one[1:]) for at, one in receipt.others.items()}
    return receipt.before_seq, receipt.last_seq, others


def unpack_chunk_receipt(payload: Any) -> ChunkReceipt:
    """The inverse. Raises ``Malformed``."""
    try:
        before_seq, last_seq, others = payload
        receipts = {
            at: Receipt(_OUTCOMES[outcome], *rest) for at, (outcome, *rest) in others.items()
        }
        return ChunkReceipt(before_seq, last_seq, receipts)
    except (TypeError, ValueError, KeyError) as error:
        raise Malformed(f"chunk receipt: {error}") from None
