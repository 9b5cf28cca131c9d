"""Stale: when more comes than can be answered, what has waited for long is dropped unread, and newer is answered.

A socket's queue is first in, first out and holds thousands: once it is full and stays full, every question is answered
late, then after its sender has asked again, and so on for ever. The kernel knows how much waits (SO_MEMINFO) and when
each datagram came (SIOCGSTAMP, socket(7)). It keeps that time from the first time it is asked: a node on which
nothing ever waits never pays for it.

To drop a datagram here costs nearly as much as to answer it: a node that is asked ten times what it can do would do
little else. So a queue that was found old gets only so much room that nothing in it becomes old again; what finds no
room is dropped by the kernel, which costs the node nothing.
"""

import fcntl
import socket
import struct
import sys
from contextlib import suppress
from itertools import repeat

from node.sockets import UDP_RECEIVE_BYTES

SIOCGSTAMP = 0x8906
"""When the datagram came that was received last; a struct timeval by the clock of the wall."""
_TIMEVAL = struct.Struct("@ll")
SO_MEMINFO = 55
"""What a socket takes of the kernel's memory (linux/sock_diag.h): nine u32, the first of them what waits to be read."""
_MEMINFO_BYTES = 36
MUCH_BYTES = 131_072
"""Below this nothing waits for long: some 170 small datagrams, which is what a burst is."""
BATCH = 64
"""One question to the kernel for so many datagrams: the last of them is the youngest."""
MOST_BATCHES = 128
"""Dropped at a time at most: 8,192 datagrams take some 10 ms, and the largest socket buffer holds no more."""

Received = list[tuple[bytes, tuple[str, int]]]


class Room:
    """How much may wait in one socket, in bytes of the kernel's memory; it begins with all that the system allows."""

    def __init__(self, sock: socket.socket, most_bytes: int = UDP_RECEIVE_BYTES) -> None:
        self._socket = sock
        self._waiting = 0
        self.allowed_bytes = self._most_bytes = self._allow(2 * most_bytes)

    def much_waits(self) -> bool:
        """Whether there is a queue worth looking at; where there is none, there is more room again."""
        self._waiting = _waiting_bytes(self._socket)
        if self.allowed_bytes < self._most_bytes and self._waiting < self.allowed_bytes // 4:
            self.allowed_bytes = self._allow(min(2 * self.allowed_bytes, self._most_bytes))
        return self._waiting > MUCH_BYTES

    def found(self, age_s: float, patience_s: float) -> None:
        """So long the first of the queue had waited. If too long, what finds room from now on waits half as long."""
        if age_s > patience_s:
            in_time = int(self._waiting * patience_s / 2 / age_s)
            self.allowed_bytes = self._allow(max(MUCH_BYTES, min(in_time, self.allowed_bytes)))

    def receive_fresh(
        self, receive_bytes: int, wall_s: float, patience_s: float
    ) -> tuple[Received, int]:
        """``receive_fresh`` below, and the room that follows from it; nothing when what came last was fresh."""
        if _age_s(self._socket, wall_s) <= patience_s:
            return [], 0
        received, dropped, oldest_s = receive_fresh(self._socket, receive_bytes, wall_s, patience_s)
        self.found(oldest_s, patience_s)
        return received, dropped

    def give_back(self) -> None:
        """All of it, for whoever serves the socket next."""
        self.allowed_bytes = self._allow(self._most_bytes)

    def _allow(self, size: int) -> int:
        """What the kernel made of it: it doubles what it is told (socket(7)), and has a limit of its own."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size // 2)
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _waiting_bytes(sock: socket.socket) -> int:
    try:
        told = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO_BYTES)
    except OSError:  # an older kernel, or another system
        return 0
    return int.from_bytes(told[:4], sys.byteorder)


def receive_fresh(
    sock: socket.socket, receive_bytes: int, wall_s: float, patience_s: float
) -> tuple[Received, int, float]:
    """Some datagrams of which the last is no older than ``patience_s``, how many before them were dropped, and the age
    of the oldest in seconds.

    When all are older, those are the last there are: who drops everything answers nobody, however fast it is by then.
    """
    dropped, oldest_s = 0, 0.0
    last: Received = []
    for _ in range(MOST_BATCHES):
        received: Received = []
        with suppress(OSError):  # empty, or an earlier answer was refused by its receiver (ICMP)
            received.extend(map(sock.recvfrom, repeat(receive_bytes, BATCH)))
        if not received:
            break
        age_s = _age_s(sock, wall_s)
        oldest_s = max(oldest_s, age_s)
        if age_s <= patience_s:
            return received, dropped, oldest_s
        dropped += len(received)
        last = received
    return last, dropped - len(last), oldest_s


def _age_s(sock: socket.socket, wall_s: float) -> float:
    """How long the datagram received last had waited; 0 when the kernel was not asked to look yet."""
    try:
        stamp = fcntl.ioctl(sock, SIOCGSTAMP, bytes(_TIMEVAL.size))
    except OSError:
        return 0.0
    seconds, microseconds = map(int, _TIMEVAL.unpack(stamp))
    return wall_s - seconds - microseconds / 1e6
