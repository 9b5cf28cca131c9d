"""Keys: which identifiers are asked for: made from a pattern, or read from a file, one a line.

A pattern is an identifier with ranges in braces, ``88.118.7/SN-{000000..999999}``; both ends belong to it, and a number
is as wide as the first end is written. Several ranges make every combination; the last counts fastest.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from protocols.errors import ProtocolError
from protocols.identifier import parse_identifier

MAX_KEYS_IN_A_FILE = 10_000_000
"""Held in memory by every process; a pattern has no such bound."""
MISS_MARK = b"~not-there"
"""What is put behind a key to make one that nobody registered."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class BadKeys(ValueError):
    """No keys can be made of this; ``str()`` says why."""


class Keys(Protocol):
    """Identifiers by number."""

    @property
    def count(self) -> int:
        """How many there are, at least 1."""

    def key(self, number: int) -> bytes:
        """The identifier ``number``, from 0, UTF-8."""


class _Span(NamedTuple):
    """One range of a pattern, and the text in front of it."""

    before: str
    first: int
    numbers: int
    width: int


class PatternKeys:
    """The identifiers of a pattern."""

    def __init__(self, pattern: str) -> None:
        """Raises ``BadKeys``."""
        self._spans: list[_Span] = []
        end = 0
        for found in _RANGE.finditer(pattern):
            first, last = int(found[1]), int(found[2])
            if last < first:
                raise BadKeys(f"{found[0]}: ends before it begins")
            before = pattern[end : found.start()]
            self._spans.append(_Span(before, first, last - first + 1, len(found[1])))
            end = found.end()
        self._tail = pattern[end:]
        if "{" in self._tail or any("{" in span.before for span in self._spans):
            raise BadKeys(f"{pattern}: a range is written {{000000..999999}}")
        self.count = 1
        for span in self._spans:
            self.count *= span.numbers
        _check(self.key(0).decode())

    def key(self, number: int) -> bytes:
        """As ``Keys`` says."""
        text = self._tail
        for span in reversed(self._spans):
            number, place = divmod(number, span.numbers)
            text = f"{span.before}{span.first + place:0{span.width}d}{text}"
        return text.encode()


class ListedKeys:
    """Identifiers held in memory."""

    def __init__(self, listed: Sequence[bytes]) -> None:
        """Raises ``BadKeys``."""
        if not listed:
            raise BadKeys("no identifiers")
        self._listed = listed
        self.count = len(listed)

    def key(self, number: int) -> bytes:
        """As ``Keys`` says."""
        return self._listed[number]


def read_keys(path: Path) -> ListedKeys:
    """One identifier a line; blank lines are skipped. Raises ``BadKeys``."""
    listed = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number > MAX_KEYS_IN_A_FILE:
                raise BadKeys(f"{path}: more than {MAX_KEYS_IN_A_FILE:,} lines")
            if text := line.strip():
                listed.append(text)
    if not listed:
        raise BadKeys(f"{path}: no identifiers")
    try:
        _check(listed[0].decode())
    except UnicodeDecodeError:
        raise BadKeys(f"{path}: not UTF-8") from None
    except BadKeys as error:
        raise BadKeys(f"{path}, line 1: {error}") from None
    return ListedKeys(listed)


def _check(text: str) -> None:
    try:
        parse_identifier(text)
    except ProtocolError as error:
        raise BadKeys(f"{text!r} is no identifier: {error}") from None
