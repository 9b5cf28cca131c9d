"""Marks: by which a whole text, or what it begins with, is found. Checksums, so a mark finds candidates, not truths.

A text has a mark for all of it and one for each beginning of 8, 16, … 64 characters. An ordinary index over texts would
be smaller, but texts come in any order, and each would be written into a page of its own: the full-text index that
keeps marks collects what is new and merges it in order.
"""

import zlib
from collections.abc import Iterator

from node.search.patterns import Pattern

STEP = 8
"""Characters between two beginnings that are marked."""
MOST = 64
"""Characters of the longest marked beginning."""
_WHOLE = "w"
_SIZES = {size: chr(ord("a") + size // STEP - 1) for size in range(STEP, MOST + 1, STEP)}
"""How a mark begins, by the size of what it marks."""


def marks_of(type_: int, text: str, *, is_cut: bool) -> Iterator[str]:
    """All marks of a text of this type; ``is_cut``: the value goes on, so this is not all of it."""
    checksum = zlib.crc32(b"%d" % type_)
    if not is_cut:
        yield f"{_WHOLE}{zlib.crc32(text.encode(), checksum):08x}"
    for size in range(STEP, min(len(text), MOST) + 1, STEP):
        checksum = zlib.crc32(text[size - STEP : size].encode(), checksum)
        yield f"{_SIZES[size]}{checksum:08x}"


def mark_of(type_: int, pattern: Pattern) -> str | None:
    """The most telling mark of every text that is like the pattern; None when it begins with too little."""
    first = pattern.pieces[0]
    marks = list(marks_of(type_, first, is_cut=not pattern.is_exact))
    return (marks[0] if pattern.is_exact else marks[-1]) if marks else None
