"""What operators are told about asking other nodes: counters, gauges, and the list of servers."""

from collections import Counter
from functools import partial

from node.driver import Driver
from node.metrics import (
    CACHE_BYTES,
    CACHE_ENTRIES,
    CACHE_LOOKUPS,
    FORWARDING,
    MISSES_REFUSED,
    UPSTREAM_CLIENTS,
    UPSTREAM_SERVERS,
    UPSTREAM_TROUBLES,
    UPSTREAM_WAITING,
    CaughtUp,
    HotCounters,
)  # fmt: skip
from resolver.asking import Role

FOUND = ("fresh", "absent", "stale", "failure", "miss")
EVENTS = (
    "joined", "stale", "busy", "refreshed", "late", "displaced", "refused-recursion", "refused-loop",
)  # fmt: skip
BUDGETS = ("prefix", "source")
BREAKERS = ("closed", "open", "probing")

ServerRow = dict[str, str | float | None]


class ForeignReport:
    """Of one worker's driver. ``refresh`` before each scrape."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._troubles = CaughtUp(UPSTREAM_TROUBLES)

    def count_in(self, counters: HotCounters) -> None:
        """Have the forwarder's plain integers read at scrape time."""
        forwarder = self._driver.forwarder
        found, events, refused = (
            forwarder.lookups, forwarder.counts, forwarder.budgets.refused,
        )  # fmt: skip
        for word in FOUND:
            counters.add(CACHE_LOOKUPS, word, partial(found.__getitem__, word))
        for word in EVENTS:
            counters.add(FORWARDING, word, partial(events.__getitem__, word))
        for word in BUDGETS:
            counters.add(MISSES_REFUSED, word, partial(refused.__getitem__, word))

    def refresh(self) -> None:
        """Bring gauges and troubles up to date."""
        forwarder = self._driver.forwarder
        UPSTREAM_WAITING.set(len(forwarder.questions))
        UPSTREAM_CLIENTS.set(self._driver.waiting_count)
        CACHE_BYTES.labels("records").set(forwarder.cache.used_bytes)
        CACHE_BYTES.labels("encoded").set(forwarder.answers.used_bytes)
        CACHE_ENTRIES.set(forwarder.cache.count)
        for (role, trouble), count in forwarder.questions.troubles.items():
            self._troubles.tell((role.value, trouble.value), count)
        states = Counter((one.role, str(one.breaker)) for one in forwarder.upstreams.states())
        for role in Role:
            for breaker in BREAKERS:
                UPSTREAM_SERVERS.labels(role.value, breaker).set(states[role, breaker])

    def servers(self) -> list[ServerRow]:
        """Every server that is remembered, by name; ``breaker`` is closed, open or probing."""
        now_s = self._driver.now().monotonic_s
        return [
            {
                "server": one.name,
                "role": one.role.value,
                "breaker": one.breaker,
                "open_for_s": round(max(0.0, one.open_until_s - now_s), 3),
                "in_flight": one.in_flight,
                "smoothed_ms": None if one.smoothed_s is None else round(one.smoothed_s * 1000, 3),
                "answers": one.answers,
                "failures": one.failures,
            }
            for one in self._driver.forwarder.upstreams.states()
        ]
