"""What the demo's steps share: the nodes, ways to ask them, and the line each step ends with."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from node.asking.native import Manner, Resolution, ask, resolve_question
from node.asking.trail import SOURCES, source, way
from node.asking.web import WebAnswer, handle_target
from node.clock import read_clocks
from node.demo.hierarchy import Hierarchy
from node.demo.node_process import NodeProcess
from protocols.handle.codes import ResponseCode
from protocols.trail import Trail, Verdict, read_trail_document

RECORDS, CACHE = SOURCES[Verdict.LOCAL], SOURCES[Verdict.FRESH]
CACHED_ABSENCE, STALE = SOURCES[Verdict.ABSENT], SOURCES[Verdict.STALE]
"""What ``Seen.source`` says of an answer."""
MAX_SHOWN = 64
"""Characters of an answer in the table; the whole of it is judged."""
TICK_S = 0.05
"""How often a wait moves the progress bar."""


class Line(NamedTuple):
    """One line of the table."""

    asked: str
    protocol: str
    answer: str
    seconds: float
    is_right: bool
    answered_by: str = ""
    """The nodes the answer came through, as they told themselves; empty where no question was asked."""
    source: str = ""
    """Out of what the last of them answered: its records, its cache."""


class Seen(NamedTuple):
    """An answer, and how it came about."""

    response_code: int
    shown: str
    """Values, or code and reason."""
    ttl_s: int
    """Least TTL of the values; 0 when there are none."""
    trail: Trail | None
    seconds: float

    @property
    def way(self) -> tuple[str, ...]:
        """Prefixes of the nodes the answer came through."""
        return way(self.trail) if self.trail else ()

    @property
    def source(self) -> str:
        """Out of what it came: ``its records``, ``cache``, ``cache (stale)`` …"""
        return SOURCES[source(self.trail)] if self.trail else ""

    def line(self, asked: str, protocol: str, *, is_right: bool) -> Line:
        """The table's line for it."""
        by = " → ".join(self.way)
        shown = self.shown if len(self.shown) <= MAX_SHOWN else self.shown[: MAX_SHOWN - 1] + "…"
        return Line(asked, protocol, shown, self.seconds, is_right, by, self.source)


class Stage:
    """The three nodes, and how the steps deal with them."""

    def __init__(self, hierarchy: Hierarchy, on_wait: Callable[[float, str], None]) -> None:
        """``on_wait``: told the done share of a wait, and what for."""
        self.top, self.node, self.enterprise = hierarchy.nodes
        self.learned_s = 0.0
        """When the record that is to expire was asked for."""
        self._on_wait = on_wait

    def resolve(
        self,
        identifier: str,
        transport: str,
        node: NodeProcess | None = None,
        *,
        is_authoritative: bool = False,
    ) -> Seen:
        """Ask over UDP or TCP alone, the secondary node unless another is named."""
        manner = Manner(is_authoritative=is_authoritative, wants_trail=True)
        result, seconds = self.ask(identifier, transport, manner, node)
        shown = ", ".join(value.data.decode(errors="replace") for value in result.values)
        ttl_s = min((value.ttl for value in result.values), default=0)
        return Seen(result.response_code, shown or failure(result), ttl_s, result.trail, seconds)

    def ask(
        self, identifier: str, transport: str, manner: Manner, node: NodeProcess | None = None
    ) -> tuple[Resolution, float]:
        """The answer as it came, and the seconds it took."""
        question = resolve_question(identifier.encode(), (), (), read_clocks().wall_s, manner)
        result = ask((node or self.node).native, question, (transport,))
        return result, result.hops[-1].seconds

    def resolve_web(self, identifier: str) -> tuple[Seen, WebAnswer]:
        """Ask the secondary node over HTTP, as anybody."""
        started_s = time.monotonic()
        target = handle_target(identifier, "trace=true")
        answer = self.node.web._replace(login=None).ask("GET", target)
        seconds = time.monotonic() - started_s
        values = answer.document.get("values", [])
        shown = ", ".join(str(value["data"]["value"]) for value in values)
        code = int(answer.document.get("responseCode", 0))
        ttl_s = min((int(value["ttl"]) for value in values), default=0)
        trail = read_trail_document(answer.document.get("trail"))
        return Seen(code, shown or said(answer), ttl_s, trail, seconds), answer

    def put(
        self, identifier: str, values: list[dict[str, Any]], node: NodeProcess | None = None
    ) -> tuple[WebAnswer, float]:
        """Register over HTTP, as the node's administrator."""
        started_s = time.monotonic()
        target = handle_target(identifier)
        answer = (node or self.node).web.ask("PUT", target, {"values": values})
        return answer, time.monotonic() - started_s

    def wait(self, seconds: float, why: str) -> None:
        """Let time pass, in sight of whoever watches."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._on_wait(1 - left_s / seconds, f"{why}: {left_s:.1f} s")
            time.sleep(min(TICK_S, left_s))


def value(index: int, type_: str, text: str, ttl_s: int = 86_400) -> dict[str, Any]:
    """A value as the JSON API takes it."""
    data = {"format": "string", "value": text}
    return {"index": index, "type": type_, "data": data, "ttl": ttl_s}


def failure(result: Resolution) -> str:
    """Why there are no values."""
    return f"RC {result.response_code}: {result.message}" if result.answer else result.hops[-1].note


def said(answer: WebAnswer) -> str:
    """Status, code and reason of an answer over HTTP."""
    document = answer.document
    done = {200: "done, ", 201: "new, "}.get(answer.status, "")
    where = f" [{document['field']}]" if document.get("field") else ""
    message = f": {document['message']}{where}" if document.get("message") else ""
    return f"{done}HTTP {answer.status}, RC {document.get('responseCode')}{message}"


def is_success(response_code: int) -> bool:
    """RC 1."""
    return response_code == ResponseCode.SUCCESS


def report_of(output: str) -> dict[str, Any]:
    """What a command told with ``--json``; empty when it told nothing that can be read."""
    try:
        document = json.loads(output)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
