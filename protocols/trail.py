"""Trail: who was asked on the way to an answer, and whether it came from a cache; for people who look for trouble.

Only a question that asks for it gets one, and only from a node that resolves elsewhere for whoever asked. A node that
forwards adds the trail it was given, so that the whole way is seen from its first step.
"""

from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    """Where an answer came from."""

    LOCAL = "local"
    """From this node's own records."""
    REFUSED = "refused"
    """By a rule or a bound of this node; nobody was asked."""
    FRESH = "fresh"
    """From the cache, within its TTL."""
    ABSENT = "absent"
    """From the cache, which remembers that there is no such identifier."""
    STALE = "stale"
    """From the cache, past its TTL, because who should know did not answer."""
    FAILURE = "failure"
    """A failure of late, remembered so that it is not repeated at once."""
    ASKED = "asked"
    """Another node was asked."""
    JOINED = "joined"
    """Another node was being asked the same already."""


class Leg(NamedTuple):
    """One question to one server."""

    server: str
    """``tcp://192.0.2.7:2641``."""
    asked: str
    """The identifier that was asked for: the one itself, or the record of its prefix."""
    seconds: float
    said: str
    """The outcome it told, or why there is none: ``success``, ``timeout``, ``wrong-identifier`` …"""
    trail: "Trail | None" = None
    """Its own, when it is a node like this one."""


class Trail(NamedTuple):
    """How one node came to its answer."""

    node: str
    """Its prefix, or its id when it has none."""
    verdict: Verdict
    legs: tuple[Leg, ...] = ()
