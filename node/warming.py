"""Warming: a node that starts reads its store into memory once, ahead of the questions, as far as there is room for it.

Until a page of the memory map has been read, whoever touches it waits for the disk, and everybody behind him, too: on
a machine that has just started, questions for random identifiers come faster than the disk finds their pages, and all
are answered late. Read in order, the same bytes take seconds. Nothing waits for this; it ends with the node.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

STEP_BYTES = 8_388_608
"""Asked of the kernel at a time, and waited for: the disk stays free for whoever needs a page now."""
_MEMINFO = Path("/proc/meminfo")
_AVAILABLE = "MemAvailable:"


def room_bytes(percent: float, meminfo: Path = _MEMINFO) -> int:
    """That share of the memory that is free or can be freed; 0 where the system does not say (Linux only)."""
    with suppress(OSError, ValueError, IndexError):
        for line in meminfo.read_text().splitlines():
            if line.startswith(_AVAILABLE):
                return int(int(line.split()[1]) * 1024 * percent / 100)
    return 0


def warm(file: Path, most_bytes: int, is_over: Callable[[], bool]) -> int:
    """Have the beginning of the file read into the page cache; blocks, so call it in a thread. Bytes read.

    ``is_over`` is asked before each step. Raises ``OSError``.
    """
    if not hasattr(os, "posix_fadvise"):
        return 0
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        end = min(most_bytes, os.fstat(descriptor).st_size)
        done = 0
        while done < end and not is_over():
            step = min(STEP_BYTES, end - done)
            os.posix_fadvise(descriptor, done, step, os.POSIX_FADV_WILLNEED)
            os.pread(descriptor, 1, done + step - 1)  # waits, so that steps do not pile up
            done += step
        return done
    finally:
        os.close(descriptor)
