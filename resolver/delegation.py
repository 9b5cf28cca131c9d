"""Who answers for an identifier: the longest prefix this node knows decides.

A prefix is hosted here, or delegated from here, or neither; below a hosted prefix this node knows everything, so what
it does not find does not exist. The record of a prefix (``0.NA/88.118.7``) belongs to the node that hosts the prefix
above it, too: it is there that derived prefixes are allotted.
"""

from typing import NamedTuple

from protocols.identifier import MAX_PREFIX_BYTES, Identifier, parent_prefix
from protocols.values.site import Site
from resolver.source import LocalRecords


class Local(NamedTuple):
    """This node answers, absences included."""

    prefix: bytes
    """Folded; the hosted prefix that makes it so."""


class Delegated(NamedTuple):
    """The servers of a prefix that was delegated from here answer."""

    prefix: bytes
    """Folded; the delegated prefix, the identifier's own or one above it."""
    sites: tuple[Site, ...]
    """Of its HS_SITE values, in order of index; at least one."""


class NotHere(NamedTuple):
    """This node is not responsible and has delegated to nobody."""

    prefix: bytes
    """Folded; the prefix asked for."""
    nearest: bytes | None
    """The longest hosted prefix above it, None when there is none: then a node above this one may know."""


def locate(identifier: Identifier, records: LocalRecords) -> Local | Delegated | NotHere:
    """Whose identifier it is. At most two look-ups for each label that can be part of a prefix."""
    prefix = identifier.responsible_prefix
    if records.hosts(prefix):
        return Local(prefix)
    place: bytes | None = prefix
    if identifier.is_prefix_record:
        if records.lookup(identifier) is not None:  # allotted, delegated, or entered by hand
            return Local(prefix)
        place = parent_prefix(prefix)
    if place is not None and len(place) > MAX_PREFIX_BYTES:
        # Nothing longer is hosted or delegated.
        place = parent_prefix(place[: MAX_PREFIX_BYTES + 1])
    while place is not None:
        if records.hosts(place):
            return Local(place) if identifier.is_prefix_record else NotHere(prefix, place)
        sites = records.delegation(place)
        if sites is not None:
            return Delegated(place, sites)
        place = parent_prefix(place)
    return NotHere(prefix, None)
