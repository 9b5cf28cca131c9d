"""Patterns: what a value's text may look like. ``*`` stands for any text, also none; every other character for itself.

Case counts, as it does in the tables that the reverse look-up servlet of EUDAT searches. ``matches`` is the
definition; ``as_glob`` and ``trigrams`` say the same to SQLite, and a test holds the three together.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from protocols.errors import Malformed, TooLarge

MAX_PATTERN_BYTES = 2048
"""As much of a value as is searched by default; longer patterns could only be slow."""
TRIGRAM = 3
"""Characters in a row by which text inside a value is found."""

_STARS = re.compile(r"\*+")
_GLOB_MARKS = re.compile(r"[?\[]")


class Pattern(NamedTuple):
    """The texts between the stars, in order: ``("a", "b")`` is ``a*b``, ``("a",)`` exactly ``a``, ``("", "")`` all."""

    pieces: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        """Whether there is no star."""
        return len(self.pieces) == 1

    @property
    def is_anything(self) -> bool:
        """Whether every value is meant, also one that is not text."""
        return self.pieces == ("", "")

    @property
    def is_open(self) -> bool:
        """Whether anything may follow, so that the beginning of a long value is enough to know."""
        return len(self.pieces) > 1 and not self.pieces[-1]

    def matches(self, text: str) -> bool:
        """Whether the whole text is like this."""
        first, *rest = self.pieces
        if not rest:
            return text == first
        *middle, last = rest
        if not text.startswith(first) or len(text) < len(first) + len(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return text.endswith(last)

    def as_glob(self) -> str:
        """For SQLite's GLOB, whose other wildcards become themselves."""
        return "*".join(_GLOB_MARKS.sub(r"[\g<0>]", piece) for piece in self.pieces)

    def trigrams(self) -> Iterator[str]:
        """Some three characters in a row that every text like this contains; all pieces are covered, few overlap."""
        for piece in self.pieces:
            last = len(piece) - TRIGRAM
            for at in range(0, last + 1, TRIGRAM):
                yield piece[at : at + TRIGRAM]
            if last > 0 and last % TRIGRAM:
                yield piece[last:]


def read_pattern(text: str, field: str = "") -> Pattern:
    """Raises ``Malformed`` or ``TooLarge``, about ``field``."""
    size = len(text.encode())
    if size > MAX_PATTERN_BYTES:
        words = f"{field}: a pattern of {size} bytes, at most {MAX_PATTERN_BYTES} are searched for"
        raise TooLarge(words, field=field)
    if "\0" in text:
        raise Malformed(f"{field}: a zero byte is in no text", field=field)
    return Pattern(tuple(_STARS.split(text)))
