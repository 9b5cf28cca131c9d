"""The demo, second part: questions that travel, down to the enterprise node, up to the top-level node, to the cache.

Each step is a function of a ``Stage`` that returns the line it saw.
"""

import threading
import time

from node.asking.native import Manner
from node.asking.referral import referred_servers
from node.demo.hierarchy import (
    ELSEWHERE_PREFIX,
    ENTERPRISE_PREFIX,
    MOVING_PREFIX,
    PREFIX,
    TOP_PREFIX,
)
from node.demo.node_process import NodeProcess
from node.demo.stage import CACHE, CACHED_ABSENCE, RECORDS, Line, Stage, is_success, value
from protocols.handle.codes import ResponseCode
from protocols.message import Outcome

DEVICE = f"{ENTERPRISE_PREFIX}/DEVICE-1"
VALVE, OTHER_VALVE, NO_VALVE = (
    f"{ELSEWHERE_PREFIX}/{name}" for name in ("VALVE-1", "VALVE-2", "NO-VALVE")
)
SHORT_LIVED = f"{ELSEWHERE_PREFIX}/SHORT-LIVED"
SHORT_TTL_S = 1
LATER = f"{ELSEWHERE_PREFIX}/LATER"
MOVED = f"{MOVING_PREFIX}/MACHINE-1"
ASK_EVERY_S = 0.004
"""Pause between the questions that watch a prefix move."""


def delegate(stage: Stage) -> Line:
    """The top-level node gives 88.118 to the secondary, the secondary 88.118.7 to the enterprise."""
    started_s = time.monotonic()
    given = (
        _delegate(stage.top, PREFIX, stage.node),
        _delegate(stage.node, ENTERPRISE_PREFIX, stage.enterprise),
    )
    seconds = time.monotonic() - started_s
    answer = f"{TOP_PREFIX} → {PREFIX} → {ENTERPRISE_PREFIX}" if all(given) else "refused"
    asked = f"biaojie prefix delegate {PREFIX}, {ENTERPRISE_PREFIX} --to HOST:PORT"
    return Line(asked, "command", answer, seconds, all(given))


def register_elsewhere(stage: Stage) -> Line:
    """A device on the enterprise node, and some identifiers of a prefix that the top-level node holds itself."""
    started_s = time.monotonic()
    hosted = stage.top.run("prefix", "add", ELSEWHERE_PREFIX)
    device = [value(1, "URL", "https://example.org/device/1")]
    valves = {
        VALVE: value(1, "NAME", "Valve 阀"),
        OTHER_VALVE: value(1, "NAME", "Other valve 阀"),
        LATER: value(1, "NAME", "Valve 阀"),
        SHORT_LIVED: value(1, "NAME", "Gauge 表", ttl_s=SHORT_TTL_S),
    }
    answers = [stage.put(DEVICE, device, stage.enterprise)[0]]
    answers += [stage.put(name, [told], stage.top)[0] for name, told in valves.items()]
    good = sum(answer.status == 201 for answer in answers)
    return Line(
        f"register on {ENTERPRISE_PREFIX} and, below {ELSEWHERE_PREFIX}, on {TOP_PREFIX}", "HTTP PUT",
        f"{good} new", time.monotonic() - started_s,
        hosted.returncode == 0 and good == len(answers),
    )  # fmt: skip


def resolve_delegated(stage: Stage) -> Line:
    """The secondary asks the enterprise node."""
    seen = stage.resolve(DEVICE, "tcp")
    is_right = (seen.way, seen.source) == ((PREFIX, ENTERPRISE_PREFIX), RECORDS)
    return seen.line(f"{DEVICE} (delegated)", "TCP", is_right=is_right and "device/1" in seen.shown)


def resolve_foreign(stage: Stage) -> Line:
    """What neither holds: through the top-level node."""
    seen = stage.resolve(VALVE, "tcp")
    is_right = (seen.way, seen.source) == ((PREFIX, TOP_PREFIX), RECORDS)
    return seen.line(f"{VALVE} (foreign)", "TCP", is_right=is_right and "Valve" in seen.shown)


def resolve_from_below(stage: Stage) -> Line:
    """The enterprise node asks the secondary, which asks the top-level node: three nodes."""
    seen = stage.resolve(OTHER_VALVE, "tcp", stage.enterprise)
    nodes = (ENTERPRISE_PREFIX, PREFIX, TOP_PREFIX)
    is_right = (seen.way, seen.source) == (nodes, RECORDS) and "valve" in seen.shown
    return seen.line(f"{OTHER_VALVE} (asked of {ENTERPRISE_PREFIX})", "TCP", is_right=is_right)


def resolve_from_above(stage: Stage) -> Line:
    """The top-level node asks the secondary, which refers it to the enterprise node."""
    seen = stage.resolve(DEVICE, "tcp", stage.top)
    told = [leg.said for leg in seen.trail.legs] if seen.trail else []
    is_right = (seen.way, seen.source) == ((TOP_PREFIX, ENTERPRISE_PREFIX), RECORDS)
    is_right = is_right and told == [Outcome.REFERRAL.value, Outcome.SUCCESS.value]
    shown = seen._replace(shown=f"{seen.shown} (referred by {PREFIX})")
    return shown.line(f"{DEVICE} (asked of {TOP_PREFIX})", "TCP", is_right=is_right)


