"""Scope: what the permissions of a certificate let its key sign, and what it may pass on (Handle.Net manual, "Trust").

======================  ============================================  ==========================================
permission              signs                                         passes on
======================  ============================================  ==========================================
everything              every record                                  everything
thisHandle H            the record of H                               the same
handlesUnderThisPrefix  records ``P/…``                               the same, and thisHandle ``P/…``
derivedPrefixes P       records of prefixes below P: ``0.NA/P.x…``    all three about prefixes below P, and itself
======================  ============================================  ==========================================

A prefix is written ``88.118`` or as its record, ``0.NA/88.118``. A certificate without permissions covers nothing.
"""

from collections.abc import Iterable

from protocols.identifier import Identifier, is_within
from protocols.trust.claims import Perm, Permission, identifier_of


def signs(permissions: Iterable[Permission], identifier: Identifier) -> bool:
    """Whether one of the permissions is enough for this record."""
    return any(_signs(permission, identifier) for permission in permissions)


def uncovered(
    permissions: Iterable[Permission], passed_on: Iterable[Permission]
) -> Permission | None:
    """The first of ``passed_on`` that nobody with ``permissions`` may give to others; None = all are covered."""
    granted = tuple(permissions)
    for permission in passed_on:
        if not any(_covers(parent, permission) for parent in granted):
            return permission
    return None


def _signs(permission: Permission, identifier: Identifier) -> bool:
    if permission.perm is Perm.EVERYTHING:
        return True
    named = _named(permission)
    if named is None:
        return False
    match permission.perm:
        case Perm.THIS_HANDLE:
            return named.folded() == identifier.folded()
        case Perm.HANDLES_UNDER_THIS_PREFIX:
            return named.is_prefix_record and identifier.prefix == named.responsible_prefix
        case Perm.DERIVED_PREFIXES:
            return identifier.is_prefix_record and _is_below(identifier.responsible_prefix, named)


def _covers(parent: Permission, child: Permission) -> bool:
    if Perm.EVERYTHING in (parent.perm, child.perm):
        return parent.perm is Perm.EVERYTHING
    above, below = _named(parent), _named(child)
    if above is None or below is None:
        return False
    if child.perm is Perm.THIS_HANDLE:
        is_of_derived = parent.perm is Perm.DERIVED_PREFIXES and _is_below(below.prefix, above)
        return is_of_derived or _signs(parent, below)
    if not above.is_prefix_record or not below.is_prefix_record:
        return False
    if parent.perm is child.perm and above.responsible_prefix == below.responsible_prefix:
        return True
    return parent.perm is Perm.DERIVED_PREFIXES and _is_below(below.responsible_prefix, above)


def _named(permission: Permission) -> Identifier | None:
    """The handle of a permission; None when it is none."""
    return identifier_of(permission.handle)


def _is_below(prefix: bytes, named: Identifier | None) -> bool:
    """Whether the folded prefix is derived from the named one, and not that one itself."""
    if named is None or not named.is_prefix_record:
        return False
    above = named.responsible_prefix
    return prefix != above and is_within(prefix, above)
