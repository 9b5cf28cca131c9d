"""Freedom: where a principal may create and replace plain records, found out once instead of for every row.

What the rules on prefix and authority ask about a new plain record does not depend on the record: it is the prefix that
is hosted here, and the prefix's record that grants ADD_HANDLE. Whoever may add and delete there may also replace.
"""

from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY
from protocols.message import Principal
from protocols.values.admin import ADD_HANDLE, DELETE_HANDLE
from registry.authority import rights_below
from registry.errors import DamagedRecord
from registry.holdings import Holdings


class _Rights(NamedTuple):
    may_create: bool
    may_replace: bool


_NONE = _Rights(may_create=False, may_replace=False)
_ALL = _Rights(may_create=True, may_replace=True)


class Freedom:
    """Of one principal. False means "ask the rules", never "refuse"."""

    __slots__ = ("_holdings", "_known", "_principal")

    def __init__(self, principal: Principal, holdings: Holdings) -> None:
        self._principal = principal
        self._holdings = holdings
        self._known: dict[bytes, _Rights] = {}

    def may_create(self, prefix: bytes) -> bool:
        """Whether no rule on prefix or authority stops a new plain record below the folded prefix."""
        return self._of(prefix).may_create

    def may_replace(self, prefix: bytes) -> bool:
        """Whether none stops a plain record there from being replaced by another one."""
        return self._of(prefix).may_replace

    def forget(self) -> None:
        """Something was changed that may grant or take rights."""
        self._known.clear()

    def _of(self, prefix: bytes) -> _Rights:
        known = self._known.get(prefix)
        if known is None:
            try:
                known = self._find(prefix)
            except (DamagedRecord, ProtocolError):
                known = _NONE  # the rules will say it
            self._known[prefix] = known
        return known

    def _find(self, prefix: bytes) -> _Rights:
        holdings = self._holdings
        if prefix == PREFIX_AUTHORITY:
            return _NONE
        is_operator = holdings.is_operator(self._principal)
        is_beforehand = (
            is_operator
            and holdings.keeps_unseen(prefix)
            and holdings.delegation(prefix) is not None
        )
        if not is_beforehand and not holdings.hosts(prefix):
            return _NONE
        if is_operator:
            return _ALL
        granted = rights_below(self._principal, prefix, holdings) or 0
        may_create = bool(granted & ADD_HANDLE)
        return _Rights(may_create, may_create and bool(granted & DELETE_HANDLE))
