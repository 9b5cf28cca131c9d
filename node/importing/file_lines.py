"""File lines: the first bytes of a source file, by which it is told what it is, and all of its lines in stretches."""

from collections.abc import Callable, Iterator
from pathlib import Path

from registry.importing.encoding import Encoding, Utf16ToUtf8
from registry.importing.lines import MAX_ROW_BYTES, LineCutter, Lines

HEAD_BYTES = 262_144
"""Looked at to tell format, encoding and columns; a header is a few hundred bytes."""
SAMPLE_SEARCH_BYTES = 268_435_456
"""How far the first non-ASCII text is looked for, a quarter of a second; behind it the file counts as ASCII."""
FIRST_CHUNK_BYTES = 65_536
LEAST_CHUNK_BYTES = 16_384
MAX_CHUNK_BYTES = MAX_ROW_BYTES // 2
"""UTF-16 grows by half when it becomes UTF-8, and a chunk must stay below the longest row."""


def read_samples(path: Path) -> tuple[bytes, bytes]:
    """The head, and the first whole lines that are not all ASCII (the head when there are none)."""
    with path.open("rb") as file:
        head = sample = file.read(HEAD_BYTES)
        while sample.isascii() and file.tell() < SAMPLE_SEARCH_BYTES:
            more = file.read(MAX_ROW_BYTES)
            if not more:
                return head, head
            sample = sample[sample.rfind(b"\n") + 1 :][-MAX_ROW_BYTES:] + more
        return head, sample + file.readline(MAX_ROW_BYTES)


def decode_head(head: bytes, encoding: Encoding) -> str:
    """The head as text, whatever it is."""
    return head[len(encoding.mark) :].decode(encoding.codec, "replace")


def codec_of_lines(encoding: Encoding) -> str:
    """In what the lines of ``read_lines`` are: UTF-16 has become UTF-8."""
    return "utf-8" if encoding.name.startswith("utf-16") else encoding.codec


def read_lines(
    path: Path, encoding: Encoding, rows_wanted: Callable[[], int]
) -> Iterator[tuple[Lines, int, bool]]:
    """All lines, once: stretches of about as many as wanted then, bytes read so far, whether it is the last."""
    cutter, size = LineCutter(), FIRST_CHUNK_BYTES
    utf16 = Utf16ToUtf8(encoding.codec) if encoding.name.startswith("utf-16") else None
    with path.open("rb", buffering=0) as file:
        file.seek(len(encoding.mark))
        while chunk := file.read(size):
            data = utf16.feed(chunk, is_last=False) if utf16 else chunk
            if lines := cutter.feed(data):
                row_bytes = len(lines.data) / max(1, lines.data.count(b"\n"))
                size = int(min(max(rows_wanted() * row_bytes, LEAST_CHUNK_BYTES), MAX_CHUNK_BYTES))
                yield lines, file.tell(), False
        if utf16:
            cutter.feed(utf16.feed(b"", is_last=True))  # at most half a character, never a line end
        yield cutter.finish() or Lines(cutter.next_line, b""), file.tell(), True
