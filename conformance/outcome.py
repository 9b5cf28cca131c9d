"""Outcome: how one check ended, with what was expected and what came.

A check is a function that returns when the node kept the promise, and raises otherwise: ``Failed`` (the promise was
broken), ``NotOffered`` (the node says that it does not have this, and the standard lets it), ``Unable`` (what the check
needs first could not be made). ``expect`` and its kin raise ``Failed``.
"""

from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    """How a check can end."""

    PASS = "pass"  # noqa: S105  not a password
    FAIL = "fail"
    NOT_OFFERED = "not-offered"
    """The node refused in the way the standard prescribes for what it does not have."""
    NOT_TRIED = "not-tried"
    """Whoever started the run did not name what the check needs: an administrator, an HTTP address."""
    ERROR = "error"
    """The check could not be carried out; says nothing about the promise."""


class Result(NamedTuple):
    """One row of the report."""

    check_id: str
    verdict: Verdict
    expected: str = ""
    came: str = ""
    """What came instead; of ``NOT_OFFERED``, ``NOT_TRIED`` and ``ERROR``: why."""
    took_s: float = 0.0


class Failed(Exception):
    """The node did not do what the requirement says."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}, came {came}")
        self.expected = expected
        self.came = came


class NotOffered(Exception):
    """The node has no such thing, which it may."""


class Unable(Exception):
    """The check cannot be carried out: no connection, a record it needs cannot be registered."""


def expect(is_so: object, expected: str, came: object) -> None:
    """Raises ``Failed`` unless ``is_so``; ``came`` is shown as text."""
    if not is_so:
        raise Failed(expected, show(came))


def expect_equal(what: str, expected: object, came: object) -> None:
    """Raises ``Failed`` unless both are equal; ``what`` names them, e.g. ``request id``."""
    if expected != came:
        raise Failed(f"{what} {show(expected)}", show(came))


def show(thing: object) -> str:
    """Short text for a report: bytes as text where they are some, cut at 200 letters."""
    text = _bytes_as_text(thing) if isinstance(thing, bytes) else str(thing)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _bytes_as_text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.hex()
    return text if text.isprintable() else data.hex()
