"""Warming: the store is in memory after it, as much of it as there is room for, and it ends when it is told to."""

import ctypes
import mmap
import os
from pathlib import Path

import pytest

from node.warming import STEP_BYTES, room_bytes, warm
from tests.node.processes import until

PAGE = mmap.PAGESIZE


def resident_pages(file: Path) -> int:
    """How many pages of the file are in memory (mincore(2))."""
    size = file.stat().st_size
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), size) as mapped:
        told = (ctypes.c_ubyte * -(-size // PAGE))()
        start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), told) == 0
        count = sum(one & 1 for one in told)
        del start
        return count


@pytest.fixture
def cold(tmp_path: Path) -> Path:
    """A file of three steps and a bit that is on disk only."""
    file = tmp_path / "data"
    file.write_bytes(os.urandom(PAGE) * ((3 * STEP_BYTES + PAGE) // PAGE))
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return file


def test_what_was_on_disk_only_is_in_memory_afterwards(cold: Path):
    size = cold.stat().st_size
    before = resident_pages(cold)
    assert warm(cold, 1 << 40, lambda: False) == size
    until(
        lambda: resident_pages(cold) == size // PAGE
    )  # the kernel may still be reading what it was asked for
    assert before <= size // PAGE


def test_no_more_is_read_than_there_is_room_for(cold: Path):
    assert warm(cold, STEP_BYTES + 5, lambda: False) == STEP_BYTES + 5
    assert warm(cold, 0, lambda: False) == 0


def test_it_ends_between_two_steps_when_the_node_does(cold: Path):
    asked = iter([False, True])
    assert warm(cold, 1 << 40, lambda: next(asked)) == STEP_BYTES


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        warm(tmp_path / "none", 1, lambda: False)


def test_room_is_a_share_of_what_is_available(tmp_path: Path):
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 9 kB\nMemAvailable:    1000 kB\n")
    assert room_bytes(50, told) == 512_000
    assert room_bytes(0, told) == 0
    told.write_text("MemTotal: 9 kB\n")
    assert room_bytes(50, told) == 0
    assert room_bytes(50, tmp_path / "none") == 0
