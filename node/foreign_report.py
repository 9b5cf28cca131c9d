"""What operators are told about asking other nodes: counters, gauges, and the list of servers."""

from collections import Counter
from functools import partial

from node.driver import Driver
from node.metrics import (
    CACHE_BUDGET_BYTES,
    CACHE_BYTES,
    CACHE_ENTRIES,
    CACHE_EVICTIONS,
    CACHE_HITS,
    CACHE_LOOKUPS,
    CACHE_MISSES,
    FORWARDING,
    MISSES_REFUSED,
    UPSTREAM_CLIENTS,
    UPSTREAM_SERVERS,
    UPSTREAM_TROUBLES,
    UPSTREAM_WAITING,
    CaughtUp,
    HotCounters,
)  # fmt: skip
from node.reports import ServerRow
from resolver.asking import Role

REMEMBERED = ("fresh", "absent", "stale", "failure")
FOUND = (*REMEMBERED, "miss")
EVENTS = (
    "joined", "stale", "busy", "refreshed", "late", "displaced", "refused-recursion", "refused-loop",
)  # fmt: skip
BUDGETS = ("prefix", "source")
BREAKERS = ("closed", "open", "probing")


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
        cache, answers = forwarder.cache, forwarder.answers
        counters.add(CACHE_HITS, "records", lambda: sum(found[word] for word in REMEMBERED))
        counters.add(CACHE_MISSES, "records", partial(found.__getitem__, "miss"))
        counters.add(CACHE_EVICTIONS, "records", lambda: cache.evictions)
        # Whatever the encoded answers do not answer is looked up among the records.
        counters.add(CACHE_HITS, "encoded", lambda: answers.hits)
        counters.add(CACHE_MISSES, "encoded", found.total)
        counters.add(CACHE_EVICTIONS, "encoded", lambda: answers.evictions)

    def refresh(self) -> None:
        """Bring gauges and troubles up to date."""
        forwarder = self._driver.forwarder
        UPSTREAM_WAITING.set(len(forwarder.questions))
        UPSTREAM_CLIENTS.set(self._driver.waiting_count)
        CACHE_BYTES.labels("records").set(forwarder.cache.used_bytes)
        CACHE_BYTES.labels("encoded").set(forwarder.answers.used_bytes)
        CACHE_BUDGET_BYTES.labels("records").set(forwarder.cache.most_bytes)
        CACHE_BUDGET_BYTES.labels("encoded").set(forwarder.answers.most_bytes)
        CACHE_ENTRIES.labels("records").set(forwarder.cache.count)
        CACHE_ENTRIES.labels("encoded").set(forwarder.answers.count)
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
