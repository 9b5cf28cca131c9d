"""Tally: what became of the rows so far, and how many were refused for which reason."""

from collections.abc import Iterable
from typing import NamedTuple

MAX_REASONS = 64
"""Different reasons counted by name; the registrar's own words are free text, so the rest is counted as ``other``."""
OTHER = "other"


class Tally(NamedTuple):
    """Counts of rows. Every row read is in exactly one of the others."""

    read: int = 0
    registered: int = 0
    unchanged: int = 0
    updated: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    """How many were rejected, by reason, in order of name."""
    deleted: int = 0

    @property
    def rejected(self) -> int:
        """Over all reasons."""
        return sum(count for _, count in self.reasons)

    def plus(self, read: int, statuses: bytes, reasons: Iterable[str]) -> "Tally":
        """After one more batch: rows read, the registrar's statuses (``r``, ``u``, ``=``, ``d`` deleted) and a
        reason for every rejected row."""
        counts = dict(self.reasons)
        for reason in reasons:
            name = reason if reason in counts or len(counts) < MAX_REASONS else OTHER
            counts[name] = counts.get(name, 0) + 1
        return Tally(
            self.read + read,
            self.registered + statuses.count(b"r"),
            self.unchanged + statuses.count(b"="),
            self.updated + statuses.count(b"u"),
            tuple(sorted(counts.items())),
            self.deleted + statuses.count(b"d"),
        )
