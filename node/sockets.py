"""All listening sockets, made by the supervisor before anything else: a port that is taken stops the start.

Each worker slot has its own UDP, TCP and HTTP sockets on the same ports (SO_REUSEPORT: the kernel spreads clients over
them), which the worker in it inherits and its successor after it. The supervisor keeps them all open, so what waits in
those of a worker that died is served by its successor. The operations port is one socket for all.

The first socket of each set is bound alone and opened to others afterwards: a second node that is started by mistake is
refused, and does not get half of the questions.
"""

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

from node.config import Config
from node.steering import let_nobody_in, spread_over, spread_over_all

UDP_RECEIVE_BYTES = 4_194_304
"""Asked of the kernel: some 100 ms of datagrams at full speed, so a pause of the process loses none."""
BACKLOG = 1024
"""Connections the kernel keeps for a worker that is being replaced; listeners must say it again, or it becomes 100."""
FREE_PORT_TRIES = 20
"""Port 0: tries to find one number that is free for every address and transport."""
UDP, TCP, HTTP, OPERATIONS = "udp", "tcp", "http", "operations"
SERVING = (UDP, TCP, HTTP)
"""What workers serve."""


class PortTaken(Exception):
    """A socket could not be made; ``str()`` names address, port and, if it can be known, the holder."""


Key = tuple[str, int, str, int]
"""(use, slot, address, port as configured): the same key in new settings is the same socket."""


class Sockets:
    """Listening sockets by use and worker slot."""

    def __init__(self, count: int = 0) -> None:
        self.made: dict[Key, socket.socket] = {}
        self.by_slot: list[dict[str, list[socket.socket]]] = [{} for _ in range(count)]
        self.operations: list[socket.socket] = []

    def descriptors(self, slot: int) -> dict[str, list[int]]:
        """What one worker inherits."""
        return {use: [s.fileno() for s in found] for use, found in self.by_slot[slot].items()}

    def listening(self) -> dict[str, list[str]]:
        """``host:port`` texts by use, for people and for commands that look for the node."""
        shown: dict[str, list[str]] = {}
        for sockets in (*self.by_slot, {OPERATIONS: self.operations}):
            for use, found in sockets.items():
                names = shown.setdefault(use, [])
                names += [name for s in found if (name := _name(s)) not in names]
        return {use: names for use, names in shown.items() if names}

    def spread_over(self, count: int | None) -> None:
        """Lead new clients to the workers in the first ``count`` slots only; None = to all again."""
        for found in self.by_slot[0].values() if self.by_slot else ():
            for member in found:
                if count is None:
                    spread_over_all(member)
                else:
                    spread_over(member, count)

    def let_nobody_in(self) -> None:
        """Have the kernel begin no more connections, so that the queues become empty and can be closed."""
        for (use, *_), one in self.made.items():
            if use in {TCP, HTTP}:
                let_nobody_in(one)

    def close(self, but: "Sockets | None" = None) -> None:
        """Close what is ours, except what ``but`` uses too; a worker that inherited one keeps its own copy."""
        kept = set(but.made.values()) if but is not None else set()
        for one in self.made.values():
            if one not in kept:
                one.close()


def make_sockets(config: Config, old: Sockets | None = None) -> Sockets:
    """Everything the settings ask for, taken over from ``old`` where it is the same.

    New clients go to those of ``old`` until they are led further: whoever came to one that nobody reads yet would
    wait until its worker has started. Raises ``PortTaken`` and leaves nothing new open.
    """
    made = Sockets(config.node.workers)
    try:
        _Binding(config, made, old or Sockets()).bind()
    except BaseException:
        made.close(but=old)
        if old is not None:
            old.spread_over(None)
        raise
    return made


class _Binding:
    """Makes the sockets of all slots."""

    def __init__(self, config: Config, made: Sockets, old: Sockets) -> None:
        self._config, self._made, self._old = config, made, old

    def bind(self) -> None:
        """Make or take over all of them."""
        config = self._config
        uses = [UDP] * config.listen.udp + [TCP] * config.listen.tcp
        self._bind_sets(uses, config.listen.addresses, config.listen.port)
        if config.http.enabled:
            self._bind_sets([HTTP], config.http.addresses, config.http.port)
        if config.operations.enabled:
            address, port = config.operations.address, config.operations.port
            found = self._bind_set([OPERATIONS], [address], port, port, 0)
            self._made.operations = found[OPERATIONS]

    def _bind_sets(self, uses: Sequence[str], addresses: Sequence[str], port: int) -> None:
        """One set for each slot, all on one port; port 0 finds a number that is free for every use and address."""
        number = port
        for slot, mine in enumerate(self._made.by_slot):
            found = self._find_set(uses, addresses, (port, number), slot)
            mine.update(found)
            number = next((s.getsockname()[1] for same in found.values() for s in same), port)

    def _find_set(
        self, uses: Sequence[str], addresses: Sequence[str], ports: tuple[int, int], slot: int
    ) -> dict[str, list[socket.socket]]:
        """``_bind_set``, tried again where any port will do."""
        for _ in range(FREE_PORT_TRIES - 1 if ports[1] == 0 else 0):
            with contextlib.suppress(PortTaken):
                return self._bind_set(uses, addresses, *ports, slot)
        return self._bind_set(uses, addresses, *ports, slot)

    def _bind_set(
        self, uses: Sequence[str], addresses: Sequence[str], port: int, number: int, slot: int
    ) -> dict[str, list[socket.socket]]:
        """The sockets of one slot; ``number`` is the port they get where ``port`` is 0."""
        fresh: dict[Key, socket.socket] = {}
        found: dict[str, list[socket.socket]] = {use: [] for use in uses}
        try:
            for address, use in ((a, u) for a in addresses for u in uses):
                key = (use, slot, address, port)
                one = self._old.made.get(key)
                if one is None:
                    one = _bind(use, address, number, joins=slot > 0)
                    if one is not None and 0 < len(self._old.by_slot) <= slot:
                        spread_over(one, len(self._old.by_slot))
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


def _bind(use: str, address: str, port: int, *, joins: bool) -> socket.socket | None:
    """None when the address is IPv6 and this machine has none: loopback and wildcard lists name both families."""
    is_v6 = ipaddress.ip_address(address).version == 6
    kind = socket.SOCK_DGRAM if use == UDP else socket.SOCK_STREAM
    one: socket.socket | None = None
    try:
        one = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, kind)
        if is_v6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_RECEIVE_BYTES)
        one.setblocking(False)  # noqa: FBT003
        if joins:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((address, port))
        if use in SERVING:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind == socket.SOCK_STREAM:
            one.listen(BACKLOG)
    except OSError as error:
        if one is not None:
            one.close()
        without_v6 = error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
        if is_v6 and without_v6 and address in {"::", "::1"}:
            return None
        transport = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
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
