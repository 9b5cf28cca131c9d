"""Sheet: lines of a batch collected into one parcel for the registrar, and its receipts turned into lines again.

Nearly all rows of a batch look alike: ``handle`` and ``values``, each value with index, type and text. Those are taken
as they come out of the JSON parser (``PlainLines``), without a Command or Value; ``batch_rows.read_row`` reads others
and says what is wrong with them. Both give the registrar the same command (a test holds them together).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import orjson

from node.http.batch_rows import Row, read_row, receipt_line, status_of
from node.http.ndjson import Line
from node.registrar_wire import Parcel, PlainText, pack_rows
from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.message import Command, Principal, Receipt
from protocols.rest.json_reader import JsonReader
from protocols.rest.value_json import read_value_json
from protocols.values.value import FIXED, MAX_DATA_BYTES
from registry.chunks import MAX_CHUNK_ROWS, ChunkReceipt

MAX_SHEET_BYTES = 4_194_304
"""Lines of one sheet; with one more line of the largest size it fits a frame."""
MAX_PLAIN_LINE_BYTES = 65_536
"""Longer lines are counted and measured by ``parse_json`` before they are parsed."""
MAX_KINDS = 1_024
"""Remembered for one batch. Rows made by one program are of a few; where each is of its own, nothing is gained."""
LINES_AT_ONCE = 64
"""Lines read, or receipts written, in one go: a third of a millisecond; then other connections get their turn."""

_MAX_HANDLE_CHARS = MAX_IDENTIFIER_BYTES // 4  # of at most four bytes each
_MAX_TEXT_CHARS = MAX_DATA_BYTES // 4
_MEMBERS = frozenset({"handle", "values", "operation", "overwrite", "ifVersion"})
_MAX_VERSION = 0xFFFF_FFFF

Condition = tuple[bool, int | None]
"""overwrite and expect_version of a put."""
ANY: Condition = (True, None)

Told = tuple[int, bytes] | Row
"""What is kept of a row until its receipt comes: line and handle as JSON, or the whole row."""


class Kind:
    """What the values of many lines have in common. Equal to itself only: to look one up costs nearly nothing."""

    __slots__ = ("heads",)

    def __init__(self, heads: tuple[bytes, ...]) -> None:
        self.heads = heads
        """Of each value all bytes in front of its data's length (``registry.chunks.Chunk.shapes``)."""


