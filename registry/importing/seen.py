"""Which suffixes this run has already taken, exactly, in bounded memory.

The first ``keep`` suffixes are held in a set: as themselves up to 15 bytes, longer ones as a 16-byte BLAKE2b digest
(by chance two of 10^8 share one with probability 2^-76, and nobody can make two). Then everything moves into a table
of digests in scratch space handed in by the caller, open addressing with linear steps, doubled when it is 5/8 full.

Memory: about 100 bytes for each held suffix, so 100 MB for the default million; after that nothing grows in the
process. Scratch: 16 bytes a slot, 26 to 51 bytes a suffix: 4.3 GB at 10^8, half as much again while it is doubled.
"""

import hashlib
from typing import Protocol

KEPT_IN_MEMORY = 1_000_000
"""Suffixes held in the process before the table is used; about 100 MB."""
SLOT_BYTES = 16
_FREE = bytes(SLOT_BYTES)


class Space(Protocol):
    """Zeroed bytes to read and write by slice, e.g. a mapped file or a bytearray."""

    def __getitem__(self, place: slice, /) -> bytes | bytearray: ...
    def __setitem__(self, place: slice, data: bytes, /) -> None: ...
    def __len__(self) -> int: ...


class Scratch(Protocol):
    """Hands out space and takes it back."""

    def take(self, size_bytes: int) -> Space:
        """Zeroed space; raises OSError when there is not that much."""

    def give_back(self, space: Space) -> None:
        """It is not used any more."""


class Seen:
    """Remembers folded suffixes."""

    def __init__(self, scratch: Scratch, keep: int = KEPT_IN_MEMORY) -> None:
        self._scratch, self._keep = scratch, keep
        self._held: set[bytes] = set()
        self._table: _Table | None = None

    def add(self, suffix: bytes) -> bool:
        """False when this suffix was added before. Raises OSError when scratch space runs out."""
        if self._table is not None:
            return self._table.add(_digest(suffix))
        key = suffix if len(suffix) < SLOT_BYTES else _digest(suffix)
        held = self._held
        if key in held:
            return False
        held.add(key)
        if len(held) >= self._keep:
            self._move_out()
        return True

    def _move_out(self) -> None:
        table = _Table(self._scratch, 2 * len(self._held))
        for key in self._held:
            table.add(key if len(key) == SLOT_BYTES else _digest(key))
        self._held.clear()
        self._table = table


class _Table:
    """Digests in slots; a slot of zeros is free (no digest of ours is all zeros but once in 2^128)."""

    def __init__(self, scratch: Scratch, least_slots: int) -> None:
        self._scratch = scratch
        self._size = 1 << max(4, least_slots.bit_length())
        self._space = scratch.take(self._size * SLOT_BYTES)
        self._count = 0

    def add(self, digest: bytes) -> bool:
        if not _place(self._space, self._size - 1, digest):
            return False
        self._count += 1
        if self._count * 8 > self._size * 5:
            self._double()
        return True

    def _double(self) -> None:
        size, old = self._size * 2, self._space
        space = self._scratch.take(size * SLOT_BYTES)
        for at in range(0, len(old), SLOT_BYTES):
            digest = bytes(old[at : at + SLOT_BYTES])
            if digest != _FREE:
                _place(space, size - 1, digest)
        self._size, self._space = size, space
        self._scratch.give_back(old)


def _place(space: Space, mask: int, digest: bytes) -> bool:
    """Put the digest into the first free slot behind its own; False when it is met on the way."""
    slot = int.from_bytes(digest[:8]) & mask
    while True:
        at = slot * SLOT_BYTES
        there = space[at : at + SLOT_BYTES]
        if there == _FREE:
            space[at : at + SLOT_BYTES] = digest
            return True
        if there == digest:
            return False
        slot = (slot + 1) & mask


def _digest(suffix: bytes) -> bytes:
    return hashlib.blake2b(suffix, digest_size=SLOT_BYTES).digest()
