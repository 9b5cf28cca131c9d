"""Value lines of GenericBatch files (Handle.Net manual, batch operation)::

    <index> <type> <ttl> <permissions> UTF8 <text>
    <index> <type> <ttl> <permissions> ADMIN <index>:<permission digits>:<handle>
    <index> <type> <ttl> <permissions> LIST <index>:<handle>;<index>:<handle>;…
    <index> <type> <ttl> <permissions> FILE <path>

``<permissions>`` are four digits: administrators read, administrators write, everybody reads, everybody writes. The
digits of ADMIN stand *least* significant bit first, from "add handle" to "list handles"; JSON has them the other way.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES
from protocols.values.admin import Admin, encode_admin
from protocols.values.data import data_type_of
from protocols.values.value import MAX_DATA_BYTES, Reference, Value, parse_index
from protocols.values.vlist import encode_vlist
from registry.importing.orders import BAD_VALUE
from registry.importing.rows import Fault
from registry.value_rules import flaw_of

READ_NO_FILES = Fault(
    "file refused", "the file names another file to read; --allow-files lets it be read"
)
ADMIN_DIGITS = 12
BLANKS = " \t\r\v\f\0"
"""What separates words and is cut off at the ends. Other spaces, such as U+3000, are text."""
GAP = re.compile("[ \t\v\f]+")
_PERMISSIONS = re.compile(r"[01]{4}")
_DIGITS = re.compile(f"[01]{{{ADMIN_DIGITS}}}")
_FIELDS = ("index", "type", "ttl", "permissions", "format", "data")

MAX_KEPT = 4_096
"""Heads and lines kept; real files have some ten."""

ReadFile = Callable[[str, str], bytes | Fault]
"""``(value type, path)`` -> the data, or why it is not read."""


class Flaw(NamedTuple):
    """What is wrong with one value line."""

    reason: str
    field: str
    detail: str

    def at(self, line: int) -> Fault:
        """As the fault of its record."""
        return Fault(self.reason, f"line {line}: {self.detail}", self.field)


class _Bad(Exception):
    """Never leaves this file."""

    def __init__(self, field: str, detail: str, reason: str = BAD_VALUE) -> None:
        super().__init__(detail)
        self.flaw = Flaw(reason, field, detail)


def refuse_files(_type: str, _path: str) -> Fault:
    """A ``ReadFile`` that reads none."""
    return READ_NO_FILES


class ValueLines:
    """Reads value lines. Files say the same of every record but for a few words, so that is checked once."""

    def __init__(self, read_file: ReadFile) -> None:
        self._read_file = read_file
        self._heads: dict[tuple[str, ...], Value] = {}
        """What stands in front of a text that any bytes may be -> its value without data."""
        self._lines: dict[str, Value] = {}
        """Whole lines that name administrators."""

    def read(self, text: str) -> Value | Flaw:
        """One value, or what is wrong with the line and what to do about it."""
        known = self._lines.get(text)
        if known is not None:
            return known
        parts = GAP.split(text, len(_FIELDS) - 1)
        head = tuple(parts[:5])
        like = self._heads.get(head)
        if like is not None and len(parts) > 5:
            data = parts[5].encode()
            if len(data) <= MAX_DATA_BYTES:
                return Value(like[0], like[1], data, *like[3:])
        value = read_value_line(text, self._read_file)
        if isinstance(value, Value) and len(parts) > 5:
            self._keep(text, head, value)
        return value

    def _keep(self, text: str, head: tuple[str, ...], value: Value) -> None:
        kept = len(self._heads) + len(self._lines)
        if kept < MAX_KEPT and head[4].upper() == "ADMIN":
            self._lines[text] = value
        elif kept < MAX_KEPT and head[4].upper() == "UTF8" and _is_free(value.type):
            self._heads[head] = value


def _is_free(type_: str) -> bool:
    """Whether any text will do as its data."""
    entry = data_type_of(type_)
    return entry is None or entry is data_type_of("URL")


def read_value_line(text: str, read_file: ReadFile) -> Value | Flaw:
    """The long way of ``ValueLines``."""
    try:
        value = _read(text, read_file)
    except _Bad as bad:
        return bad.flaw
    except ProtocolError as error:
        return Flaw(BAD_VALUE, error.field or "data", str(error))
    flaw = flaw_of(value)
    return value if flaw is None else Flaw(BAD_VALUE, flaw.field, flaw.reason)


def _read(text: str, read_file: ReadFile) -> Value:
    parts = GAP.split(text, len(_FIELDS) - 1)
    if not parts[0].isdigit():
        words = f"{parts[0][:20]!r} is neither the index of a value nor an operation"
        raise _Bad("index", words)
    if len(parts) < len(_FIELDS) - 1:
        missing = _FIELDS[len(parts)]
        raise _Bad(missing, f"the {missing} is missing; a value is: index type ttl 1110 UTF8 text")
    index, type_, ttl, permissions, format_ = parts[:5]
    data = parts[5].rstrip(BLANKS) if len(parts) > 5 else ""
    if not _PERMISSIONS.fullmatch(permissions):
        raise _Bad("permissions", f"{permissions[:20]!r} is not four digits 0 or 1, such as 1110")
    read = _FORMATS.get(format_.upper())
    if read is None and format_.upper() != "FILE":
        known = ", ".join((*_FORMATS, "FILE"))
        raise _Bad("format", f"{format_[:20]!r} is none of {known}")
    found = read(data) if read is not None else read_file(type_, data)
    if isinstance(found, Fault):
        raise _Bad("data", found.detail, found.reason)
    return Value(
        _number("index", index), type_, found, _number("ttl", ttl), permissions=int(permissions, 2)
    )


def _number(field: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise _Bad(field, f"{text[:20]!r} is not a number from 0 up")
    return int(text)


def _read_text(text: str) -> bytes:
    return text.encode()


def _read_admin(text: str) -> bytes:
    index, _, rest = text.partition(":")
    digits, _, handle = rest.partition(":")
    digits, handle = digits.strip(BLANKS), handle.strip(BLANKS)
    if not _DIGITS.fullmatch(digits):
        raise _Bad(
            "data",
            f"{digits[:20]!r} is not {ADMIN_DIGITS} digits 0 or 1; ADMIN data is index:digits:handle",
        )
    permissions = int(digits[::-1], 2)
    return encode_admin(Admin(_handle(handle), parse_index(index.strip(BLANKS)), permissions))


def _read_list(text: str) -> bytes:
    references: list[Reference] = []
    for part in filter(None, (part.strip(BLANKS) for part in text.split(";"))):
        name = read_name(part)
        references.append(name._replace(handle=_handle(name.handle)))
    if not references:
        raise _Bad("data", "the list is empty; LIST data is index:handle;index:handle;")
    return encode_vlist(tuple(references))


def read_name(text: str) -> Reference:
    """``index:handle``, blanks around either left out; the handle may be any text. Raises ``NoReference``."""
    index, _, handle = text.partition(":")
    return Reference(handle.strip(BLANKS), parse_index(index.strip(BLANKS)))


def _handle(text: str) -> str:
    if not text or len(text.encode()) > MAX_IDENTIFIER_BYTES:
        raise _Bad("data", "the handle is missing or too long")
    return text


_FORMATS: dict[str, Callable[[str], bytes]] = {
    "UTF8": _read_text,
    "ADMIN": _read_admin,
    "LIST": _read_list,
}
