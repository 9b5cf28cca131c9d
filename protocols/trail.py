"""Trail: who was asked on the way to an answer, and whether it came from a cache; for people who look for trouble.

Only a question that asks for it gets one, and only from a node that resolves elsewhere for whoever asked. A node that
forwards adds the trail it was given, so that the whole way is seen from its first step. As JSON, in any protocol::

    {"node": "88.118", "verdict": "asked", "legs": [{"server": "tcp://192.0.2.7:2641", "asked": "88.118.7/a",
     "seconds": 0.004, "said": "success", "trail": {…}}]}
"""

import re
from enum import Enum
from typing import NamedTuple

MAX_TRAIL_DEPTH = 8
"""Trails within trails: one for each node that forwarded."""
MAX_LEGS = 64
"""Of one node; it may ask 16 questions for one."""
MAX_WORD_CHARS = 2048
"""The longest text in a leg: an identifier."""

_NODE_ID = re.compile(r"[0-9a-f]{1,16}")


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


def is_node_id(text: str) -> bool:
    """Whether a node may name itself so in what it forwards: up to 16 hexadecimal digits in lower case."""
    return _NODE_ID.fullmatch(text) is not None


def trail_document(trail: Trail, depth: int = MAX_TRAIL_DEPTH) -> dict[str, object]:
    """The trail as JSON, with at most ``depth`` trails within each other."""
    legs: list[dict[str, object]] = []
    for leg in trail.legs[:MAX_LEGS]:
        row: dict[str, object] = {
            "server": leg.server,
            "asked": leg.asked,
            "seconds": round(leg.seconds, 6),
            "said": leg.said,
        }
        if leg.trail is not None and depth > 1:
            row["trail"] = trail_document(leg.trail, depth - 1)
        legs.append(row)
    return {"node": trail.node, "verdict": trail.verdict.value, "legs": legs}


def read_trail_document(document: object, depth: int = MAX_TRAIL_DEPTH) -> Trail | None:
    """The inverse of ``trail_document``; None when it is not one, or deeper."""
    if not isinstance(document, dict) or depth < 1:
        return None
    node, legs = document.get("node"), document.get("legs")
    try:
        verdict = Verdict(document.get("verdict"))
    except ValueError:
        return None
    if not _is_word(node) or not isinstance(legs, list) or len(legs) > MAX_LEGS:
        return None
    read = [_read_leg(leg, depth) for leg in legs]
    found = tuple(leg for leg in read if leg is not None)
    return Trail(str(node), verdict, found) if len(found) == len(legs) else None


def _read_leg(document: object, depth: int) -> Leg | None:
    if not isinstance(document, dict):
        return None
    server, asked, said = (document.get(name) for name in ("server", "asked", "said"))
    seconds, below = document.get("seconds"), document.get("trail")
    if not (_is_word(server) and _is_word(asked) and _is_word(said)):
        return None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    trail = read_trail_document(below, depth - 1) if below is not None else None
    if below is not None and trail is None:
        return None
    return Leg(str(server), str(asked), float(seconds), str(said), trail)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_WORD_CHARS
