"""Crash images: what the disk may hold after the power went at a given moment, from the journal of ``record_writes.c``.

A write is durable once a sync after it has returned, or when it went through an O_DSYNC descriptor. Every other write
may be there, may be missing, or may be torn: each 512-byte sector of it decides for itself, by a seeded coin. So may
the write that was under way at that moment, which the journal notes only when it had ended.
"""

import random
import struct
from pathlib import Path
from typing import NamedTuple

SECTOR_BYTES = 512
_HEAD = struct.Struct("<QcQI")


class Written(NamedTuple):
    """One journal entry."""

    time_ns: int
    kind: str
    offset: int
    data: bytes


def read_written(path: Path) -> list[Written]:
    """All whole entries; a torn last one (the process was killed while noting it) is left out."""
    data, at, entries = path.read_bytes(), 0, []
    while at + _HEAD.size <= len(data):
        time_ns, kind, offset, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + size > len(data):
            break
        entries.append(Written(time_ns, kind.decode(), offset, data[at : at + size]))
        at += size
    return entries


def crash_image(base: bytes, journal: list[Written], at_ns: int, dice: random.Random) -> bytes:
    """The file's bytes if the power had gone at ``at_ns`` (monotonic)."""
    happened = [entry for entry in journal if entry.time_ns <= at_ns]
    under_way = journal[len(happened) : len(happened) + 1]
    last_sync = max((i for i, entry in enumerate(happened) if entry.kind == "S"), default=-1)
    image = bytearray(base)
    chance = dice.choice(
        (0.0, 0.1, 0.5, 0.9)
    )  # nothing of the cache reached the disk … nearly all of it did
    for number, entry in enumerate(happened):
        if entry.kind == "D" or (entry.kind == "W" and number < last_sync):
            _apply(image, entry.offset, entry.data)
        elif entry.kind == "W":
            _tear(image, entry, chance, dice)
    for entry in under_way:
        _tear(image, entry, chance, dice)
    return bytes(image)


def _tear(image: bytearray, entry: Written, chance: float, dice: random.Random) -> None:
    """Let each sector of the file that the write touches be written or not."""
    start, end = 0, len(entry.data)
    while start < end:
        stop = min(end, start + SECTOR_BYTES - (entry.offset + start) % SECTOR_BYTES)
        if dice.random() < chance:
            _apply(image, entry.offset + start, entry.data[start:stop])
        start = stop


def _apply(image: bytearray, offset: int, data: bytes) -> None:
    end = offset + len(data)
    if len(image) < end:
        image.extend(bytes(end - len(image)))
    image[offset:end] = data
