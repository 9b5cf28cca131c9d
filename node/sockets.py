"""All listening sockets, made by the supervisor before anything else: a port that is taken stops the start, with a hint.

Workers inherit them, so a worker that dies loses no waiting connection and its successor needs no privilege. With
several workers each has its own UDP socket on the same port (SO_REUSEPORT spreads the load); TCP sockets are shared.
"""

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterable
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


class Sockets:
    """Listening sockets by use and worker slot."""

    def __init__(self) -> None:
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

    def close(self) -> None:
        """Close what is ours; a socket inherited by a worker lives on there."""
        for sockets in self.by_slot:
            for found in sockets.values():
                for one in found:
                    one.close()


def make_sockets(config: Config) -> Sockets:
    """Everything the settings ask for. Raises ``PortTaken`` and leaves nothing open."""
    made = Sockets()
    count = config.node.workers
    made.by_slot = [{} for _ in range(count)]
    try:
        _make_native(config, made)
        if config.http.enabled:
            found = _bind_all((socket.SOCK_STREAM,), config.http.addresses, config.http.port)
            for slot in made.by_slot:
                slot[HTTP] = found
        if config.operations.enabled:
            for number, slot in enumerate(made.by_slot):
                port = config.operations.port and config.operations.port + number
                slot[OPERATIONS] = _bind_all(
                    (socket.SOCK_STREAM,), (config.operations.address,), port
                )
    except BaseException:
        made.close()
        raise
    return made


def _make_native(config: Config, made: Sockets) -> None:
    kinds = [socket.SOCK_DGRAM] * config.listen.udp + [socket.SOCK_STREAM] * config.listen.tcp
    if not kinds:
        return
    share_udp = len(made.by_slot) > 1
    port = config.listen.port
    for number, slot in enumerate(made.by_slot):
        wanted = kinds if number == 0 else [k for k in kinds if k == socket.SOCK_DGRAM]
        found = _bind_all(wanted, config.listen.addresses, port, share_udp=share_udp)
        if found:
            port = found[0].getsockname()[1]
        if config.listen.udp:
            slot[UDP] = [s for s in found if s.type == socket.SOCK_DGRAM]
        if config.listen.tcp and number == 0:
            slot[TCP] = [s for s in found if s.type == socket.SOCK_STREAM]
        elif config.listen.tcp:
            slot[TCP] = made.by_slot[0][TCP]


def _bind_all(
    kinds: Iterable[int], addresses: Iterable[str], port: int, *, share_udp: bool = False
) -> list[socket.socket]:
    """One socket for each kind and address, all on one port; port 0 finds a number free for all of them."""
    wanted = [(kind, address) for address in addresses for kind in kinds]
    for tries_left in range(FREE_PORT_TRIES, 0, -1):
        made: list[socket.socket] = []
        number = port
        try:
            for kind, address in wanted:
                one = _bind(kind, address, number, share_udp=share_udp)
                if one is not None:
                    made.append(one)
                    number = one.getsockname()[1]
        except PortTaken:
            for one in made:
                one.close()
            if port == 0 and tries_left > 1:
                continue
            raise
        if wanted and not made:
            raise PortTaken("no IPv6 on this machine and no other address to listen on")
        return made
    raise AssertionError("the last try returns or raises")


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
        one.setblocking(False)
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
        return f"{where}: the port is taken ({hint})"
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
