"""The registrar's Unix socket: made 0600, found again by path, and open to the node's own user and root only.

A socket address holds 107 bytes of path; a longer one is reached through ``/proc/self/fd/N`` of its directory.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

MAX_PATH_BYTES = 107
"""``sun_path`` of Linux, less its final zero."""
BACKLOG = 64
_CREDENTIALS = struct.Struct("3i")


def listen_control(path: Path) -> socket.socket:
    """A listening socket at ``path``. Whoever holds the writer lock owns the name, so a leftover is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            old_mask = os.umask(0o177)
            try:
                listener.bind(name)
            finally:
                os.umask(old_mask)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def connect_control(path: Path, timeout_s: float | None = None) -> socket.socket:
    """A connected blocking socket. Raises ``OSError`` (nobody listens, no permission)."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with _short(path) as name:
            connection.connect(name)
    except OSError:
        connection.close()
        raise
    return connection


def is_trusted_peer(connection: socket.socket) -> bool:
    """Whether the other side runs as our own user or as root (SO_PEERCRED, so it cannot be forged)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return uid in {os.geteuid(), 0}


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the path that fits a socket address, valid inside the block."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
