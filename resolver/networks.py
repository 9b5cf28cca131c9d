"""Networks: a set of them in CIDR notation, asked whether an address lies in one."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

MAX_REMEMBERED_VERDICTS = 4096
"""Addresses whose network was looked up; parsing one costs microseconds, the attacker chooses them, so they are few."""


class NetworkSet:
    """``address in networks``, with the last verdicts remembered. Raises ``ValueError`` for what is no network."""

    __slots__ = ("_networks", "_verdicts")

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(text) for text in networks]
        self._verdicts: dict[object, bool] = {}

    def __bool__(self) -> bool:
        """Whether there is any network at all."""
        return bool(self._networks)

    def __contains__(self, address: object) -> bool:
        """IP address text, an IPv4 address in IPv6 clothes is that IPv4 address; what is none lies nowhere."""
        verdict = self._verdicts.get(address)
        if verdict is None:
            if len(self._verdicts) >= MAX_REMEMBERED_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[address] = self._look(str(address))
        return verdict

    def _look(self, address: str) -> bool:
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._networks)
