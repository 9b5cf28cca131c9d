"""Records as JSON: what Handle.Net's dump and load tools write and read, and what the JSON API answers::

    {"homedPrefixes": ["0.NA/88.118"], "handleRecords": {"88.118/1": {"handle": "88.118/1", "values": [...]}, …}}
    {"handle": "88.118/1", "values": [...]}          one object after another, or all of them in one array

Read piece by piece: only one record is held at a time, however large the file.
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path

from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES, parse_identifier
from protocols.message import Command, Operation
from protocols.rest.json_reader import JsonReader, parse_json
from protocols.rest.value_json import read_value_json, read_values_json
from protocols.values.value import Value
from protocols.values.value_list import MAX_VALUES
from registry.importing.encoding import Encoding
from registry.importing.orders import (
    BAD_VALUE,
    MAX_ORDER_BYTES,
    NO_IDENTIFIER,
    NO_VALUES,
    Broken,
    Item,
    Order,
    Remark,
)
from registry.importing.rows import NOT_ENCODED, Fault
from registry.value_rules import flaw_of

PIECE_BYTES = 262_144
PREFIXES, RECORDS = "homedPrefixes", "handleRecords"
_BLANK = re.compile(r"[ \t\r\n]*")
_DUMP = re.compile(rf'\s*\{{\s*"(?:{PREFIXES}|{RECORDS})"\s*:')
_RECORD = re.compile(r'\s*\[?\s*\{[^{}\[\]]*"handle"\s*:')
_DECODER = json.JSONDecoder(strict=False)


class _Stop(Exception):
    """The text is no such document from here on; never leaves this file."""


def is_handle_json(text: str) -> bool:
    """Whether a file with this beginning holds records as JSON."""
    return bool(_DUMP.match(text) or (_RECORD.match(text) and '"values"' in text))


class HandleJson:
    """The orders of one file. Use ``items`` once; ``bytes_read`` says how far it has come."""

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self._path, self._encoding = path, encoding
        self._text, self._at, self._line = "", 0, 1
        self._pieces: Iterator[str] = iter(())
        self.bytes_read = 0

    def items(self) -> Iterator[Item]:
        """All of them, in order; a ``Broken`` is the last."""
        self._pieces = self._read_pieces()
        try:
            if self._peek() == "[":
                self._at += 1
                yield from self._records_until("]")
            elif self._is_dump():
                yield from self._dump()
            else:
                yield from self._records_until("")
        except _Stop as stop:
            words = f"{stop}; what stands before it was read, nothing behind it"
            yield Broken(self._line, words)

    def _is_dump(self) -> bool:
        while not _DUMP.match(self._text, self._at) and len(self._text) < PIECE_BYTES:
            if not self._fill():
                break
        return bool(_DUMP.match(self._text, self._at))

    def _dump(self) -> Iterator[Item]:
        self._take("{")
        while self._peek() != "}":
            name = self._name()
            if name == PREFIXES:
                yield from self._prefixes()
            elif name == RECORDS:
                self._take("{")
                yield from self._named_records()
            else:
                line, _ = self._line, self._value()
                yield Remark(line, f"{name[:40]!r} is passed over")
            if self._peek() == ",":
                self._at += 1
        self._take("}")

    def _prefixes(self) -> Iterator[Item]:
        self._peek()
        line, (text, found) = self._line, self._value()
        for name in found if isinstance(found, list) else (found,):
            try:
                identifier = parse_identifier(name if isinstance(name, str) else "")
            except ProtocolError as error:
                yield Order(line, [text[:200]], None, Fault(NO_IDENTIFIER, str(error), PREFIXES))
                continue
            yield Order(line, [f"HOME {identifier.text}"], Command(Operation.HOST, identifier))

    def _named_records(self) -> Iterator[Item]:
        while self._peek() != "}":
            line, name = self._line, self._name()
            text, _ = self._value()
            yield read_record_order(line, text, name)
            if self._peek() == ",":
                self._at += 1
        self._take("}")

    def _records_until(self, end: str) -> Iterator[Item]:
        while self._peek() != end:
            line = self._line
            text, _ = self._value()
            yield read_record_order(line, text)
            if self._peek() == ",":
                self._at += 1

    # the text

    def _read_pieces(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self._encoding.codec)("surrogateescape")
        with self._path.open("rb", buffering=0) as file:
            file.seek(len(self._encoding.mark))
            while data := file.read(PIECE_BYTES):
                self.bytes_read = file.tell()
                yield decoder.decode(data)
            yield decoder.decode(b"", True)  # noqa: FBT003  (the codec's own signature)

    def _fill(self) -> bool:
        """More text behind what is there; what has been read is let go. False at the end of the file."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._text = self._text[self._at :] + piece
        self._at = 0
        return True

    def _skip_blank(self) -> None:
        end = _blank_end(self._text, self._at)
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _peek(self) -> str:
        """The next character that is not blank; "" at the end of the file."""
        self._skip_blank()
        while self._at == len(self._text):
            if not self._fill():
                return ""
            self._skip_blank()
        return self._text[self._at]

    def _take(self, expected: str) -> None:
        found = self._peek()
        if found != expected:
            raise _Stop(f"{expected!r} expected, {found or 'the end of the file'!r} found")
        self._at += 1

    def _name(self) -> str:
        if self._peek() != '"':
            raise _Stop("a name in quotes expected")
        _, name = self._value()
        self._take(":")
        return str(name)

    def _value(self) -> tuple[str, object]:
        """The next value: its text, and what it is."""
        self._peek()
        found, end = self._decoded()
        text = self._text[self._at : end]
        self._line += text.count("\n")
        self._at = end
        return text, found

    def _decoded(self) -> tuple[object, int]:
        """The next value, and where it ends; as much is read as it takes."""
        while True:
            try:
                return _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > MAX_ORDER_BYTES:
                    raise _Stop(f"no JSON within {MAX_ORDER_BYTES} characters") from None
                if not self._fill():
                    words = getattr(error, "msg", "nested too deeply")
                    raise _Stop(f"not JSON ({words}), or the file is cut off") from None


