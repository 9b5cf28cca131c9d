"""Checks that a column's text must pass before its row is registered, by name.

``gtin``: a GS1 trade item number is 8, 12, 13 or 14 digits; weighted 3 and 1 in turn from the right, the check digit
itself with 1, they add up to a multiple of ten (GS1 General Specifications §7.9).
"""

from collections.abc import Callable
from typing import NamedTuple

from registry.importing.template import MappingError, Template, nearest

Check = Callable[[bytes], str]
"""The reason for refusing this text, empty when it passes."""

GTIN_LENGTHS = frozenset((8, 12, 13, 14))
# With b"0" = 48, digits summed as bytes are too large by 48 for every digit of weight 1 and by 144 for weight 3.
_SURPLUS = {size: 48 * ((size + 1) // 2 + 3 * (size // 2)) for size in GTIN_LENGTHS}


class NamedCheck(NamedTuple):
    """One ``--check``: which check is made of which column."""

    name: str
    column: str


def check_gtin(text: bytes) -> str:
    """``"length"``, ``"check digit"`` or nothing."""
    surplus = _SURPLUS.get(len(text))
    if surplus is None or not text.isdigit():
        return "length"
    if (sum(text[::-2]) + 3 * sum(text[-2::-2]) - surplus) % 10:
        return "check digit"
    return ""


CHECKS: dict[str, Check] = {"gtin": check_gtin}


def parse_check(source: str, suffix: Template) -> NamedCheck:
    """``gtin`` (the suffix's only column) or ``gtin:column``. Raises ``MappingError``."""
    name, colon, column = source.partition(":")
    if name not in CHECKS:
        near = nearest(name, list(CHECKS))
        raise MappingError(
            f"there is no check {name!r}; there is: {', '.join(CHECKS)}",
            f"did you mean --check {near}?" if near else "",
        )
    if colon and column:
        return NamedCheck(name, column)
    if len(suffix.columns) != 1:
        raise MappingError(
            f"--check {name}: the suffix has {len(suffix.columns)} columns, so which one to check is not clear",
            f"name it: --check {name}:COLUMN",
        )
    return NamedCheck(name, suffix.columns[0])
