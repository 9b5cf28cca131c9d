"""Loading: many rows of one file registered below one prefix in one transaction, several times faster than commands.

A row is a suffix and a public value list, ready in wire form. The outcome is that of the command it stands for: PUT of
the row's values together with those values of the existing record whose index the file does not map. New rows and rows
that change nothing, which is nearly all of them, are settled by comparing bytes; every other row, and every row with a
flaw, goes through ``decide_one``, so that there is one place where refusals are worded and one where values are merged.

HS_ADMIN does not come in by files: authority over loaded records comes from the prefix record.
"""

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY, read_identifier
from protocols.message import Command, Operation, Outcome, Principal, Receipt
from protocols.record import DELETED, HEAD, SEALED, public_offset
from protocols.values.value import Value
from protocols.values.value_list import decode_values
from registry.authority import is_admin_value
from registry.deciding import Submission, decide_one
from registry.errors import DamagedRecord
from registry.holdings import Holdings
from registry.overlay import Act, Overlay
from registry.plain_rows import PlainList, PlainRows, is_plain_suffix
from registry.runs import PlainRow, write_run
from registry.sealing import Sealer, by_index
from registry.stores.keys import LONGEST_PLAIN_SUFFIX_BYTES, folds
from registry.stores.store import Note, Reader, Run, Write
from registry.value_rules import flaw_of

MAX_LOAD_ROWS = 20_000
"""Rows in one transaction: some 20 MB of memory and well under a second, so that commands need not wait long."""

REGISTERED, UPDATED, UNCHANGED, REJECTED = b"ru=x"
"""Row statuses."""


class Load(NamedTuple):
    """A slice of a file."""

    principal: Principal
    source: str
    """For the feed, e.g. ``import products.csv``."""
    prefix: bytes
    """Folded; all rows are below it."""
    rows: list[tuple[bytes, bytes]]
    """(suffix as spelled, public value list in wire form: sorted by index, timestamps 0)."""
    indexes: tuple[int, ...]
    """Indexes the file maps; an existing record keeps its values at other indexes."""
    notes: tuple[Note, ...] = ()
    """Committed with the rows: the resume point."""


class LoadReceipt(NamedTuple):
    """What became of the rows."""

    statuses: bytes
    """One ASCII byte per row: r registered, u updated, = unchanged, x rejected."""
    reasons: dict[int, str]
    """Row number (from 0) -> why it was rejected."""
    last_seq: int
    """Number of the newest change after the load."""


def decide_load(
    load: Load, store: Reader, sealer: Sealer, server_admins: frozenset[str], now_ms: int
) -> tuple[list[Write | Run], LoadReceipt]:
    """Pure, as ``registrar.decide`` is."""
    if len(load.rows) > MAX_LOAD_ROWS:
        raise ValueError(f"{len(load.rows)} rows in one load, at most {MAX_LOAD_ROWS}")
    overlay = Overlay(store, now_ms)
    holdings = Holdings(overlay, sealer, server_admins)
    by_rules = _RowsByRules(load, overlay, holdings, sealer)
    if _is_free(load, holdings):
        statuses = _settle(load, store, overlay, by_rules)
    else:
        statuses = bytes(by_rules.status(at) for at in range(len(load.rows)))
    receipt = LoadReceipt(statuses, by_rules.reasons, overlay.next_seq - 1)
    return overlay.writes, receipt


def _is_free(load: Load, holdings: Holdings) -> bool:
    """Whether no rule about prefix or authority can stop any of the rows."""
    try:
        is_ours = holdings.hosts(load.prefix) or (
            holdings.keeps_unseen(load.prefix) and holdings.delegation(load.prefix) is not None
        )
        return load.prefix != PREFIX_AUTHORITY and is_ours and holdings.is_operator(load.principal)
    except (DamagedRecord, ProtocolError):
        return False


def _settle(load: Load, store: Reader, overlay: Overlay, by_rules: "_RowsByRules") -> bytes:
    """One look-up per row, no Value made.

    For the operator, whom no rule of authority stops. Byte for byte what ``by_rules`` would do.
    """
    settling = _Settling(load, store, overlay, by_rules)
    act = Act(Operation.PUT, load.principal.name, load.source)
    while settling.at < len(load.rows):
        before = settling.at
        write_run(settling.plain_rows(), load.prefix, act, overlay)
        if settling.at == before:
            settling.settle_one(act)
    return bytes(settling.statuses)


def _nothing(_: bytes) -> None:
    """What lies under any identifier where nothing lies under any."""