def _blank_end(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None, "nothing is blank enough"
    return match.end()


def read_record_order(line: int, text: str, name: str = "") -> Order:
    """One record to be created. ``name``: under which it stands, when it does not say itself."""
    try:
        reader = parse_json(text.encode())
        handle = reader.get("handle")
        shown = name if handle is None else handle.read_text(2 * MAX_IDENTIFIER_BYTES)
        try:
            identifier = parse_identifier(shown)
        except ProtocolError as error:
            return _refused(line, text, Fault(NO_IDENTIFIER, str(error), "handle"))
        values = _read_values(reader)
    except UnicodeEncodeError:
        return _refused(
            line, text, Fault(NOT_ENCODED, "bytes that the file's encoding does not have")
        )
    except ProtocolError as error:
        return _refused(line, text, Fault(BAD_VALUE, str(error), error.field))
    if not values:
        return _refused(line, text, Fault(NO_VALUES, "the record has no values"))
    for at, value in enumerate(values):
        flaw = flaw_of(value)
        if flaw is not None:
            return _refused(line, text, Fault(BAD_VALUE, flaw.reason, f"values[{at}].{flaw.field}"))
    command = Command(Operation.PUT, identifier, values, overwrite=False)
    return Order(line, [text], command)


def _read_values(reader: JsonReader) -> tuple[Value, ...]:
    """A list of values, or an object of them by index, as dumps of some versions have it."""
    values = reader.need("values")
    if isinstance(values.value, dict):
        if len(values.value) > MAX_VALUES:
            values.refuse(f"more than {MAX_VALUES} values")
        return tuple(
            read_value_json(
                JsonReader({"index": index, **value} if isinstance(value, dict) else value)
            )
            for index, value in values.value.items()
        )
    return read_values_json(values)


def _refused(line: int, text: str, fault: Fault) -> Order:
    return Order(line, [text], None, fault)