class PlainLines:
    """Reads the plain lines of one batch."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[tuple[object, ...], Kind] = {}

    def read(  # noqa: PLR0911  # the hot loop of every batch: a call a value would cost as much as the rest
        self, text: bytes
    ) -> tuple[str, Kind, list[str], Condition] | None:
        """Handle, kind and data of the values, and the condition; None when the line is not plain."""
        if len(text) > MAX_PLAIN_LINE_BYTES:
            return None
        try:
            document = orjson.loads(text)
            handle, values = document["handle"], document["values"]
            condition = ANY if len(document) == 2 else _condition(document)
            if type(handle) is not str or type(values) is not list or condition is None:
                return None
            slash, size = handle.find("/"), len(handle)
            if not 0 < slash < size - 1 or size > _MAX_HANDLE_CHARS:
                return None
            texts: list[str] = []
            named: list[object] = []
            for value in values:
                index, data = value["index"], value["data"]
                if type(data) is not str:
                    if len(data) != 2 or data["format"] != "string":
                        return None
                    data = data["value"]
                if type(data) is not str or type(index) is not int or len(data) > _MAX_TEXT_CHARS:
                    return None
                if len(value) == 3:
                    named += (index, value["type"])
                else:
                    named += (None, index, value["type"], *_qualifiers(value))
                texts.append(data)
            kind = self._kinds.get(tuple(named)) or self._learn(tuple(named), values)
        except (KeyError, TypeError, AttributeError, ProtocolError, orjson.JSONDecodeError):
            return None  # whatever it is, the long way tells it better
        return handle, kind, texts, condition

    def _learn(self, named: tuple[object, ...], values: list[dict[str, object]]) -> Kind:
        """The kind of a line seen for the first time. Raises ``TypeError`` when it cannot be one."""
        if len(self._kinds) >= MAX_KINDS or not values:
            raise TypeError
        heads = []
        for value in values:
            one = read_value_json(JsonReader(value))
            name = one.type.encode()
            fixed = FIXED.pack(one.index, 0, one.ttl_type, one.ttl, one.permissions)
            heads.append(fixed + len(name).to_bytes(4) + name)
        kind = self._kinds[named] = Kind(tuple(heads))
        return kind


def _qualifiers(value: dict[str, object]) -> tuple[int | None, object]:
    """TTL and permissions of a value with nothing else beside index, type and data. Raises ``TypeError``."""
    ttl, permissions = value.get("ttl"), value.get("permissions")
    if len(value) != 3 + (ttl is not None) + (permissions is not None):
        raise TypeError
    if ttl is not None and type(ttl) is not int:
        raise TypeError
    return ttl, permissions


def _condition(document: dict[str, object]) -> Condition | None:
    """The condition of a put, None when it is something else or has more members."""
    if not _MEMBERS.issuperset(document) or document.get("operation") not in (None, "put"):
        return None
    overwrite, version = document.get("overwrite"), document.get("ifVersion")
    if overwrite is None:
        overwrite = True
    if type(overwrite) is not bool or (version is not None and type(version) is not int):
        return None
    is_known = version is None or 0 <= version <= _MAX_VERSION
    return (overwrite, version) if is_known else None


class Sheet:
    """Single use: filled, sent, told."""

    __slots__ = (
        "_commands", "_conditions", "_count", "_key", "_pieces", "_plain", "_request_ids", "_shapes", "_size",
        "_told", "last_seq",
    )  # fmt: skip

    def __init__(self, plain: PlainLines, key: str) -> None:
        self._plain, self._key = plain, key
        self._told: list[Told] = []
        self._shapes: dict[Kind, int] = {}
        self._pieces: list[bytes] = []
        self._commands: dict[int, Command] = {}
        self._conditions: dict[int, Condition] = {}
        self._request_ids: list[str] = []
        self._count = self._size = 0
        self.last_seq = 0
        """Highest number in the receipts told."""

    def __len__(self) -> int:
        return len(self._told)

    @property
    def room(self) -> int:
        """How many lines may be added in one go; 0 = it is full and should be sent."""
        if self._size >= MAX_SHEET_BYTES:
            return 0
        return min(LINES_AT_ONCE, MAX_CHUNK_ROWS - len(self._told))

    def add(self, lines: Sequence[Line]) -> None:
        """As many as there is room for."""
        rows: list[PlainText | None] = []
        size = 0
        read, shapes, told, dumps = self._plain.read, self._shapes, self._told, orjson.dumps
        for line in lines:
            number, text, is_too_long = line
            size += len(text)
            found = None if is_too_long else read(text)
            if found is None:
                self._add_odd(line, rows)
                continue
            handle, kind, texts, condition = found
            at = shapes.get(kind)
            if at is None:
                at = shapes[kind] = len(shapes)
            if condition is not ANY:
                self._conditions[self._count + len(rows)] = condition
            if self._key:
                self._request_ids.append(f"{self._key}:{number}")
            rows.append((handle, at, *texts))
            told.append((number, dumps(handle)))
        self._size += size
        if rows:
            self._pieces.append(pack_rows(rows))
            self._count += len(rows)

    def _add_odd(self, line: Line, rows: list[PlainText | None]) -> None:
        row = read_row(line, self._key)
        self._told.append(row)
        if row.command is not None:
            self._commands[self._count + len(rows)] = row.command
            if self._key:
                self._request_ids.append(row.command.request_id)
            rows.append(None)

    def parcel(self, principal: Principal, source: str) -> Parcel | None:
        """What the registrar has to do; None when no row has a command."""
        if not self._count:
            return None
        return Parcel(
            principal, source, [kind.heads for kind in self._shapes], self._pieces, self._commands, self._conditions,
            self._request_ids, self._count, self._size,
        )  # fmt: skip

    def receipts(
        self, receipt: ChunkReceipt | None, counts: Counter[str], *, is_brief: bool
    ) -> Iterator[bytes]:
        """Lines of the answer, ``LINES_AT_ONCE`` rows at a time (empty where there is nothing to say)."""
        at, seq = 0, 0 if receipt is None else receipt.before_seq
        others = {} if receipt is None else receipt.others
        for start in range(0, len(self._told), LINES_AT_ONCE):
            lines: list[bytes] = []
            plain = 0
            for one in self._told[start : start + LINES_AT_ONCE]:
                row = one if isinstance(one, Row) else None
                found = row.refusal if row else None
                if found is None:
                    found = others.get(at)
                    at += 1
                if found is None:
                    seq += 1
                    plain += 1
                    if not is_brief:
                        lines.append(_registered(one, seq))
                    continue
                seq = max(seq, found.seq)
                self.last_seq = max(self.last_seq, found.seq)
                status, line = _told(one, found)
                counts[status] += 1
                if not is_brief or status == "rejected":
                    lines.append(line)
            if plain:
                counts["registered"] += plain
                self.last_seq = max(self.last_seq, seq)
            yield b"".join(lines)


def _told(one: Told, receipt: Receipt) -> tuple[str, bytes]:
    """Status and line of a row that has a receipt of its own."""
    row = one if isinstance(one, Row) else Row(one[0], orjson.loads(one[1]), None)
    status = status_of(row, receipt)
    return status, receipt_line(row, receipt, status)


def _registered(one: Told, seq: int) -> bytes:
    """The line of a new record, as ``receipt_line`` would write it."""
    line, handle = (one.line, orjson.dumps(one.handle)) if isinstance(one, Row) else one
    return (
        b'{"line":%d,"handle":%b,"status":"registered","responseCode":1,"version":1,"seq":%d}\n'
        % (line, handle, seq)
    )
