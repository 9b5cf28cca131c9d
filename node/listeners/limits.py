"""Limits that native listeners share: who may connect, whose address is believed, whose buffers are full."""

from collections import Counter, OrderedDict
from collections.abc import Sequence

from resolver.networks import NetworkSet


def is_loopback(address: str) -> bool:
    """By text, for the addresses the kernel gives: no parsing on this path."""
    return address.startswith("127.") or address in {"::1", "::ffff:127.0.0.1"}


class ProvenAddresses:
    """Addresses that have shown they receive what we send: by a TCP connection of late, or by configuration."""

    def __init__(self, networks: Sequence[str], proven_s: float, most: int) -> None:
        self._networks = NetworkSet(networks)
        self._proven_s = proven_s
        self._most = most
        self._until_s: OrderedDict[str, float] = OrderedDict()

    def prove(self, address: str, monotonic_s: float) -> None:
        """A TCP handshake with the address was completed."""
        self._until_s[address] = monotonic_s + self._proven_s
        self._until_s.move_to_end(address)
        if len(self._until_s) > self._most:
            self._until_s.popitem(last=False)

    def is_always_proven(self, address: str) -> bool:
        """Whether it is by configuration."""
        return address in self._networks

    def is_proven(self, address: str, monotonic_s: float) -> bool:
        """Whether its UDP answers are bounded by size alone."""
        return address in self._networks or self._until_s.get(address, 0.0) > monotonic_s


class Slots:
    """Connections counted in and out, in all and by address."""

    def __init__(self, most: int, most_per_address: int, unlimited: Sequence[str]) -> None:
        self.most = most
        self.taken = 0
        self._most_per_address = most_per_address
        self._unlimited = NetworkSet(unlimited)
        self._by_address: Counter[str] = Counter()

    def take(self, address: str) -> str:
        """Count one in; why not, or "" when it was."""
        if self.taken >= self.most:
            return "slots-full"
        if self._by_address[address] >= self._most_per_address and address not in self._unlimited:
            return "address-full"
        self.taken += 1
        self._by_address[address] += 1
        return ""

    def give_back(self, address: str) -> None:
        """Count out one that was counted in."""
        self.taken -= 1
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]


class ByteBudget:
    """Bytes held on behalf of all connections together."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0

    def change(self, by_bytes: int) -> bool:
        """Book more or fewer bytes; False when the budget is exceeded (they are booked all the same)."""
        self.used_bytes += by_bytes
        return self.used_bytes <= self.most_bytes
