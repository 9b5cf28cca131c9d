"""Kept: how many bytes of answers are kept for clients that have not heard them and ask again.

Anybody may have a large record told to him, in a session of his own, over and over: each answer is kept for its
repetition, so all of them together have a budget, and the oldest go first. Small answers, as writes have, have one of
their own: nobody's readings push out what somebody's write came to.
"""

from collections import deque
from collections.abc import Callable

LASTS_S = 60.0
"""After so long nobody asks again."""
SMALL_BYTES = 4096
"""Answers to writes are smaller, and all that UDP carries."""
MOST_SMALL_BYTES = 16 * 1_048_576
MOST_LARGE_BYTES = 16 * 1_048_576
ENTRY_BYTES = 512
"""What an answer costs besides its bytes."""


class _Shelf:
    """One budget."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._entries: deque[tuple[float, int, Callable[[], object]]] = deque()
        self.used_bytes = 0

    def keep(self, size: int, forget: Callable[[], object], now_s: float) -> None:
        self._entries.append((now_s, size, forget))
        self.used_bytes += size
        self.clear(now_s)

    def clear(self, now_s: float) -> None:
        while self._entries:
            at_s, size, forget = self._entries[0]
            if self.used_bytes <= self._most_bytes and now_s - at_s < LASTS_S:
                return
            self._entries.popleft()
            self.used_bytes -= size
            forget()


class Kept:
    """One worker's."""

    def __init__(self) -> None:
        self._small, self._large = _Shelf(MOST_SMALL_BYTES), _Shelf(MOST_LARGE_BYTES)

    @property
    def used_bytes(self) -> int:
        """Of all answers that are kept."""
        return self._small.used_bytes + self._large.used_bytes

    def keep(self, size: int, forget: Callable[[], object], now_s: float) -> None:
        """An answer of ``size`` bytes is kept from now on; ``forget`` is called once when it must go."""
        shelf, other = self._small, self._large
        if size > SMALL_BYTES:
            shelf, other = other, shelf
        shelf.keep(size + ENTRY_BYTES, forget, now_s)
        other.clear(now_s)
