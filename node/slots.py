"""Slots: session, challenge and request ids that say which worker made them, so that any other can pass on a stranger.

An id of ``bits`` bits, highest first::

    slot + 1    8 bits, never 0
    random      the rest

Ids below 2 ** (bits - 8) are therefore never ours: clients of the national systems choose their session ids themselves,
from 10001 upwards. An id is no secret and no proof; who may use one is decided by its owner.

Whoever opens a session or sends a challenge takes its id from ``new_id``, and ``node/relay.py`` brings the rest of the
conversation to it.
"""

import secrets

SLOT_BITS = 8
MOST_SLOTS = (1 << SLOT_BITS) - 1
"""Slots 0 to 254; 0 in the field means that somebody else chose the id."""
ID_BITS = 31
"""Ids are signed 32-bit numbers to clients written in Java (RFC 3652 §2.1.2), so the highest bit stays 0."""


def new_id(slot: int, bits: int = ID_BITS) -> int:
    """A random id of the worker in ``slot``; the caller sees to it that it is not in use."""
    assert 0 <= slot < MOST_SLOTS, "a slot fits its field"
    assert bits > SLOT_BITS, "something must be left to chance"
    return (slot + 1) << (bits - SLOT_BITS) | secrets.randbits(bits - SLOT_BITS)


def slot_of(id_: int, bits: int = ID_BITS) -> int | None:
    """The slot in an id, None when no worker of ours can have made it."""
    slot = (id_ >> (bits - SLOT_BITS)) - 1
    return slot if 0 <= slot < MOST_SLOTS else None
