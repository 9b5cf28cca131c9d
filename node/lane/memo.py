"""The memo of one worker: what the compiled part has looked up in the store's present snapshot."""

import secrets
from typing import Protocol

from node.lane.extension import load


class Memo(Protocol):
    """``node.lane._lane.Memo``, shared by the lanes of a worker."""

    hits: int
    """Look-ups that the store was spared."""


def make_memo(most_bytes: int) -> Memo | None:
    """None without a compiled part. ``most_bytes`` bounds it; it is taken from the system as it is used."""
    lane = load()
    if lane is None:
        return None
    memo: Memo = lane.Memo(most_bytes, secrets.randbits(64))
    return memo
