"""Check: one promise of the Handle system, where it is written, and the function that tries it on a node.

A check is a function of a ``Visit`` whose docstring is the requirement::

    @check("native.resolve.values-sorted-by-index", "Handle.Net Technical Manual 9, §1", Need.TCP, Need.ADMIN)
    def values_are_sorted_by_index(visit: Visit) -> None:
        \"\"\"The values of an answer stand in the order of their indexes.\"\"\"

Ids are stable: reports of different days are compared by them. Their first two words are the group in which people
see them; the last is the title.
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from conformance.visit import Visit

DEADLINE_S = 30.0
"""A check that takes longer is ended; most need milliseconds."""


class Need(Enum):
    """What must be known of a target before a check makes sense."""

    TCP = "a native TCP port"
    UDP = "a native UDP port"
    HTTP = "an HTTP address (--http)"
    PREFIX = "a test prefix (--prefix)"
    ADMIN = "an administrator (--admin with --secret-file or --key-file)"
    """Comes with ``PREFIX``: administrators are asked to write below it."""
    SECRET = "an administrator's secret (--admin, --secret-file)"  # noqa: S105  not a password
    KEY = "an administrator's RSA key (--admin, --key-file)"


class Check(NamedTuple):
    """One row of the table."""

    id: str
    requirement: str
    """One sentence."""
    source: str
    """A public document and the place in it, or the behaviour of a named public release."""
    needs: frozenset[Need]
    run: Callable[[Visit], None]
    """Returns = kept; raises what ``outcome`` names otherwise."""
    deadline_s: float = DEADLINE_S

    @property
    def group(self) -> str:
        """``native.resolve`` of ``native.resolve.values-sorted-by-index``."""
        return ".".join(self.id.split(".")[:2])

    @property
    def title(self) -> str:
        """``values sorted by index``."""
        return self.id.rpartition(".")[2].replace("-", " ")


TABLE: dict[str, Check] = {}
"""All checks that were imported, by id; ``conformance.catalogue`` imports all."""

Function = Callable[[Visit], None]


def add(row: Check) -> None:
    """Put a row into ``TABLE``. Raises ``ValueError`` for an id used twice, or without requirement or source."""
    if row.id in TABLE or not row.requirement or not row.source:
        raise ValueError(f"check {row.id}: id used twice, or requirement or source is missing")
    TABLE[row.id] = row


def check(
    id_: str, source: str, *needs: Need, deadline_s: float = DEADLINE_S
) -> Callable[[Function], Function]:
    """``add`` for a function whose docstring is the requirement."""

    def note(function: Function) -> Function:
        requirement = " ".join((function.__doc__ or "").split())
        add(Check(id_, requirement, source, frozenset(needs), function, deadline_s))
        return function

    return note
