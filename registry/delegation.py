"""What a delegation rests on: the sites in a prefix record, read in one way by who decides and by who answers.

A prefix is delegated by the HS_SITE values of its record ``0.NA/PREFIX`` (RFC 3651 §3.2.4); HS_SITE.6 is the same with
IPv6 addresses. Only what anybody may read counts, and only a server that takes questions can be asked.
"""

from collections.abc import Iterable

from protocols.errors import ProtocolError
from protocols.values.site import SITE_TYPES, Site, decode_site
from protocols.values.value import Value
from protocols.values.value_list import decode_values

MAX_SITE_LISTS = 2048
"""Prefix records whose sites are kept decoded, per process; a large node delegates to some 1,300 enterprises."""
MAX_KEPT_BYTES = 2_097_152
"""Of all these public lists together, and some 14 times as much of what is made of them. A list full of sites takes a
fifth of a second to decode, so none is decoded for every question."""


def is_site_value(value: Value) -> bool:
    """Whether the value says where records are kept; types match without case."""
    return value.type.upper() in SITE_TYPES


def is_askable(site: Site) -> bool:
    """Whether one of its servers takes questions."""
    return any(one.takes_queries for server in site.servers for one in server.interfaces)


def sites_in(values: Iterable[Value]) -> tuple[Site, ...]:
    """The sites that can be asked, in the order of ``values``; what is unreadable or not public is left out."""
    sites = []
    for value in values:
        if value.is_public and is_site_value(value):
            try:
                site = decode_site(value.data)
            except ProtocolError:
                continue  # nothing unreadable is stored by the rules; from elsewhere it delegates nothing
            if is_askable(site):
                sites.append(site)
    return tuple(sites)


class SiteLists:
    """The sites of public value lists, decoded once: a question below a delegated prefix asks for them every time."""

    __slots__ = ("_kept", "kept_bytes")

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[Site, ...]] = {}
        self.kept_bytes = 0
        """Of the public lists."""

    def __len__(self) -> int:
        return len(self._kept)

    def sites_of(self, public: bytes) -> tuple[Site, ...]:
        """By the bytes of a record's public value list, so that no change of the record can go unnoticed."""
        sites = self._kept.get(public)
        if sites is None:
            sites = sites_in(decode_values(public))
            self.kept_bytes += len(public)
            if len(self._kept) >= MAX_SITE_LISTS or self.kept_bytes > MAX_KEPT_BYTES:
                self._kept.clear()
                self.kept_bytes = len(public)
            self._kept[public] = sites
        return sites
