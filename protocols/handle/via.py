"""Via and trail: what nodes of this kind tell each other behind the bodies of resolve messages.

Handle decoders accept surplus bytes behind the last field, so other servers and clients do not notice.

* resolve request: counted token of the national SDK, empty · counted text ``biaojie-via/1 T id id …``, where T is ``T``
  when a trail is wanted, else ``-``; an id is up to 16 hexadecimal digits, one for each node that forwarded it, the
  last one last
* answer: counted text ``biaojie-trail/1`` · counted JSON (``protocols/trail.py``)

Not behind error answers of version 3.0, where a list of indexes may stand there. Readers never raise: what is not
understood is nothing.
"""

from typing import NamedTuple

import orjson

from protocols.cursor import Reader, Writer
from protocols.errors import ProtocolError
from protocols.trail import (
    MAX_TRAIL_DEPTH,
    Trail,
    is_node_id,
    read_trail_document,
    trail_document,
)

VIA_NAME = "biaojie-via/1"
TRAIL_NAME = b"biaojie-trail/1"

MAX_IDS = 8
"""More nodes than may forward one question; whoever reads more does not believe it."""
MAX_TOKEN_BYTES = 4096
"""The SDK's token, when there is one in front: a signed JWT."""
MAX_TRAIL_BYTES = 16_384
"""For people to read; a longer one would also crowd the record out of its message."""

_MAX_VIA_BYTES = 256
_WANTED, _UNWANTED = "T", "-"


class Via(NamedTuple):
    """What a request said about its way."""

    via: tuple[str, ...] = ()
    wants_trail: bool = False


NO_VIA = Via()


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
