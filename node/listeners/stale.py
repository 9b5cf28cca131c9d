"""Stale: when more comes than can be answered, what has waited for long is dropped unread, and newer is answered.

A socket's queue is first in, first out and holds thousands: once it is full and stays full, every question is answered
late, then after its sender has asked again, and so on for ever. The kernel knows how much waits (SO_MEMINFO) and when
each datagram came (SIOCGSTAMP, socket(7)). It keeps that time from the first time it is asked: a node on which
nothing ever waits never pays for it.
"""

import fcntl
import socket
import struct
import sys
from contextlib import suppress
from itertools import repeat

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


def much_waits(sock: socket.socket) -> bool:
    """Whether there is a queue worth looking at."""
    try:
        told = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO_BYTES)
    except OSError:  # an older kernel, or another system
        return False
    return int.from_bytes(told[:4], sys.byteorder) > MUCH_BYTES


def receive_fresh(
    sock: socket.socket, receive_bytes: int, wall_s: float, patience_s: float
) -> tuple[Received, int]:
    """Some datagrams of which the last is no older than ``patience_s``, and how many before them were dropped.

    When all are older, those are the last there are: who drops everything answers nobody, however fast it is by then.
    """
    dropped = 0
    last: Received = []
    for _ in range(MOST_BATCHES):
        received: Received = []
        with suppress(OSError):  # empty, or an earlier answer was refused by its receiver (ICMP)
            received.extend(map(sock.recvfrom, repeat(receive_bytes, BATCH)))
        if not received:
            return last, dropped - len(last)
        if _age_s(sock, wall_s) <= patience_s:
            return received, dropped
        dropped += len(received)
        last = received
    return last, dropped - len(last)


def _age_s(sock: socket.socket, wall_s: float) -> float:
    """How long the datagram received last had waited; 0 when the kernel was not asked to look yet."""
    try:
        stamp = fcntl.ioctl(sock, SIOCGSTAMP, bytes(_TIMEVAL.size))
    except OSError:
        return 0.0
    seconds, microseconds = map(int, _TIMEVAL.unpack(stamp))
    return wall_s - seconds - microseconds / 1e6
