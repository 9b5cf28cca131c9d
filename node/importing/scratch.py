"""Scratch space: mapped files without a name, so that even kill -9 leaves nothing behind."""

import mmap
import os
import tempfile
from pathlib import Path

from registry.importing.seen import Space


class ScratchFiles:
    """Hands out space in ``directory``. The disk is reserved first: writing to a mapped hole on a full disk would end
    the process instead of raising."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def take(self, size_bytes: int) -> Space:
        """Zeroed space; raises ``OSError`` when the disk has not that much."""
        with tempfile.TemporaryFile(dir=self._directory, prefix=".import-", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, size_bytes)
            return mmap.mmap(file.fileno(), size_bytes)

    def give_back(self, space: Space) -> None:
        """Its pages and its disk space are free at once."""
        assert isinstance(space, mmap.mmap)
        space.close()