class _Settling:
    """The rows of a load on their way, those that are new and plain in runs."""

    __slots__ = (
        "_by_rules",
        "_load",
        "_overlay",
        "_plain",
        "_stored_at",
        "at",
        "keeps_case",
        "lead",
        "statuses",
    )

    def __init__(
        self, load: Load, store: Reader, overlay: Overlay, by_rules: "_RowsByRules"
    ) -> None:
        authority = overlay.authority(load.prefix)
        self._load, self._overlay, self._by_rules = load, overlay, by_rules
        self._plain = PlainRows(load.indexes, overlay.time_ms // 1000)
        is_plain = authority is not None and authority.is_plain
        self._stored_at: Callable[[bytes], bytes | None] = store.stored if is_plain else store.kept
        self.lead = load.prefix + b"/"
        self.keeps_case = authority is not None and not folds(authority)
        suffixes = [suffix if self.keeps_case else suffix.upper() for suffix, _ in load.rows]
        longest = max(map(len, suffixes), default=LONGEST_PLAIN_SUFFIX_BYTES + 1)
        if longest <= LONGEST_PLAIN_SUFFIX_BYTES and store.is_vacant(
            load.prefix, min(suffixes), max(suffixes)
        ):
            self._stored_at = _nothing
        self.at = 0
        self.statuses = bytearray()

    def plain_rows(self) -> Iterator[PlainRow]:
        """Rows that are new and plain, up to the first that is not."""
        lead, keeps_case, plain, stored_at = (
            self.lead,
            self.keeps_case,
            self._plain,
            self._stored_at,
        )
        made, touched = self._overlay.plain, self._overlay.records
        for suffix, blob in islice(self._load.rows, self.at, None):
            spelling = lead + suffix
            key = spelling if keeps_case else lead + suffix.upper()
            size = len(spelling)
            if key in made or key in touched or size > LONGEST_PLAIN_SUFFIX_BYTES:
                return
            fresh = plain.read(blob)
            if fresh is None or not is_plain_suffix(suffix, size):
                return
            version, old = 1, None
            stored = stored_at(spelling)
            if stored is not None:
                if not stored[1] & DELETED:
                    if stored[1] & SEALED or not fresh.matches(stored[public_offset(stored) :]):
                        return
                    self.at += 1
                    self.statuses.append(UNCHANGED)
                    continue
                found = HEAD.unpack_from(stored)[2]
                version, old = found + 1, (found, False)
            self.at += 1
            self.statuses.append(REGISTERED)
            yield (
                key, spelling, blob, fresh.dated(plain.now), fresh.least_ttl_s, fresh.has_absolute_ttl,
                "", version, old,
            )  # fmt: skip

    def settle_one(self, act: Act) -> None:
        """A row that is there already, or that the rules must look at."""
        suffix, blob = self._load.rows[self.at]
        spelling = self.lead + suffix
        key = spelling if self.keeps_case else self.lead + suffix.upper()
        overlay, status = self._overlay, None
        is_untouched = key not in overlay.plain and key not in overlay.records
        fresh = self._plain.read(blob) if is_untouched else None
        if fresh is not None and is_plain_suffix(suffix, len(spelling)):
            stored = self._stored_at(spelling)
            if stored is not None and not stored[1] & DELETED:
                status = _update(spelling, fresh, stored, self._plain, act, overlay)
        self.statuses.append(status or self._by_rules.status(self.at))
        self.at += 1


def _update(
    spelling: bytes, fresh: PlainList, stored: bytes, plain: PlainRows, act: Act, overlay: Overlay
) -> int | None:
    """The status of a row whose record exists; None when the rules must look at it."""
    if stored[1] & SEALED:
        return None
    if fresh.matches(stored[public_offset(stored) :]):
        return UNCHANGED
    try:
        old = overlay.lookup(read_identifier(spelling))
    except (DamagedRecord, ProtocolError):
        return None
    merged = None if old is None else plain.merged(fresh, old.public)
    if old is None or merged is None:
        return None
    if merged.public == old.public:
        return UNCHANGED
    record = old._replace(
        version=old.version + 1,
        seq=overlay.next_seq,
        modified_s=overlay.time_ms // 1000,
        least_ttl_s=merged.least_ttl_s,
        public=merged.public,
        has_absolute_ttl=merged.has_absolute_ttl,
    )
    overlay.add(act, record, old, hashlib.sha256(merged.undated).digest())
    return UPDATED


class _RowsByRules:
    """Rows as the commands they stand for."""

    def __init__(self, load: Load, overlay: Overlay, holdings: Holdings, sealer: Sealer) -> None:
        self._load = load
        self._overlay = overlay
        self._holdings = holdings
        self._sealer = sealer
        self.reasons: dict[int, str] = {}

    def status(self, at: int) -> int:
        """What becomes of row ``at``; the reason of a rejection is kept."""
        suffix, blob = self._load.rows[at]
        try:
            values = decode_values(blob)
            self.reasons[at] = self._flaw(values)
            if self.reasons[at]:
                return REJECTED
            receipt = self._submit(suffix, values)
        except (DamagedRecord, ProtocolError) as error:
            self.reasons[at] = str(error)
            return REJECTED
        if receipt.outcome is not Outcome.SUCCESS:
            where = f"{receipt.field}: " if receipt.field else ""
            self.reasons[at] = where + receipt.reason
            return REJECTED
        del self.reasons[at]
        if receipt.was_created:
            return REGISTERED
        return UNCHANGED if receipt.is_unchanged else UPDATED

    def _flaw(self, values: tuple[Value, ...]) -> str:
        """What a command would let pass, but a file may not bring."""
        if not values:
            return "values: there is no value to register"
        before = 0
        for at, value in enumerate(values):
            flaw = flaw_of(value)
            if flaw is not None:
                return f"values[{at}].{flaw.field}: {flaw.reason}"
            if value.index <= before:
                return f"values[{at}].index: {value.index} after {before}, values must be sorted by index"
            if value.index not in self._load.indexes:
                return f"values[{at}].index: {value.index} is not among the indexes of the load"
            if not value.is_public or value.timestamp or is_admin_value(value):
                return f"values[{at}]: a file brings publicly readable values without timestamps, and no HS_ADMIN"
            before = value.index
        return ""

    def _submit(self, suffix: bytes, values: tuple[Value, ...]) -> Receipt:
        identifier = read_identifier(self._load.prefix + b"/" + suffix)
        record = self._overlay.lookup(identifier)
        old = () if record is None else self._holdings.all_values(record)
        kept = [value for value in old if value.index not in self._load.indexes]
        command = Command(Operation.PUT, identifier, by_index((*kept, *values)))
        submission = Submission(self._load.principal, command, self._load.source)
        return decide_one(submission, self._overlay, self._holdings, self._sealer)
