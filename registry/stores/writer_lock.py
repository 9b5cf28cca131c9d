"""The writer lock: one process at a time may write a store.

``writer.lock`` in the store's directory is locked with flock(2) for the life of the writer and holds its pid as text,
so that the loser can name the winner. The kernel frees the lock when the process dies, however it dies. The file is
never removed; should somebody remove it, the epoch in the store's head still stops the writer that was replaced.
"""

import fcntl
import os
from pathlib import Path

from registry.errors import StoreLocked

FILE_NAME = "writer.lock"


class WriterLock:
    """Held from construction to ``release``. Raises ``StoreLocked`` with the holder's pid when taken."""

    def __init__(self, directory: Path) -> None:
        path = directory / FILE_NAME
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            if not isinstance(error, BlockingIOError):
                raise
            message = (
                f"{directory} is being written by process {holder}: stop it, or send it the command"
            )
            raise StoreLocked(message) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Free the lock; harmless when done already."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def writer_pid(directory: Path) -> int | None:
    """The pid of the process that is this store's writer now, None when there is none."""
    try:
        fd = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(fd)
