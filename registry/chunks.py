"""Chunks: rows of a batch decided on together, several times faster than as commands, with the same outcome.

A row is a command. Most rows are of one kind: PUT of a few plain public values to an identifier that is new. Those come
as a spelling, the number of a *shape* (what all rows of one sort have in common: index, type, TTL and permissions of
each value) and the data of each value; they are settled without a Command, a Value or a Record being made. Shapes and
authority are looked at once, and again after every change that might have moved them. Every other row, and every row
that may have a flaw, goes through ``decide_one``, so that there is one place where refusals are worded.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES, read_identifier
from protocols.message import Command, Operation, Outcome, Principal, Receipt
from protocols.record import DELETED, HEAD, SEALED, public_offset
from protocols.values.value import Value
from protocols.values.value_list import decode_values
from registry.deciding import Submission, decide_one
from registry.freedom import Freedom
from registry.holdings import Holdings
from registry.overlay import Act, Overlay
from registry.plain_rows import is_plain_suffix
from registry.requests import Requests, recognise
from registry.rules import MAX_REQUEST_ID_BYTES
from registry.runs import PlainRow, write_run
from registry.sealing import Sealer, stamped
from registry.shapes import Shape, read_shape
from registry.stores.keys import LONGEST_PLAIN_SUFFIX_BYTES, folds
from registry.stores.store import Reader, RequestMark, Run, Write

MAX_CHUNK_ROWS = 1_024
"""Rows in one transaction: enough to spread its cost thin, few enough that a command waits some 10 ms behind it."""
MAX_PLAIN_BYTES = 65_536
"""Of a value list; a longer one is rare enough for the rules."""

_PRINTABLE = re.compile(rb"[ -~]+")

Row = tuple[bytes, int, *tuple[bytes, ...]]
"""Spelling, number of the shape, the data of each value."""


class Chunk(NamedTuple):
    """Rows in order, from one principal."""

    principal: Principal
    source: str
    shapes: Sequence[tuple[bytes, ...]]
    """Of each the heads of its values: all bytes in front of the data's length, timestamp 0."""
    rows: Sequence[Row | Command]
    conditions: Mapping[int, tuple[bool, int | None]]
    """Row number (from 0) -> (overwrite, expect_version) where not (True, None); commands say it themselves."""
    request_ids: Sequence[str]
    """One for each row, or none at all; commands say theirs themselves."""


class ChunkReceipt(NamedTuple):
    """What became of the rows. Most were registered, at version 1 and with numbers that follow one another."""

    before_seq: int
    """The number of the newest change before the chunk."""
    last_seq: int
    """The number of the newest change after it."""
    others: dict[int, Receipt]
    """Row number (from 0) -> its receipt where it is another one. The next plain row's number follows the highest."""

    def receipts(self, count: int) -> Iterator[Receipt]:
        """One for each of the ``count`` rows."""
        seq, others = self.before_seq, self.others
        for at in range(count):
            receipt = others.get(at)
            if receipt is None:
                receipt = Receipt(Outcome.SUCCESS, 1, seq + 1, was_created=True)
            seq = max(seq, receipt.seq)
            yield receipt

    def outcomes(self, count: int) -> Counter[Outcome]:
        """How often each occurs among ``count`` rows."""
        counts = Counter(receipt.outcome for receipt in self.others.values())
        counts[Outcome.SUCCESS] += count - len(self.others)
        return counts


def decide_chunk(
    chunk: Chunk, store: Reader, sealer: Sealer, server_admins: frozenset[str], now_ms: int
) -> tuple[list[Write | Run], list[RequestMark], ChunkReceipt]:
    """Pure, as ``registrar.decide`` is."""
    if len(chunk.rows) > MAX_CHUNK_ROWS:
        raise ValueError(f"{len(chunk.rows)} rows in one chunk, at most {MAX_CHUNK_ROWS}")
    overlay = Overlay(store, now_ms)
    before_seq = overlay.next_seq - 1
    clerk = _Clerk(chunk, store, overlay, sealer, server_admins)
    clerk.settle()
    return (
        overlay.writes,
        clerk.requests.marks,
        ChunkReceipt(before_seq, overlay.next_seq - 1, clerk.others),
    )


def refuse_all(count: int, refusal: Receipt) -> ChunkReceipt:
    """The same for each of ``count`` rows."""
    return ChunkReceipt(0, 0, dict.fromkeys(range(count), refusal))


