"""Stale: datagrams that waited in the socket until their senders gave up are dropped unread; newer ones are answered.

A queue is first in, first out: a loop that comes late answers the oldest question first, whose sender has asked again
or gone, and so on for ever. The kernel knows when each datagram came (SIOCGSTAMP, socket(7)). It keeps the time from
the first time it is asked, so that a node that is never late never pays for it.
"""

import fcntl
import socket
import struct
from contextlib import suppress
from itertools import repeat

SIOCGSTAMP = 0x8906
"""When the datagram came that was received last; a struct timeval by the clock of the wall."""
_TIMEVAL = struct.Struct("@ll")
BATCH = 64
"""One question to the kernel for so many datagrams: the last of them is the youngest."""
MOST_BATCHES = 128
"""Dropped at a time at most: 8,192 datagrams take some 10 ms, and the largest socket buffer holds no more."""

Received = list[tuple[bytes, tuple[str, int]]]


def receive_fresh(
    sock: socket.socket, receive_bytes: int, wall_s: float, patience_s: float
) -> tuple[Received, int]:
    """Some datagrams of which the last is no older than ``patience_s``, and how many before them were dropped."""
    dropped = 0
    for _ in range(MOST_BATCHES):
        received: Received = []
        with suppress(OSError):  # empty, or an earlier answer was refused by its receiver (ICMP)
            received.extend(map(sock.recvfrom, repeat(receive_bytes, BATCH)))
        if not received or _age_s(sock, wall_s) <= patience_s:
            return received, dropped
        dropped += len(received)
    return [], dropped


def _age_s(sock: socket.socket, wall_s: float) -> float:
    """How long the datagram received last had waited; 0 when the kernel was not asked to look yet."""
    try:
        stamp = fcntl.ioctl(sock, SIOCGSTAMP, bytes(_TIMEVAL.size))
    except OSError:
        return 0.0
    seconds, microseconds = map(int, _TIMEVAL.unpack(stamp))
    return wall_s - seconds - microseconds / 1e6
