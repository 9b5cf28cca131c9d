"""A cursor over parsed JSON: every read is checked and knows its path, e.g. ``values[2].data.value``.

JSON's own limits come first: size and number of containers before parsing, depth right after it. Members nobody reads
are ignored, as the reference server does, so that documents with additions of other clients are understood.
"""

import re
from collections.abc import Iterator
from typing import NoReturn

import orjson

from protocols.errors import Malformed, ProtocolError, TooLarge

MAX_JSON_BYTES = 2_000_000
"""The largest record (250,000 bytes) with every byte written as a six-character escape, and room for the frame."""
MAX_DEPTH = 32
"""Our deepest document (a site's key inside a record) has 10 levels."""

MAX_CONTAINERS = 32_768
"""Lists and objects in one document; the largest group of administrators that fits a record has 27,000."""
_UNCOUNTED_BYTES = 2 * MAX_CONTAINERS
"""A shorter document cannot have so many."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Also one that never ends: it must not be searched for its end again from each quote inside it."""

MAX_U32 = 0xFFFF_FFFF


class JsonReader:
    """One JSON value and where it stands. Raises ``Malformed`` or ``TooLarge`` with the path in ``field``."""

    __slots__ = ("_above", "_step", "value")

    def __init__(self, value: object, above: "JsonReader | None" = None, step: str = "") -> None:
        self.value = value
        self._above = above
        self._step = step

    @property
    def path(self) -> str:
        """``values[2].data.value``; the document itself is ``""``."""
        steps = []
        reader: JsonReader | None = self
        while reader is not None:
            steps.append(reader._step)  # noqa: SLF001  # of this class
            reader = reader._above  # noqa: SLF001
        return "".join(reversed(steps)).removeprefix(".")

    @property
    def is_object(self) -> bool:
        """Whether this is a JSON object."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether this is a JSON array."""
        return isinstance(self.value, list)

    def get(self, member: str) -> "JsonReader | None":
        """A member of this object; None when it is missing or null."""
        if not isinstance(self.value, dict):
            self.refuse("an object expected")
        value = self.value.get(member)
        return None if value is None else JsonReader(value, self, f".{member}")

    def need(self, member: str) -> "JsonReader":
        """A member of this object that must be there."""
        reader = self.get(member)
        if reader is None:
            JsonReader(None, self, f".{member}").refuse("missing")
        return reader

    def items(self, limit: int) -> "Iterator[JsonReader]":
        """The elements of this array, at most ``limit``."""
        if not isinstance(self.value, list):
            self.refuse("an array expected")
        if len(self.value) > limit:
            raise TooLarge(
                self._at(f"{len(self.value)} items, at most {limit} allowed"), field=self.path
            )
        return (JsonReader(item, self, f"[{at}]") for at, item in enumerate(self.value))

    def read_text(self, limit_bytes: int) -> str:
        """A string of at most ``limit_bytes`` in UTF-8."""
        if not isinstance(self.value, str):
            self.refuse("a string expected")
        if len(self.value) * 4 > limit_bytes:  # only then can it be too long
            size = len(self.value.encode())
            if size > limit_bytes:
                raise TooLarge(
                    self._at(f"{size} bytes, at most {limit_bytes} allowed"), field=self.path
                )
        return self.value

    def read_int(self, least: int = 0, most: int = MAX_U32) -> int:
        """A whole number, also written as a string of digits (clients of the reference server do that)."""
        value = self.value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
            value = int(value)
        if type(value) is not int:
            self.refuse("a whole number expected")
        if not least <= value <= most:
            self.refuse(f"a number from {least} to {most} expected")
        return value

    def read_bool(self) -> bool:
        """``true`` or ``false``."""
        if not isinstance(self.value, bool):
            self.refuse("true or false expected")
        return self.value

    def refuse(self, clause: str) -> NoReturn:
        """Say what is wrong here."""
        raise Malformed(self._at(clause), field=self.path)

    def locate(self, error: ProtocolError) -> ProtocolError:
        """``error`` of a decoder below this place, with the path put in front of its field and reason."""
        glue = "." if error.field and self.path else ""
        reason = f"{self.path}{glue}{error.reason}" if error.field else self._at(error.reason)
        return type(error)(reason, field=f"{self.path}{glue}{error.field}")

    def _at(self, clause: str) -> str:
        path = self.path
        return f"{path}: {clause}" if path else clause


def parse_json(body: bytes, limit_bytes: int = MAX_JSON_BYTES) -> JsonReader:
    """Raises ``TooLarge`` (size, depth) or ``Malformed`` with the offset of the character that broke the syntax."""
    if len(body) > limit_bytes:
        raise TooLarge(f"JSON: {len(body)} bytes, at most {limit_bytes} allowed")
    if len(body) > _UNCOUNTED_BYTES and _count_containers(body) > MAX_CONTAINERS:
        raise TooLarge(f"JSON: more than {MAX_CONTAINERS} lists and objects")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"JSON: {error.msg}", error.pos) from None
    if _is_deeper(document, MAX_DEPTH):
        raise TooLarge(f"JSON: more than {MAX_DEPTH} levels deep")
    return JsonReader(document)


def _count_containers(body: bytes) -> int:
    """Opening brackets outside strings: some 10 ms for the largest body, where making the lists took 400."""
    bare = _STRING.sub(b"", body)
    return bare.count(b"[") + bare.count(b"{")


def _is_deeper(document: object, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(node, dict | list) for node in level)


def _children(node: object) -> list[object]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [child for child in inner if isinstance(child, dict | list)]
