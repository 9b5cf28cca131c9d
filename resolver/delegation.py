"""Who answers for an identifier: the longest prefix this node knows decides.

A prefix is hosted here or it is not; below a hosted prefix this node knows everything, so what it does not find does
not exist. The record of a prefix (``0.NA/88.118.7``) belongs to the node that hosts the prefix above it, too: it is
there that derived prefixes are allotted.
"""

from typing import NamedTuple

from protocols.identifier import Identifier, parent_prefix
from resolver.source import LocalRecords


class Local(NamedTuple):
    """This node answers, absences included."""

    prefix: bytes
    """Folded; the hosted prefix that makes it so."""


class NotHere(NamedTuple):
    """This node is not responsible."""

    prefix: bytes
    """Folded; the prefix asked for."""
    nearest: bytes | None
    """The longest hosted prefix above it, None when there is none."""


def locate(identifier: Identifier, records: LocalRecords) -> Local | NotHere:
    """Whose identifier it is. At most one look-up per label of the prefix."""
    prefix = identifier.responsible_prefix
    if records.hosts(prefix):
        return Local(prefix)
    nearest = _nearest_hosted(prefix, records)
    if identifier.is_prefix_record:
        if nearest is not None:
            return Local(nearest)
        if records.lookup(identifier) is not None:  # entered by hand by the operator
            return Local(prefix)
    return NotHere(prefix, nearest)


def _nearest_hosted(prefix: bytes, records: LocalRecords) -> bytes | None:
    above = parent_prefix(prefix)
    while above is not None and not records.hosts(above):
        above = parent_prefix(above)
    return above
