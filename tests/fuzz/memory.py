"""Measures what a call allocates at its peak."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ALLOWED_PER_BYTE = 48
"""A number of 4 bytes becomes an object of 32 and a place of 8 in a tuple; empty names and values come near it."""
ALLOWED_BYTES = 16_384
"""Exceptions, tracebacks and the codec's own objects."""


def allowance(size: int) -> int:
    return ALLOWED_BYTES + ALLOWED_PER_BYTE * size


@contextmanager
def tracing() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def peak_of(call: Callable[[], object]) -> int:
    """Bytes allocated at the peak of ``call``, which may raise; inside ``tracing()``."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    kept = call()
    peak = tracemalloc.get_traced_memory()[1] - before
    del kept
    return peak
