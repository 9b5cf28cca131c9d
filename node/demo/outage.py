"""The demo, third part: the top-level node hangs, then is gone. What was seen is still answered, and nobody waits long.

Each step is a function of a ``Stage`` that returns the line it saw.
"""

import time

from node.demo.at_work import NEWER, OWN
from node.demo.hierarchy import ELSEWHERE_PREFIX, ENTERPRISE_PREFIX, PREFIX, TOP_PREFIX
from node.demo.journeys import DEVICE, LATER, SHORT_LIVED, SHORT_TTL_S, VALVE
from node.demo.stage import CACHE, RECORDS, STALE, Line, Seen, Stage
from protocols.handle.codes import ResponseCode

FIRST_STALE_S = 0.8
"""The first stale answer goes out after 400 ms without a fresh one, before clients ask again; as much again for a
machine that is busy with other things. Waiting for the top-level node would take three seconds."""
NEXT_STALE_S = 0.35
"""The next ones go out at once, that is, without these 400 ms."""
STALE_TTL_S = 30
"""RFC 8767 §4."""
PATIENCE_S = 3.5
"""Without anything remembered the answer "nobody could be reached" comes within the patience of clients."""
NEVER_ASKED = f"{ELSEWHERE_PREFIX}/NEVER-ASKED"


def resolve_short_lived(stage: Stage) -> Line:
    """A record that may be kept for a second only."""
    seen = stage.resolve(SHORT_LIVED, "tcp")
    stage.learned_s = time.monotonic()
    is_right = (seen.way, seen.source) == ((PREFIX, TOP_PREFIX), RECORDS)
    is_right = is_right and seen.ttl_s == SHORT_TTL_S
    return seen.line(f"{SHORT_LIVED} (TTL {SHORT_TTL_S} s)", "TCP", is_right=is_right)


def freeze_top(stage: Stage) -> Line:
    """The worst way to fail: connections stay open, and nothing is answered any more."""
    started_s = time.monotonic()
    count = stage.top.freeze()
    seconds = time.monotonic() - started_s
    return Line(f"freeze the top-level node {TOP_PREFIX} (SIGSTOP)", "command",
                f"{count} processes stand still", seconds, is_right=count > 1)  # fmt: skip


def resolve_stale(stage: Stage) -> Line:
    """Past its TTL and without a word from above: the last known answer, with a short TTL."""
    left_s = stage.learned_s + SHORT_TTL_S + 0.1 - time.monotonic()
    stage.wait(max(left_s, 0.0), "until the TTL is over")
    seen = stage.resolve(SHORT_LIVED, "tcp")
    is_right = seen.seconds <= FIRST_STALE_S
    return seen.line(f"{SHORT_LIVED} (TTL over)", "TCP", is_right=is_right and _is_stale(seen))


def resolve_stale_again(stage: Stage) -> Line:
    """Nobody else has to wait for who is known to be silent."""
    seen = stage.resolve(SHORT_LIVED, "udp")
    is_right = seen.seconds <= NEXT_STALE_S
    return seen.line(f"{SHORT_LIVED} (again)", "UDP", is_right=is_right and _is_stale(seen))


def _is_stale(seen: Seen) -> bool:
    return (seen.way, seen.source, seen.ttl_s) == ((PREFIX,), STALE, STALE_TTL_S)


def resolve_seen_before(stage: Stage) -> Line:
    """Within its TTL nothing has changed for it."""
    seen = stage.resolve(VALVE, "udp")
    is_right = (seen.way, seen.source) == ((PREFIX,), CACHE) and "Valve" in seen.shown
    return seen.line(f"{VALVE} (seen before)", "UDP", is_right=is_right)


def resolve_own(stage: Stage) -> Line:
    """Hosted identifiers need nobody."""
    seen = stage.resolve(OWN, "udp")
    is_right = (seen.way, seen.source) == ((PREFIX,), RECORDS) and NEWER in seen.shown
    return seen.line(f"{OWN} (hosted)", "UDP", is_right=is_right)


def resolve_below(stage: Stage) -> Line:
    """Neither do those of the enterprise; asked for from its records, not from the cache."""
    seen = stage.resolve(DEVICE, "tcp", is_authoritative=True)
    is_right = (seen.way, seen.source) == ((PREFIX, ENTERPRISE_PREFIX), RECORDS)
    return seen.line(f"{DEVICE} (delegated, no cache)", "TCP", is_right=is_right)


def stop_top(stage: Stage) -> Line:
    """kill -9 to every process of the top-level node."""
    started_s = time.monotonic()
    count = stage.top.kill()
    seconds = time.monotonic() - started_s
    return Line(f"kill -9 of the top-level node {TOP_PREFIX}", "command",
                f"{count} processes gone", seconds, is_right=count > 1)  # fmt: skip


def resolve_unreachable(stage: Stage) -> Line:
    """What nobody asked for before cannot be known: said in bounded time."""
    seen = stage.resolve(NEVER_ASKED, "tcp")
    is_right = seen.response_code == ResponseCode.ERROR and seen.way == (PREFIX,)
    is_right = is_right and seen.seconds <= PATIENCE_S
    return seen.line(f"{NEVER_ASKED} (never asked)", "TCP", is_right=is_right)


def top_is_back(stage: Stage) -> Line:
    """The top-level node starts again, and is asked again."""
    stage.top.start()
    seen = stage.resolve(LATER, "tcp")
    is_right = (seen.way, seen.source) == ((PREFIX, TOP_PREFIX), RECORDS)
    return seen.line(f"{LATER}, with {TOP_PREFIX} started again", "TCP", is_right=is_right)