def resolve_absent(stage: Stage) -> Line:
    """The top-level node says that there is none."""
    seen = stage.resolve(NO_VALVE, "tcp")
    is_right = (seen.way, seen.source) == ((PREFIX, TOP_PREFIX), RECORDS)
    is_right = is_right and seen.response_code == ResponseCode.HANDLE_NOT_FOUND
    return seen.line(f"{NO_VALVE} (absent)", "TCP", is_right=is_right)


def resolve_cached(stage: Stage) -> Line:
    """Asked again: nobody else is asked."""
    seen = stage.resolve(VALVE, "udp")
    is_right = (seen.way, seen.source) == ((PREFIX,), CACHE) and "Valve" in seen.shown
    return seen.line(f"{VALVE} (again)", "UDP", is_right=is_right)


def resolve_cached_absence(stage: Stage) -> Line:
    """That there is none is remembered, too."""
    seen = stage.resolve(NO_VALVE, "udp")
    is_right = (seen.way, seen.source) == ((PREFIX,), CACHED_ABSENCE)
    is_right = is_right and seen.response_code == ResponseCode.HANDLE_NOT_FOUND
    return seen.line(f"{NO_VALVE} (again)", "UDP", is_right=is_right)


def resolve_cached_http(stage: Stage) -> Line:
    """Over HTTP the header Cache-Status says it (RFC 9211)."""
    seen, answer = stage.resolve_web(DEVICE)
    status = next((v for k, v in answer.headers.items() if k.lower() == "cache-status"), "")
    is_right = (seen.way, seen.source) == ((PREFIX,), CACHE) and "hit" in status
    is_right = is_right and "device/1" in seen.shown
    shown = seen._replace(shown=f"Cache-Status: {status}")
    return shown.line(f"{DEVICE} (again)", "HTTP GET", is_right=is_right)


def refer(stage: Stage) -> Line:
    """A client that asks for itself is told whom to ask."""
    result, seconds = stage.ask(DEVICE, "tcp", Manner(may_recurse=False))
    servers = referred_servers(result.referral) if result.referral else []
    places = [
        f"{server.address}:{one.port}" for server, interfaces in servers for one in interfaces
    ]
    is_right = result.response_code == ResponseCode.SERVICE_REFERRAL
    is_right = is_right and stage.enterprise.native.name in places
    answer = f"RC {result.response_code}: ask {', '.join(dict.fromkeys(places))}"
    return Line(f"{DEVICE} without recursion", "TCP", answer, seconds, is_right, PREFIX, RECORDS)


def move_prefix(stage: Stage) -> Line:
    """A hosted prefix goes to the enterprise and comes back, while somebody keeps asking."""
    is_ready = _host_on_both(stage)
    started_s = time.monotonic()
    with _Asker(stage) as asker:
        asker.await_one("secondary")
        is_moved = _delegate(stage.node, MOVING_PREFIX, stage.enterprise)
        asker.await_one("enterprise")
        is_back = stage.node.run("prefix", "add", MOVING_PREFIX).returncode == 0
        asker.await_one("secondary")
    told = asker.told
    answer = f"{len(told):,} questions meanwhile, {len(told) - asker.unanswered:,} answered"
    is_right = is_ready and is_moved and is_back and asker.unanswered == 0
    is_right = is_right and asker.changes == ["secondary", "enterprise", "secondary"]
    return Line(
        f"move {MOVING_PREFIX}: hosted → delegated → hosted", "UDP", answer,
        time.monotonic() - started_s, is_right, f"{PREFIX} ⇄ {ENTERPRISE_PREFIX}",
    )  # fmt: skip


class _Asker(threading.Thread):
    """Asks the secondary for ``MOVED`` again and again, and keeps what it was told."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="asker", daemon=True)
        self._stage = stage
        self._is_over = threading.Event()
        self.told: list[str] = []
        """Who answered, in order; "" = no values came."""

    def __enter__(self) -> "_Asker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        while not self._is_over.wait(ASK_EVERY_S):
            result, _ = self._stage.ask(MOVED, "udp", Manner())
            values = result.values if is_success(result.response_code) else ()
            self.told.append(values[0].data.decode() if values else "")

    def await_one(self, who: str) -> None:
        """Until ``who`` has answered after all that was told so far; not longer than a few seconds."""
        seen = len(self.told)
        deadline_s = time.monotonic() + 5.0
        while who not in self.told[seen:] and time.monotonic() < deadline_s:
            time.sleep(ASK_EVERY_S)

    @property
    def unanswered(self) -> int:
        """Questions that brought no values."""
        return self.told.count("")

    @property
    def changes(self) -> list[str]:
        """Who answered, without repetitions."""
        return [who for at, who in enumerate(self.told) if at == 0 or self.told[at - 1] != who]


def _host_on_both(stage: Stage) -> bool:
    """The prefix and its record on the node it is at, and on the one it goes to."""
    good = []
    for node, who in ((stage.node, "secondary"), (stage.enterprise, "enterprise")):
        good.append(node.run("prefix", "add", MOVING_PREFIX).returncode == 0)
        good.append(stage.put(MOVED, [value(1, "HELD_BY", who)], node)[0].status == 201)
    return all(good)


def _delegate(node: NodeProcess, prefix: str, to: NodeProcess) -> bool:
    return node.run("prefix", "delegate", prefix, "--to", to.native.name).returncode == 0
