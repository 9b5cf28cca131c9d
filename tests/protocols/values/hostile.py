"""What every decoder of this package must survive, given one good encoding."""

from contextlib import suppress

import pytest

from protocols.errors import ProtocolError


def assert_every_truncation_is_refused(
    decode, good: bytes, *, also_good: set[int] = frozenset()
) -> None:
    """``also_good``: lengths at which the shortened bytes happen to be complete."""
    decode(good)
    for length in range(len(good)):
        if length in also_good:
            decode(good[:length])
            continue
        with pytest.raises(ProtocolError):
            decode(good[:length])


def survive_mutation(decode, good: bytes, at: int, replacement: bytes) -> None:
    """Only protocol errors may come out."""
    at %= len(good) + 1
    mutated = good[:at] + replacement + good[at + len(replacement) :]
    with suppress(ProtocolError):
        decode(mutated)
