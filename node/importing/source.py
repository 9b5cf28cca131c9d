"""The source file: what it is (told from its first bytes), which file it is, and its rows in blocks."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from node.importing.file_lines import codec_of_lines, decode_head, read_lines, read_samples
from registry.importing.csv_rows import CsvRows
from registry.importing.encoding import Encoding, Utf16ToUtf8, choose_encoding
from registry.importing.format import Format, choose_format
from registry.importing.lines import LineCutter
from registry.importing.mapping import Mapping
from registry.importing.plain_rows import NdjsonRows, TsvRows, read_object
from registry.importing.preparing import Shape
from registry.importing.resume import FileIdentity
from registry.importing.rows import Block, Fault, RowParser
from registry.importing.template import MappingError, place_of

ENDS_BYTES = 65_536
"""Digested at either end of the file to know it again."""
NAMED_OBJECTS = 1_000
"""Objects at the start of an NDJSON file whose names count as its columns."""


class Declared(NamedTuple):
    """What the operator said about the file; empty = tell from its bytes."""

    format: str = ""
    encoding: str = "auto"
    columns: tuple[str, ...] = ()
    """Names of the columns of a file that has no header."""


class Stretch(NamedTuple):
    """Some rows of the file."""

    block: Block
    start: int
    """Rows of the block before this are the header."""
    bytes_read: int
    """Of the file, up to the end of this block or a little further."""


class Source:
    """An opened source file. Make it with ``open_source``."""

    def __init__(
        self, path: Path, declared: Declared, encoding: Encoding, format_: Format, shape: Shape
    ) -> None:
        self.path, self.encoding, self.format, self.shape = path, encoding, format_, shape
        self.identity = identify(path)
        self._has_header = not declared.columns and format_.name != "ndjson"

    @property
    def reading(self) -> str:
        """How the file is read, part of what makes two runs the same import."""
        return "\0".join(
            (self.format.name, self.format.delimiter, self.encoding.name, *self.shape.columns)
        )

    def stretches(self, rows_wanted: Callable[[], int]) -> Iterator[Stretch]:
        """All rows, once, from the beginning; blocks of about as many rows as wanted at that moment."""
        parser = _parser(self.format, self.encoding, self.shape)
        header_due = self._has_header
        for lines, bytes_read, is_last in read_lines(self.path, self.encoding, rows_wanted):
            block = parser.parse(lines, is_last=is_last)
            start = 0
            if header_due:
                header = header_place(block)
                if header is None:
                    continue
                header_due, start = False, header + 1
            yield Stretch(block, start, bytes_read)


def open_source(path: Path, declared: Declared, mapping: Mapping) -> Source:
    """Raises ``MappingError`` (cannot be told, or lacks a mapped column) and ``OSError``. Nothing is written."""
    head, sample = read_samples(path)
    encoding = choose_encoding(declared.encoding, head, sample)
    text = decode_head(head, encoding)
    format_ = choose_format(declared.format, path.name, text, len(declared.columns))
    if format_.name == "ndjson":
        shape = _ndjson_shape(text, mapping)
    elif declared.columns:
        shape = Shape(declared.columns, may_be_short=True)
    else:
        shape = Shape(_header(head, encoding, format_), may_be_short=False)
    for column in mapping.columns:
        place_of(column, shape.columns)
        if list(shape.columns).count(column) > 1:
            raise MappingError(
                f"the column {column!r} stands {list(shape.columns).count(column)} times in the file",
                "name all columns yourself with --columns, each once",
            )
    return Source(path, declared, encoding, format_, shape)


def identify(path: Path) -> FileIdentity:
    """The facts by which a file is known again."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        digest = hashlib.blake2b(file.read(ENDS_BYTES), digest_size=16)
        file.seek(max(0, status.st_size - ENDS_BYTES))
        digest.update(file.read(ENDS_BYTES))
    return FileIdentity(status.st_size, status.st_mtime_ns, digest.digest())


def header_place(block: Block) -> int | None:
    """Position of the first row that is not blank."""
    return next((i for i, row in enumerate(block.rows) if row or i in block.bad), None)


def _parser(format_: Format, encoding: Encoding, shape: Shape) -> RowParser:
    codec = codec_of_lines(encoding)
    match format_.name:
        case "csv":
            return CsvRows(codec, format_.delimiter)
        case "tsv":
            return TsvRows(codec)
        case _:
            return NdjsonRows(codec, shape.columns)


def _header(head: bytes, encoding: Encoding, format_: Format) -> list[str]:
    data = head[len(encoding.mark) :]
    if encoding.name.startswith("utf-16"):
        data = Utf16ToUtf8(encoding.codec).feed(data, is_last=False)
    cutter = LineCutter()
    lines = cutter.feed(data) or cutter.finish()
    assert lines is not None, "an empty file was refused before"
    block = _parser(format_, encoding, Shape((), may_be_short=False)).parse(lines, is_last=True)
    place = header_place(block)
    if place is None:
        raise MappingError("the file has no header", "name its columns with --columns")
    if fault := block.bad.get(place):
        raise MappingError(
            f"the header, line {block.lines[place]}, cannot be read: {fault.reason}: {fault.detail}",
            "repair it, or name the columns with --columns",
        )
    return list(block.rows[place])


def _ndjson_shape(text: str, mapping: Mapping) -> Shape:
    names: dict[str, None] = {}
    for line in text.split("\n")[:NAMED_OBJECTS]:
        fields = read_object(line) if line.strip() else {}
        if not isinstance(fields, Fault):
            names.update(dict.fromkeys(fields))
    if not names:
        raise MappingError(
            "no line at the beginning of the file is a JSON object", "choose with --format"
        )
    for column in mapping.columns:
        place_of(column, list(names))
    return Shape(mapping.columns, may_be_short=False)
