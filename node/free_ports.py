"""Port numbers for servers that are about to start on this machine: of the demo, of the bench, of the tests.

A number is only free until somebody takes it, and the system gives every outgoing socket one of its own choice. So
numbers are taken from below those (``ip_local_port_range``): whatever asks, dials or floods meanwhile cannot be given
one of them. Chosen at random, because several processes choose at the same time.
"""

import contextlib
import random
import socket
from pathlib import Path

_LOWEST = 10_240
"""Above the numbers that services are installed on by hand."""
_SYSTEM_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_RANGE = "32768 60999"
_MOST_TRIES = 10_000
_given: set[int] = set()
"""A port is free until its server listens, and must not be given twice."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port number that is free for UDP and TCP now, and given to nobody else by this process.

    Raises:
        OSError: None was found.
    """
    for _ in range(_MOST_TRIES):
        port = random.choice(_candidates())  # noqa: S311 - not a secret
        if port not in _given and _is_free(host, port):
            _given.add(port)
            return port
    raise OSError(f"no port number of {host} that is free for both UDP and TCP was found")


def free_ports(count: int) -> list[int]:
    """Several, all different."""
    return [free_port() for _ in range(count)]


def _candidates() -> range:
    """Numbers no outgoing socket is given; all from 10,240 when the system has left too few below its own."""
    try:
        text = _SYSTEM_RANGE.read_text()
    except OSError:
        text = _USUAL_RANGE
    first = int(text.split()[0])
    return range(_LOWEST, first if first > _LOWEST + 1_000 else 65_536)


def _is_free(host: str, port: int) -> bool:
    with contextlib.ExitStack() as stack:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = stack.enter_context(socket.socket(socket.AF_INET, kind))
            try:
                sock.bind((host, port))
            except OSError:
                return False
    return True