class _Prefix(NamedTuple):
    """What the rows below one prefix, spelled in one way, have in common."""

    folded: bytes
    lead: bytes
    """As spelled, with the slash."""
    folded_lead: bytes
    is_folding: bool
    is_vacant: bool
    """Nothing lies where any of them goes."""


class _Clerk:
    """One chunk on its way. Single use."""

    def __init__(
        self,
        chunk: Chunk,
        store: Reader,
        overlay: Overlay,
        sealer: Sealer,
        server_admins: frozenset[str],
    ) -> None:
        self._chunk, self._store, self._overlay, self._sealer = chunk, store, overlay, sealer
        self._holdings = Holdings(overlay, sealer, server_admins)
        self._freedom = Freedom(chunk.principal, self._holdings)
        self.requests = Requests(store, overlay.time_ms // 1000)
        self.others: dict[int, Receipt] = {}
        time = (overlay.time_ms // 1000).to_bytes(4)
        self._shapes = [read_shape(heads, time) for heads in chunk.shapes]
        self._prefixes: dict[bytes, _Prefix] = {}
        self._empty: dict[int, tuple[Value, ...]] = {}
        """Values of each shape, without data."""
        self._at = 0
        plain = [row[0] for row in chunk.rows if not isinstance(row, Command)]
        self._is_printable = bool(_PRINTABLE.fullmatch(b"".join(plain)))
        self._is_short = max(map(len, plain), default=0) <= LONGEST_PLAIN_SUFFIX_BYTES
        self._spellings = plain

    def settle(self) -> None:
        """All rows, in order."""
        rows = self._chunk.rows
        act = Act(Operation.PUT, self._chunk.principal.name, self._chunk.source)
        while self._at < len(rows):
            row, before = rows[self._at], self._at
            if not isinstance(row, Command):
                spelled, slash, _ = row[0].partition(b"/")
                prefix = spelled.upper()
                if slash and self._freedom.may_create(prefix):
                    below = self._prefix(spelled + slash)
                    write_run(self._plain_rows(below), prefix, act, self._overlay)
            if self._at == before:
                self._by_rules(before)
                self._at += 1

    def _prefix(self, lead: bytes) -> _Prefix:
        known = self._prefixes.get(lead)
        if known is None:
            folded = lead[:-1].upper()
            authority = self._overlay.authority(folded)
            assert authority is not None, "only below a prefix with an authority may one create"
            is_folding = folds(authority)
            spellings = [s for s in self._spellings if s.startswith(lead)]
            suffixes = [s[len(lead) :] for s in spellings]
            if is_folding:
                suffixes = [suffix.upper() for suffix in suffixes]
            is_vacant = self._store.is_vacant(folded, min(suffixes), max(suffixes))
            known = _Prefix(folded, lead, folded + b"/", is_folding, self._is_short and is_vacant)
            self._prefixes[lead] = known
        return known

    def _plain_rows(self, prefix: _Prefix) -> Iterator[PlainRow]:
        """Rows to be made, up to the first that is for the rules. The hot loop: about a microsecond a row."""
        folded, lead, folded_lead, is_folding, is_vacant = prefix
        rows, shapes, conditions = self._chunk.rows, self._shapes, self._chunk.conditions
        plain, touched = self._overlay.plain, self._overlay.records
        is_printable, skip, longest = self._is_printable, len(lead), MAX_IDENTIFIER_BYTES
        is_simple = not self._chunk.request_ids and not conditions
        first_seq, made = self._overlay.next_seq, 0
        request_id, version, old = "", 1, None
        for at in range(self._at, len(rows)):
            row = rows[at]
            if isinstance(row, Command) or not row[0].startswith(lead):
                return
            spelling, number, *data = row
            shape, size = shapes[number], len(spelling)
            key = spelling.upper() if is_folding else folded_lead + spelling[skip:]
            if shape is None or key in plain or key in touched or not skip < size <= longest:
                return
            if not is_printable and not is_plain_suffix(spelling[skip:], size):
                return
            undated, dated = shape.write(data)
            if len(undated) > MAX_PLAIN_BYTES:
                return
            if not is_simple or not is_vacant:
                meeting = self._meet(at, folded, spelling, undated, first_seq + made)
                if meeting is None:
                    return
                version, old, request_id = meeting
                if not version:  # settled without a change
                    self._at = at + 1
                    continue
            made += 1
            self._at = at + 1
            yield (
                key, spelling, undated, dated, shape.least_ttl_s, shape.has_absolute_ttl,
                request_id, version, old,
            )  # fmt: skip

    def _meet(
        self, at: int, prefix: bytes, spelling: bytes, undated: bytes, seq: int
    ) -> tuple[int, tuple[int, bool] | None, str] | None:
        """(version to make or 0, what it replaces, request id) of a row; None when it is for the rules."""
        if len(spelling) > LONGEST_PLAIN_SUFFIX_BYTES:
            return None
        request_id = self._chunk.request_ids[at] if self._chunk.request_ids else ""
        request = submission = None
        if request_id:
            if not request_id.isprintable() or len(request_id) > MAX_REQUEST_ID_BYTES // 4:
                return None
            submission = self._submission(at)
            request = recognise(submission, self._sealer)
            receipt = None if request is None else self.requests.recall(request)
            if receipt is not None:
                self.others[at] = receipt
                return 0, None, request_id
        found = self._found(at, prefix, spelling, undated)
        if found is None:
            return None
        version, is_there, is_same = found
        if is_same:
            receipt = Receipt(Outcome.SUCCESS, version, is_unchanged=True)
            made = 0
        else:
            made = version + 1
            receipt = Receipt(Outcome.SUCCESS, made, seq, was_created=True)
        if made != 1:
            self.others[at] = receipt
        if request is not None and submission is not None:
            self.requests.remember(request, submission, receipt, self._overlay)
        return made, (version, False) if is_there and made else None, request_id

    def _found(
        self, at: int, prefix: bytes, spelling: bytes, undated: bytes
    ) -> tuple[int, bool, bool] | None:
        """(version, is anything there, is it the same) of what a row meets; None when it is for the rules."""
        overwrite, expected = self._chunk.conditions.get(at, (True, None))
        stored = self._store.kept(spelling)
        if stored is None:
            return None if expected else (0, False, False)
        version = HEAD.unpack_from(stored)[2]
        if stored[1] & DELETED:
            return None if expected else (version, True, False)
        is_expected = expected is None or expected == version
        if not is_expected or not overwrite or stored[1] & SEALED:
            return None
        public = stored[public_offset(stored) :]
        is_same = len(public) == len(undated) and stamped(public, 0) == undated
        if not is_same or not self._freedom.may_replace(prefix):
            return None
        return version, True, True

    def _submission(self, at: int) -> Submission:
        chunk = self._chunk
        row = chunk.rows[at]
        if isinstance(row, Command):
            return Submission(chunk.principal, row, chunk.source)
        spelling, number, *data = row
        overwrite, expect_version = chunk.conditions.get(at, (True, None))
        values = self._values(number, data)
        request_id = chunk.request_ids[at] if chunk.request_ids else ""
        command = Command(
            Operation.PUT, read_identifier(spelling), values,
            overwrite=overwrite, expect_version=expect_version, request_id=request_id,
        )  # fmt: skip
        return Submission(chunk.principal, command, chunk.source)

    def _values(self, number: int, data: Sequence[bytes]) -> tuple[Value, ...]:
        """Of a plain row; the heads are decoded once for each shape."""
        empty = self._empty.get(number)
        if empty is None:
            heads = self._chunk.shapes[number]
            empty = self._empty[number] = decode_values(Shape.list_of(heads, [b""] * len(heads)))
        return tuple(
            Value(one.index, one.type, datum, *one[3:])
            for one, datum in zip(empty, data, strict=True)
        )

    def _by_rules(self, at: int) -> None:
        """As ``registrar.decide`` treats a command."""
        try:
            submission = self._submission(at)
        except ProtocolError as error:
            self.others[at] = Receipt(Outcome.PROTOCOL_ERROR, reason=str(error))
            return
        request = recognise(submission, self._sealer)
        receipt = None if request is None else self.requests.recall(request)
        if receipt is None:
            receipt = decide_one(submission, self._overlay, self._holdings, self._sealer)
            if request is not None:
                self.requests.remember(request, submission, receipt, self._overlay)
            if receipt.seq:
                self._freedom.forget()
        self.others[at] = receipt
