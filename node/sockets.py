"""All listening sockets, made by the supervisor before anything else: a port that is taken stops the start.

Workers inherit them, so a worker that dies loses no waiting connection and its successor needs no privilege. With
several workers each has its own UDP socket on the same port (SO_REUSEPORT spreads the load); TCP sockets are shared.
"""

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

from node.config import Config

UDP_RECEIVE_BYTES = 4_194_304
"""Asked of the kernel: some 100 ms of datagrams at full speed, so a pause of the process loses none."""
BACKLOG = 1024
"""Connections the kernel keeps for a worker that is being replaced."""
FREE_PORT_TRIES = 20
"""Port 0: tries to find one number that is free for every address and transport."""
UDP, TCP, HTTP, OPERATIONS = "udp", "tcp", "http", "operations"


class PortTaken(Exception):
    """A socket could not be made; ``str()`` names address, port and, if it can be known, the holder."""


Key = tuple[str, int, int, str, int]
"""(use, slot, kind, address, port as configured): the same key in new settings is the same socket."""


class Sockets:
    """Listening sockets by use and worker slot."""

    def __init__(self) -> None:
        self.made: dict[Key, socket.socket] = {}
        self.by_slot: list[dict[str, list[socket.socket]]] = []

    def descriptors(self, slot: int) -> dict[str, list[int]]:
        """What one worker inherits."""
        return {use: [s.fileno() for s in found] for use, found in self.by_slot[slot].items()}

    def listening(self) -> dict[str, list[str]]:
        """``host:port`` texts by use, for people and for commands that look for the node."""
        shown: dict[str, list[str]] = {}
        for sockets in self.by_slot:
            for use, found in sockets.items():
                names = shown.setdefault(use, [])
                names += [name for s in found if (name := _name(s)) not in names]
        return shown

    def close(self, but: "Sockets | None" = None) -> None:
        """Close what is ours, except what ``but`` uses too; a worker that inherited one keeps its own copy."""
        kept = set(but.made.values()) if but is not None else set()
        for one in self.made.values():
            if one not in kept:
                one.close()


def make_sockets(config: Config, old: Sockets | None = None) -> Sockets:
    """Everything the settings ask for, taken over from ``old`` where it is the same.

    Raises ``PortTaken`` and leaves nothing new open.
    """
    made = Sockets()
    made.by_slot = [{} for _ in range(config.node.workers)]
    try:
        for slot in range(config.node.workers):
            _Binding(config, made, old or Sockets(), slot).bind()
    except BaseException:
        made.close(but=old)
        raise
    return made


class _Binding:
    """The sockets of one worker slot."""

    def __init__(self, config: Config, made: Sockets, old: Sockets, slot: int) -> None:
        self._config, self._made, self._old, self._slot = config, made, old, slot
        self._share_udp = config.node.workers > 1

    def bind(self) -> None:
        """Make or take over all of them."""
        config, slot = self._config, self._slot
        mine, first = self._made.by_slot[slot], self._made.by_slot[0]
        uses = [UDP] * config.listen.udp + [TCP] * (config.listen.tcp and slot == 0)
        port = config.listen.port or (
            first[UDP][0].getsockname()[1] if slot and UDP in first else 0
        )
        mine.update(self._bind_all(uses, config.listen.addresses, port))
        if config.http.enabled and slot == 0:
            mine.update(self._bind_all([HTTP], config.http.addresses, config.http.port))
        if config.operations.enabled:
            port = config.operations.port and config.operations.port + slot
            mine.update(self._bind_all([OPERATIONS], [config.operations.address], port))
        for use in (TCP, HTTP):
            if use in first:
                mine[use] = first[use]

    def _bind_all(
        self, uses: Sequence[str], addresses: Sequence[str], port: int
    ) -> dict[str, list[socket.socket]]:
        """All on one port; port 0 finds a number that is free for every use and address."""
        tries = FREE_PORT_TRIES if port == 0 else 1
        while True:
            tries -= 1
            try:
                return self._try_all(uses, addresses, port)
            except PortTaken:
                if tries == 0:
                    raise

    def _try_all(
        self, uses: Sequence[str], addresses: Sequence[str], port: int
    ) -> dict[str, list[socket.socket]]:
        fresh: dict[Key, socket.socket] = {}
        found: dict[str, list[socket.socket]] = {use: [] for use in uses}
        number = port
        try:
            for address in addresses:
                for use in uses:
                    kind = socket.SOCK_DGRAM if use == UDP else socket.SOCK_STREAM
                    key = (use, self._slot, int(kind), address, port)
                    one = self._old.made.get(key)
                    if one is None:
                        one = _bind(kind, address, number, share_udp=self._share_udp)
                    if one is not None:
                        fresh[key] = one
                        number = one.getsockname()[1]
                        found[use].append(one)
        except PortTaken:
            for key, one in fresh.items():
                if key not in self._old.made:
                    one.close()
            raise
        if uses and not fresh:
            raise PortTaken("this machine has no IPv6, and there is no other address to listen on")
        self._made.made.update(fresh)
        return found


def _bind(kind: int, address: str, port: int, *, share_udp: bool) -> socket.socket | None:
    """None when the address is IPv6 and this machine has none: loopback and wildcard lists name both families."""
    is_v6 = ipaddress.ip_address(address).version == 6
    transport = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    one: socket.socket | None = None
    try:
        one = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, kind)
        if is_v6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_RECEIVE_BYTES)
            if share_udp:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.setblocking(False)  # noqa: FBT003
        one.bind((address, port))
        if kind == socket.SOCK_STREAM:
            one.listen(BACKLOG)
    except OSError as error:
        if one is not None:
            one.close()
        without_v6 = error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
        if is_v6 and without_v6 and address in {"::", "::1"}:
            return None
        raise PortTaken(_explain(error, transport, address, port)) from None
    return one


def _explain(error: OSError, transport: str, address: str, port: int) -> str:
    where = f"cannot listen on {transport} {address} port {port}"
    if error.errno == errno.EADDRINUSE:
        holder = find_holder(transport, port)
        hint = f"held by {holder}" if holder else f"see `ss -lnp | grep :{port}` as root"
        return f"{where}: the port is taken ({hint}); set another one in node.toml"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address; `ip address` lists those it has"
    if error.errno == errno.EACCES:
        return f"{where}: ports below 1024 need a privilege; choose a higher one or let systemd open it"
    return f"{where}: {error.strerror}"


def find_holder(transport: str, port: int) -> str:
    """``process 4711 (java)`` when this user may see who holds the port, else ""."""
    inodes = set()
    for table in (f"/proc/net/{transport.lower()}", f"/proc/net/{transport.lower()}6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                if int(columns[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{columns[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                for descriptor in (process / "fd").iterdir():
                    if inodes and str(descriptor.readlink()) in inodes:
                        name = (process / "comm").read_text().strip()
                        return f"process {process.name} ({name})"
    return ""


def _name(one: socket.socket) -> str:
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
