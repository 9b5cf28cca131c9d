"""Wakeups: waiting for sockets until a moment known to the microsecond.

``epoll`` waits in whole milliseconds, a schedule of 10,000 a second does not; but an epoll descriptor can itself be
selected, and ``select`` waits in microseconds.
"""

import contextlib
import select
import socket
from pathlib import Path

MAX_EVENTS = 256
"""Sockets looked at between two looks at the schedule."""
COARSE_S, MARGIN_S = 0.005, 0.001
"""A longer wait is left to epoll alone, one system call instead of two, and ends early by what it rounds up."""
_SLACK = Path("/proc/self/timerslack_ns")


class Wakeups:
    """The sockets of one loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched = [self._epoll.fileno()]

    def watch(self, sock: socket.socket, *, writable: bool = False) -> None:
        """Tell when it can be read, or written too."""
        self._epoll.register(sock.fileno(), _events(writable=writable))

    def change(self, sock: socket.socket, *, writable: bool) -> None:
        """The same for one that is watched."""
        self._epoll.modify(sock.fileno(), _events(writable=writable))

    def wait(self, wait_s: float) -> list[tuple[int, int]]:
        """(descriptor, events) of sockets that are ready; empty when ``wait_s`` are over, or somewhat before."""
        if wait_s >= COARSE_S:
            return self._epoll.poll(wait_s - MARGIN_S, MAX_EVENTS)
        if wait_s > 0 and not select.select(self._watched, (), (), wait_s)[0]:
            return []
        return self._epoll.poll(0, MAX_EVENTS)

    def close(self) -> None:
        """The sockets stay open."""
        self._epoll.close()


def wake_on_time() -> None:
    """Ask the kernel not to round this process's waits by its usual 50 µs."""
    with contextlib.suppress(OSError):
        _SLACK.write_text("1")


def _events(*, writable: bool) -> int:
    return select.EPOLLIN | (select.EPOLLOUT if writable else 0)
