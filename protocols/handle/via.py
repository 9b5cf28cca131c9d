"""Via and trail: what nodes of this kind tell each other behind the bodies of resolve messages.

Handle decoders accept surplus bytes behind the last field, so other servers and clients do not notice.

* resolve request: counted token of the national SDK, empty · counted text ``biaojie-via/1 T id id …``, where T is ``T``
  when a trail is wanted, else ``-``; an id is up to 16 hexadecimal digits, one for each node that forwarded it, the
  last one last
* answer: counted text ``biaojie-trail/1`` · counted JSON ``{"node": "88.118", "verdict": "asked", "legs": [{"server":
  "tcp://192.0.2.7:2641", "asked": "88.118.7/a", "seconds": 0.004, "said": "success", "trail": {…}}]}``

Not behind error answers of version 3.0, where a list of indexes may stand there. Readers never raise: what is not
understood is nothing.
"""

import re
from typing import NamedTuple

import orjson

from protocols.cursor import Reader, Writer
from protocols.errors import ProtocolError
from protocols.trail import Leg, Trail, Verdict

VIA_NAME = "biaojie-via/1"
TRAIL_NAME = b"biaojie-trail/1"

MAX_IDS = 8
"""More nodes than may forward one question; whoever reads more does not believe it."""
MAX_TOKEN_BYTES = 4096
"""The SDK's token, when there is one in front: a signed JWT."""
MAX_TRAIL_BYTES = 16_384
"""For people to read; a longer one would also crowd the record out of its message."""
MAX_TRAIL_DEPTH = 8
"""Trails within trails: one for each node that forwarded."""
MAX_LEGS = 64
"""Of one node; it may ask 16 questions for one."""
MAX_WORD_CHARS = 2048
"""The longest text in a leg: an identifier."""

_MAX_VIA_BYTES = 256
_ID = re.compile(r"[0-9a-f]{1,16}")
_WANTED, _UNWANTED = "T", "-"


class Via(NamedTuple):
    """What a request said about its way."""

    via: tuple[str, ...] = ()
    wants_trail: bool = False


NO_VIA = Via()


def is_node_id(text: str) -> bool:
    """Up to 16 hexadecimal digits in lower case."""
    return _ID.fullmatch(text) is not None


def write_via(via: tuple[str, ...], wants_trail: bool) -> bytes:
    """``ResolveRequest.surplus``; empty when there is nothing to say. Of too many ids the last ones are told."""
    if not via and not wants_trail:
        return b""
    writer = Writer()
    writer.write_counted(b"")
    words = (VIA_NAME, _WANTED if wants_trail else _UNWANTED, *via[-MAX_IDS:])
    writer.write_text(" ".join(words))
    return writer.finish()


def read_via(surplus: bytes) -> Via:
    """The inverse of ``write_via``; ``NO_VIA`` for any other surplus."""
    if not surplus:
        return NO_VIA
    reader = Reader(surplus)
    try:
        reader.read_counted("token", MAX_TOKEN_BYTES)
        words = reader.read_text("via", _MAX_VIA_BYTES).split(" ")
    except ProtocolError:
        return NO_VIA
    name, wish, *ids = words if len(words) > 1 else ("", "")
    if name != VIA_NAME or wish not in {_WANTED, _UNWANTED} or len(ids) > MAX_IDS:
        return NO_VIA
    if not all(map(is_node_id, ids)):
        return NO_VIA
    return Via(tuple(ids), wish == _WANTED)


def write_trail(trail: Trail) -> bytes:
    """An answer's surplus. What is too long loses its deepest trails first; a single one that is, says nothing."""
    for depth in range(MAX_TRAIL_DEPTH, 0, -1):
        text = orjson.dumps(trail_document(trail, depth))
        if len(text) <= MAX_TRAIL_BYTES:
            writer = Writer()
            writer.write_counted(TRAIL_NAME)
            writer.write_counted(text)
            return writer.finish()
    return b""


def read_trail(surplus: bytes) -> Trail | None:
    """The inverse of ``write_trail``; None for any other surplus."""
    if not surplus:
        return None
    reader = Reader(surplus)
    try:
        if reader.read_counted("name", len(TRAIL_NAME)) != TRAIL_NAME:
            return None
        return read_trail_document(orjson.loads(reader.read_counted("trail", MAX_TRAIL_BYTES)))
    except (ProtocolError, orjson.JSONDecodeError):
        return None


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
