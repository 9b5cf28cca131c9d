"""Families: whether IPv4 and IPv6 lead anywhere from this machine, from what became of the questions sent over each.

A machine may have an IPv6 address and no way out; then every server fails over it, one after another. A family over
which several tries in a row, at whatever servers, found nobody is put behind the other for a while.
"""

DOUBTFUL_AFTER = 3
"""Tries in a row without an answer: with fewer, one dead server would speak for all."""
DOUBTFUL_S = 60.0
"""Then the family is given another chance: networks are mended without telling us."""

IPV4, IPV6 = 4, 6


def family_of(address: str) -> int | None:
    """The family of IP address text; None for a host name, which may have both."""
    if ":" in address:
        return IPV6
    return IPV4 if address.replace(".", "").isdigit() else None


class Families:
    """Addresses are IP address text or host names; times are monotonic seconds."""

    __slots__ = ("_failed_s", "_has", "_in_row")

    def __init__(self, has_ipv4: bool, has_ipv6: bool) -> None:
        self._has = {IPV4: has_ipv4, IPV6: has_ipv6, None: True}
        self._in_row: dict[int | None, int] = {}
        self._failed_s: dict[int | None, float] = {}

    def has(self, address: str) -> bool:
        """Whether this machine has that family at all."""
        return self._has[family_of(address)]

    def is_doubtful(self, address: str, now_s: float) -> bool:
        """Whether nobody was found over that family of late."""
        family = family_of(address)
        return (
            self._in_row.get(family, 0) >= DOUBTFUL_AFTER
            and now_s - self._failed_s[family] < DOUBTFUL_S
        )

    def answered(self, address: str) -> None:
        """Somebody was found over it."""
        self._in_row[family_of(address)] = 0

    def failed(self, address: str, now_s: float) -> None:
        """Nobody was found over it."""
        family = family_of(address)
        if family is not None:
            self._in_row[family] = self._in_row.get(family, 0) + 1
            self._failed_s[family] = now_s
