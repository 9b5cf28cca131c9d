"""Mailboxes: how the workers of a node, and whoever watches them, send each other words and descriptors.

The supervisor makes a pair of connected unix datagram sockets for each slot: the worker in it reads one end, everybody
else writes to the other. A word is one datagram: a byte that says its kind, then MessagePack. It arrives whole or
not at all, nobody waits for a reader, and the kernel bounds what is under way: the sending end's buffer for bytes,
``net.unix.max_dgram_qlen`` for datagrams. Words to a worker that died wait for its successor, because the supervisor
holds both ends.
"""

import array
import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgpack

from node.logs import get_log

BUFFER_BYTES = 425_984
"""Asked of the kernel, which gives net.core.wmem_max at most: room for one native message of the largest size."""
WORDS_PER_WAKEUP = 64
MOST_DESCRIPTORS = 64
"""Passed with one word: one connection, or the mailboxes of all workers."""
MAX_WORD_BYTES = 524_288
OPERATIONS_SLOT = 254
"""The mailbox of the operations process; workers have slots below 64."""
CONNECTION, WORKERS, GONE = b"C", b"W", b"G"
"""Here is a connection; there are so many workers, with these mailboxes; the worker in this slot has ended."""
ASK, REPORT = b"Q", b"R"
"""How are you, and how I am."""
DATAGRAM, MESSAGE, ANSWER = b"U", b"T", b"A"
"""A stranger's datagram, a stranger's message over TCP, and the answer to that one, or to the next but two:"""
PART, TAKEN = b"P", b"K"
"""A part of a long answer, and whether the client has taken it (``node/relay.py``)."""
SESSION = b"H"
"""What is asked of a session over HTTP (``node/http/session_mail.py``)."""

Receive = Callable[[Any, list[int]], None]
"""What was said, and the descriptors that came with it, which are the receiver's to close."""

log = get_log("mailbox")


def make_mailbox() -> tuple[socket.socket, socket.socket]:
    """(the end to read, the end to write)."""
    reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    writing.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    reading.setblocking(False)  # noqa: FBT003
    writing.setblocking(False)  # noqa: FBT003
    return reading, writing


def send(box: socket.socket, kind: bytes, said: object, descriptors: Sequence[int] = ()) -> bool:
    """Say something; False when the box is full, or it is too long, and then nothing was said."""
    ancillary = []
    if descriptors:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    try:
        box.sendmsg([kind, msgpack.packb(said)], ancillary)
    except OSError:
        return False
    return True


class Mailbox:
    """The end that is read. Words of an unknown kind are left alone: another version of us may have sent them."""

    def __init__(self, box: socket.socket, receivers: Mapping[bytes, Receive]) -> None:
        self._box = box
        self._receivers = receivers

    def start(self) -> None:
        """Begin to read."""
        asyncio.get_running_loop().add_reader(self._box, self._read)

    def stop(self) -> None:
        """Read no more; what waits is the successor's."""
        asyncio.get_running_loop().remove_reader(self._box)

    def _read(self) -> None:
        for _ in range(WORDS_PER_WAKEUP):
            try:
                word, descriptors, _, _ = socket.recv_fds(
                    self._box, MAX_WORD_BYTES, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            receive = self._receivers.get(word[:1])
            if receive is None:
                close_all(descriptors)
                continue
            try:
                said = msgpack.unpackb(word[1:])
            except ValueError:
                log.warning("a word that cannot be read was thrown away")
                close_all(descriptors)
                continue
            receive(said, descriptors)


def close_all(descriptors: Sequence[int]) -> None:
    """Give back what nobody wants."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
