"""What the resolver is told and what it may ask: peers, clocks, and the records this node holds.

The registry's ``Holdings`` (registry/holdings.py) fits ``LocalRecords`` without either knowing the other.
"""

from typing import NamedTuple, Protocol

from protocols.identifier import Identifier
from protocols.message import Outcome, Principal
from protocols.record import Record
from protocols.values.site import Site
from protocols.values.value import Value


class Now(NamedTuple):
    """Both clocks, read once per wake-up by the node."""

    monotonic_s: float
    """For deadlines, rates and TTLs; never jumps."""
    wall_s: float
    """Seconds since 1970, for timestamps and expiry dates."""


class Peer(NamedTuple):
    """Who sent the question, as far as the transport knows."""

    address: str
    """IP address text, e.g. ``192.0.2.7``."""
    port: int
    transport: str
    """``udp``, ``tcp`` or ``http``."""
    is_loopback: bool


class LocalRecords(Protocol):
    """The records this node holds. Every call is local and short: it runs on the event loop."""

    def lookup(self, identifier: Identifier) -> Record | None:
        """The record, None when absent or deleted."""

    def hosts(self, prefix: bytes) -> bool:
        """Whether this node is responsible for the folded prefix."""

    def is_private(self, prefix: bytes) -> bool:
        """Whether those who may not read must not learn what there is below the folded prefix."""

    def delegation(self, prefix: bytes) -> tuple[Site, ...] | None:
        """The sites of the folded prefix if it was delegated from here: not hosted, and its record has HS_SITE."""

    def nonpublic(self, record: Record) -> tuple[Value, ...]:
        """The record's non-public values, sorted by index; the caller answers for who gets to see them."""

    def may_read(self, principal: Principal, identifier: Identifier) -> Outcome:
        """Whether the principal has authorised read here: SUCCESS, or the outcome to refuse with."""
