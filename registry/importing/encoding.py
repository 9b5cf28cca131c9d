"""Which encoding a source file is in: declared, or told from its bytes, and always named.

In this order:

1. A declared encoding wins (``--encoding``); a byte order mark only chooses between the two kinds of ``utf-16``.
2. A byte order mark: ``EF BB BF`` UTF-8, ``FF FE`` UTF-16 LE, ``FE FF`` UTF-16 BE (Unicode Standard §23.8).
3. Zero bytes on one side of the pairs only, and beside nine in ten line ends: UTF-16 without a mark. Separators and
   line ends are ASCII in any export.
4. Lines with bytes above 127 vote. Half of them being UTF-8 is enough: other encodings are UTF-8 by accident once in
   thousands of lines, so the rest are damaged rows of a UTF-8 file.
5. Nine in ten being GB18030 and most of their pairs lying in the GB 2312 square (both bytes ≥ A1): GB18030. Latin text
   of Europe passes the first half of this test, not the second.
6. Neither: the operator has to say. Pure ASCII is UTF-8.
"""

import codecs
import re
from typing import NamedTuple

from registry.importing.template import MappingError, nearest

MAX_VOTING_LINES = 2_000
"""Enough to be sure, and few enough to be instant."""
UTF8_SHARE, GB18030_SHARE = 0.5, 0.9
_PAIR = re.compile(rb"[\x81-\xfe](?:[\x30-\x39][\x81-\xfe][\x30-\x39]|[\x40-\x7e\x80-\xfe])")


class Encoding(NamedTuple):
    """An encoding the importer reads. All of them keep line ends and separators recognisable as bytes (UTF-16 after
    ``Utf16ToUtf8``)."""

    name: str
    codec: str
    mark: bytes
    """Byte order mark at the start of the file, to be skipped."""
    reason: str
    """How it was told, for people."""


_CODECS = {
    "utf-8": "utf-8",
    "gb18030": "gb18030",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
}
_ALIASES = {"utf8": "utf-8", "utf-8-sig": "utf-8", "gbk": "gb18030", "gb2312": "gb18030"}
_MARKS = (
    ("utf-8", codecs.BOM_UTF8),
    ("utf-16-le", codecs.BOM_UTF16_LE),
    ("utf-16-be", codecs.BOM_UTF16_BE),
)
DECLARABLE = ("auto", *_CODECS, "utf-16")
"""What ``--encoding`` takes."""


def choose_encoding(declared: str, head: bytes, sample: bytes) -> Encoding:
    """``head``: the file's first bytes; ``sample``: its first whole lines that are not all ASCII, if there are any.

    Raises ``MappingError`` for an unknown name or an encoding that cannot be told.
    """
    if declared == "auto":
        return _from_mark(head) or _from_zero_bytes(head) or _from_vote(sample)
    name = _ALIASES.get(declared.lower(), declared.lower())
    marked = _from_mark(head)
    if name == "utf-16":
        name = marked.name if marked and marked.name != "utf-8" else "utf-16-le"
    if name not in _CODECS:
        near = nearest(name, DECLARABLE)
        raise MappingError(
            f"encoding {declared!r} is not read here; one of: {', '.join(DECLARABLE)}",
            f"did you mean --encoding {near}?" if near else "",
        )
    mark = marked.mark if marked and marked.name == name else b""
    return Encoding(name, _CODECS[name], mark, "declared")


def _from_mark(head: bytes) -> Encoding | None:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise MappingError("the file is UTF-32", "save it as UTF-8 and try again")
    for name, mark in _MARKS:
        if head.startswith(mark):
            return Encoding(name, _CODECS[name], mark, "byte order mark")
    return None


def _from_zero_bytes(head: bytes) -> Encoding | None:
    in_first, in_second = head[::2].count(0), head[1::2].count(0)
    # A UTF-8 file may hold stray zero bytes. In UTF-16 every separator and line end has one, all on one side, save for
    # the rare character whose other byte is zero (U+4E00 is one: 一), and nearly every byte 0A is half a line end.
    least, line_ends = max(2, len(head) // 100), head.count(b"\n")
    if (
        in_second >= least
        and in_second > 4 * in_first
        and 10 * head.count(b"\n\0") >= 9 * line_ends
    ):
        return Encoding("utf-16-le", "utf-16-le", b"", "zero bytes in every second place")
    if in_first >= least and in_first > 4 * in_second and 10 * head.count(b"\0\n") >= 9 * line_ends:
        return Encoding("utf-16-be", "utf-16-be", b"", "zero bytes in every first place")
    return None


def _from_vote(sample: bytes) -> Encoding:
    voters = [line for line in sample.split(b"\n") if not line.isascii()][:MAX_VOTING_LINES]
    if not voters:
        return Encoding("utf-8", "utf-8", b"", "pure ASCII")
    utf8 = sum(_is_valid(line, "utf-8") for line in voters)
    if utf8 >= UTF8_SHARE * len(voters):
        return Encoding(
            "utf-8", "utf-8", b"", f"as are {utf8} of {len(voters)} lines with non-ASCII text"
        )
    gb18030 = sum(_is_valid(line, "gb18030") for line in voters)
    if gb18030 >= GB18030_SHARE * len(voters) and _lies_in_gb2312(b"\n".join(voters)):
        return Encoding(
            "gb18030",
            "gb18030",
            b"",
            f"as are {gb18030} of {len(voters)} lines with non-ASCII text",
        )
    raise MappingError(
        f"cannot tell the encoding: of {len(voters)} lines with non-ASCII text {utf8} are UTF-8"
        f" and {gb18030} GB18030",
        "name it with --encoding utf-8 or --encoding gb18030; rows it does not fit are rejected",
    )


def _is_valid(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _lies_in_gb2312(text: bytes) -> bool:
    pairs: list[bytes] = _PAIR.findall(text)
    return 2 * sum(pair[1] >= 0xA1 for pair in pairs) >= len(pairs)


class Utf16ToUtf8:
    """Turns UTF-16 bytes, as they come, into UTF-8 whose damaged parts stay recognisably damaged.

    Half a surrogate pair becomes its three-byte form and an odd last byte becomes FF: neither is UTF-8, so exactly
    the rows that hold them are rejected when their lines are decoded.
    """

    def __init__(self, codec: str) -> None:
        self._decoder = codecs.getincrementaldecoder(codec)("surrogatepass")

    def feed(self, data: bytes, *, is_last: bool) -> bytes:
        """UTF-8 of what is whole so far."""
        text = self._decoder.decode(data).encode("utf-8", "surrogatepass")
        if is_last and self._decoder.getstate()[0]:
            text += b"\xff"
        return text
