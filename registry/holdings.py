"""Holdings: what this node holds and who may see or change it, over a store or over a batch in the making.

Workers answer from it (it fits ``LocalRecords`` of the resolver), the registrar judges by it.
"""

from typing import Protocol

from protocols.identifier import Identifier
from protocols.message import Outcome, Principal
from protocols.record import Record
from protocols.values.admin import AUTHORIZED_READ
from protocols.values.site import Site
from protocols.values.value import Value
from registry import authority as authority_
from registry.delegation import SiteLists
from registry.sealing import Sealer, merge
from registry.stores.store import Authority


class Lookups(Protocol):
    """The part of a store's reader that holdings need; an overlay has it too."""

    def lookup(self, identifier: Identifier) -> Record | None:
        """The record, None when absent or deleted."""

    def authority(self, prefix: bytes) -> Authority | None:
        """By folded prefix."""

    def has_prefix_record(self, prefix: bytes) -> bool:
        """Whether the folded prefix's own record is there and not deleted."""


class Holdings:
    """``server_admins`` are ``index:handle`` texts that count as operator."""

    __slots__ = ("_lookups", "_sealer", "_server_admins", "_sites")

    def __init__(
        self, lookups: Lookups, sealer: Sealer, server_admins: frozenset[str] = frozenset()
    ) -> None:
        self._lookups = lookups
        self._sealer = sealer
        self._server_admins = server_admins
        self._sites = SiteLists()

    def lookup(self, identifier: Identifier) -> Record | None:
        """The record this node answers for; None when absent, deleted, or kept below a prefix that is not hosted."""
        return None if self.keeps_unseen(identifier.prefix) else self._lookups.lookup(identifier)

    def hosts(self, prefix: bytes) -> bool:
        """Whether this node is responsible for the folded prefix: hosted, its record not deleted."""
        authority = self._lookups.authority(prefix)
        return (
            authority is not None
            and authority.is_hosted
            and self._lookups.lookup(authority_.prefix_record(prefix)) is not None
        )

    def delegation(self, prefix: bytes) -> tuple[Site, ...] | None:
        """The sites the folded prefix is delegated to; None when it is hosted or given up, or its record names none.

        A record with HS_SITE is enough where this node never kept anything below the prefix.
        """
        authority = self._lookups.authority(prefix)
        if authority is not None and not authority.is_delegated:
            return None
        if not self._lookups.has_prefix_record(prefix):
            return None  # asked for every label of prefixes that nobody knows
        record = self._lookups.lookup(authority_.prefix_record(prefix))
        return (self._sites.sites_of(record.public) or None) if record is not None else None

    def keeps_unseen(self, prefix: bytes) -> bool:
        """Whether records may be kept below the folded prefix although this node does not answer for it."""
        authority = self._lookups.authority(prefix)
        return authority is not None and not authority.is_hosted

    def is_private(self, prefix: bytes) -> bool:
        """Whether those who may not read must not learn what there is below the folded prefix."""
        authority = self._lookups.authority(prefix)
        return authority is not None and authority.is_private

    def key_of(self, identifier: Identifier) -> bytes:
        """The key under which the identifier's record is, or would be, kept."""
        return folded_key(identifier, self._lookups.authority(identifier.prefix))

    def values_of(self, identifier: Identifier) -> tuple[Value, ...] | None:
        """All values, public and not, sorted by index; None where ``lookup`` gives none. Raises ``SealBroken``.

        So keys and groups kept below a prefix that is not hosted prove and grant nothing: their owners keep theirs
        elsewhere.
        """
        record = self.lookup(identifier)
        return None if record is None else merge(record, self._sealer)

    def all_values(self, record: Record) -> tuple[Value, ...]:
        """All values of a record at hand. Raises ``SealBroken``."""
        return merge(record, self._sealer)

    def nonpublic(self, record: Record) -> tuple[Value, ...]:
        """The non-public values of a record at hand, sorted by index. Raises ``SealBroken``."""
        return self._sealer.open(record)

    def may(self, principal: Principal, identifier: Identifier, needed: int) -> Outcome:
        """Whether the principal has all bits of ``needed`` (HS_ADMIN permissions) over the identifier."""
        if self.is_operator(principal):
            return Outcome.SUCCESS
        return authority_.may(principal, identifier, needed, self)

    def may_read(self, principal: Principal, identifier: Identifier) -> Outcome:
        """Whether the principal may read the identifier's non-public values."""
        return self.may(principal, identifier, AUTHORIZED_READ)

    def is_operator(self, principal: Principal) -> bool:
        """Whether the principal may do everything."""
        return principal.is_operator or authority_.is_server_admin(
            principal, self._server_admins, self
        )


def folded_key(identifier: Identifier, authority: Authority | None) -> bytes:
    """By the case rule of the prefix. Of a prefix not hosted here it is unknown: no two spellings count as one."""
    return identifier.folded(authority is None or authority.is_case_sensitive)
