"""Every metric of the node, declared here with help text; nothing else makes one.

Labels have few, fixed values: never an identifier, an address or anything else a client chooses. What the hot path
counts are plain integers in its own objects, read when somebody scrapes (``HotCounters``).
"""

from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the text and tell nothing a restart does not

WORKER = CollectorRegistry(auto_describe=True)
"""What a serving worker counts."""
REGISTRAR = CollectorRegistry(auto_describe=True)
"""What the registrar counts."""

OPERATIONS = CollectorRegistry(auto_describe=True)
"""What the operations process itself knows."""
EACH_WORKER = frozenset(
    (
        "biaojie_registrar_connected",
        "biaojie_follower_seq",
        "biaojie_loop_lag_seconds",
        "biaojie_tls_certificate_ends",
    )
)
"""Gauges that tell nothing when they are summed: told for each worker, with its slot as a label."""
LARGEST = frozenset(("biaojie_upstream_servers",))
"""Gauges of which every worker has its own view of the same things: the largest is told. All others are summed."""

SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Bounds in seconds around a disk's flush."""

COMMITS = Counter(
    "biaojie_commits", "Transactions made durable by the registrar.", registry=REGISTRAR
)
COMMIT_SECONDS = Histogram(
    "biaojie_commit_seconds", "Deciding and making durable one batch.", buckets=SHORT, registry=REGISTRAR
)  # fmt: skip
QUEUE_SECONDS = Histogram(
    "biaojie_commit_queue_seconds",
    "How long a frame of commands waited for the registrar.",
    buckets=SHORT,
    registry=REGISTRAR,
)
LOAD_ROWS = Counter("biaojie_load_rows", "Rows of bulk loads decided on.", registry=REGISTRAR)
HEAD_SEQ = Gauge("biaojie_feed_head", "Number of the newest change.", registry=REGISTRAR)
FREE_PERCENT = Gauge(
    "biaojie_disk_free_percent", "Free share of the store's file system.", registry=REGISTRAR
)
IS_READ_ONLY = Gauge(
    "biaojie_writes_stopped", "1 while writes are refused (disk nearly full).", registry=REGISTRAR
)
STORE_BYTES = Gauge("biaojie_store_bytes", "Size of the store's used pages.", registry=REGISTRAR)
STORE_RECORDS = Gauge("biaojie_store_records", "Records, tombstones included.", registry=REGISTRAR)
READER_SLOTS = Gauge("biaojie_store_readers", "Reader slots in use.", registry=REGISTRAR)
STALE_READERS = Counter(
    "biaojie_store_stale_readers", "Slots of dead readers that were freed.", registry=REGISTRAR
)
CLOCK_STEPS = Counter(
    "biaojie_clock_steps", "Times the wall clock was set by more than 5 s.", registry=REGISTRAR
)
WORKER_UP = Gauge(
    "biaojie_worker_up",
    "1 while the worker answers within a second.",
    ["worker"],
    registry=OPERATIONS,
)

SEARCH_SEQ = Gauge(
    "biaojie_search_seq", "Number of the last change in the search index.", registry=OPERATIONS
)
SEARCH_BEHIND = Gauge(
    "biaojie_search_behind", "Changes that are not in the search index yet.", registry=OPERATIONS
)
SEARCH_IS_WHOLE = Gauge(
    "biaojie_search_whole",
    "1 while the search index can be asked, 0 while it is made or missing.",
    registry=OPERATIONS,
)
SEARCH_RECORDS = Gauge(
    "biaojie_search_records", "Records with something to be found.", registry=OPERATIONS
)
SEARCH_VALUES = Gauge("biaojie_search_values", "Values that can be found.", registry=OPERATIONS)
SEARCH_BYTES = Gauge(
    "biaojie_search_bytes", "Size of the search index on disk.", registry=OPERATIONS
)

NATIVE_ANSWERS = Counter(
    "biaojie_native_answers",
    "Native answers off the hot path, by transport and outcome.",
    ["transport", "outcome"],
    registry=WORKER,
)
NATIVE_FAULTS = Counter(
    "biaojie_native_faults",
    "Native requests ignored, refused or cut off, by transport and reason.",
    ["transport", "reason"],
    registry=WORKER,
)
TCP_CONNECTIONS = Gauge("biaojie_tcp_connections", "Open native connections.", registry=WORKER)
HTTP_ANSWERS = Counter(
    "biaojie_http_answers",
    "HTTP answers, by route and status class (2xx …).",
    ["route", "status"],
    registry=WORKER,
)
HTTP_SECONDS = Histogram(
    "biaojie_http_seconds", "From the whole head of an HTTP request to the end of its answer.",
    ["route"], buckets=SHORT, registry=WORKER,
)  # fmt: skip
HTTP_CONNECTIONS = Gauge("biaojie_http_connections", "Open HTTP connections.", registry=WORKER)
HTTP_SESSIONS = Gauge(
    "biaojie_http_sessions", "Sessions begun by challenges or clients, logged in or not.", registry=WORKER
)  # fmt: skip
TLS_CERTIFICATE_ENDS = Gauge(
    "biaojie_tls_certificate_ends",
    "When the certificate that HTTPS clients are shown expires, seconds since 1970; 0 = plain HTTP.",
    registry=WORKER,
)
REGISTER_SECONDS = Histogram(
    "biaojie_register_seconds",
    "From a command's arrival in the worker to its visible change.",
    buckets=SHORT,
    registry=WORKER,
)
RECEIPTS = Counter(
    "biaojie_receipts",
    "Commands answered by this worker, by outcome.",
    ["outcome"],
    registry=WORKER,
)
FAILED_LOGINS = Gauge(
    "biaojie_failed_logins",
    "Wrong secrets and proofs since the start of the worker.",
    registry=WORKER,
)
PROOFS = Counter(
    "biaojie_proofs",
    "Passwords and proofs, by kind (password, secret, signature) and what came of them; no-key: no such handle or"
    " value, not-accepted: an algorithm or a key that is refused.",
    ["kind", "result"],
    registry=WORKER,
)
NATIVE_WAITING = Gauge(
    "biaojie_native_waiting",
    "Of the native protocol, by kind: open sessions, and challenges kept for their answer or its repetition.",
    ["kind"],
    registry=WORKER,
)
POOL_WAITING = Gauge(
    "biaojie_proof_pool_waiting",
    "Key derivations, signatures and key agreements begun or waiting, off the event loop.",
    registry=WORKER,
)
POOL_REFUSED = Gauge(
    "biaojie_proof_pool_refused",
    "Those that found the queue full since the worker started; their clients were told to come back.",
    registry=WORKER,
)
IS_WRITABLE = Gauge(
    "biaojie_registrar_connected", "1 while this worker has a registrar.", registry=WORKER
)
WAITING_WRITE_BYTES = Gauge(
    "biaojie_write_queue_bytes", "Commands waiting for the registrar.", registry=WORKER
)
FOLLOWER_SEQ = Gauge(
    "biaojie_follower_seq", "Number of the last change this worker has seen.", registry=WORKER
)
LOOP_LAG_SECONDS = Gauge(
    "biaojie_loop_lag_seconds",
    "Largest delay of the event loop in the last seconds.",
    registry=WORKER,
)
QUERY_ERRORS = Counter(
    "biaojie_query_errors", "Questions that met a bug and got a server error.", registry=WORKER
)
RELAYED = Counter(
    "biaojie_relayed",
    "Messages of sessions of another worker: passed to it, or refused because too many wait.",
    ["event"],
    registry=WORKER,
)

UPSTREAM_SECONDS = Histogram(
    "biaojie_upstream_seconds",
    "From a question to another node to its reply, by how that node is known.",
    ["role"],
    buckets=SHORT,
    registry=WORKER,
)
UPSTREAM_TROUBLES = Counter(
    "biaojie_upstream_troubles",
    "Questions to other nodes without a reply that is believed, by how the node is known and why.",
    ["role", "trouble"],
    registry=WORKER,
)
UPSTREAM_SERVERS = Gauge(
    "biaojie_upstream_servers",
    "Servers of other nodes that are remembered, by how they are known and the state of their breaker.",
    ["role", "breaker"],
    registry=WORKER,
)
UPSTREAM_WAITING = Gauge(
    "biaojie_upstream_waiting_questions", "Questions other nodes are asked now.", registry=WORKER
)
UPSTREAM_CLIENTS = Gauge(
    "biaojie_upstream_waiting_clients", "Clients that wait for other nodes now.", registry=WORKER
)
CACHE_BYTES = Gauge(
    "biaojie_cache_bytes",
    "Memory taken by answers that are kept: what other nodes told, the same encoded, and rendered HTTP answers.",
    ["what"],
    registry=WORKER,
)
CACHE_BUDGET_BYTES = Gauge(
    "biaojie_cache_budget_bytes",
    "What a cache may take; full, it stays some way below, for the moment when a table is enlarged.",
    ["what"],
    registry=WORKER,
)
CACHE_ENTRIES = Gauge(
    "biaojie_cache_entries",
    "What is remembered: records of other nodes, the same encoded, rendered HTTP answers.",
    ["what"],
    registry=WORKER,
)
KEPT_KEYS = Gauge(
    "biaojie_kept_keys",
    "Hot records of other nodes kept over a restart: taken over at the start, written the last time.",
    ["what"],
    registry=WORKER,
)

DAMAGED_RECORDS = Counter(
    "biaojie_damaged_records",
    "Questions that met a record which cannot be read; `biaojie verify` names it.",
    registry=WORKER,
)
ENUMERATION = Counter(
    "biaojie_enumeration",
    "Guessing below private prefixes: alarm = a source has used up its misses of a minute, refused = a question after.",
    ["event"],
    registry=WORKER,
)
HOT_ANSWERS = (
    "biaojie_hot_answers",
    "Answers of the hot paths from this node's own records, by transport.",
    "transport",
)
OVER_RATE = (
    "biaojie_over_rate",
    "Questions of sources that were over their rate, by transport.",
    "transport",
)
HOT_REFUSALS = (
    "biaojie_hot_refusals",
    "UDP questions refused without looking further: not registered here, over a miss budget, or to be asked by TCP.",
    "reason",
)
REMEMBERED_ANSWERS = (
    "biaojie_remembered_answers",
    "Answers of the hot paths from what other nodes told, by transport.",
    "transport",
)
CACHE_HITS = (
    "biaojie_cache_hits",
    "Questions that a cache answered; with the misses, its hit rate.",
    "what",
)
CACHE_MISSES = (
    "biaojie_cache_misses",
    "Questions that a cache might have answered and did not: the next one was looked at, or another node asked.",
    "what",
)
CACHE_EVICTIONS = (
    "biaojie_cache_evictions",
    "Entries that had to make way for others; while there are none, no cache is too small.",
    "what",
)
CACHE_LOOKUPS = (
    "biaojie_cache_lookups",
    "Questions for identifiers of others, off the hot path, by what was remembered for them.",
    "found",
)
FORWARDING = (
    "biaojie_forwarding",
    "What became of questions for identifiers of others: joined to one under way, answered stale, refused …",
    "event",
)
MISSES_REFUSED = (
    "biaojie_misses_refused",
    "Questions that were not asked elsewhere because a budget was used up.",
    "budget",
)
OVERLOAD_REFUSED = (
    "biaojie_overload_refused",
    "What was refused because the event loop came late, by kind of work; datagrams: dropped unread, too old.",
    "work",
)
HotFamily = tuple[str, str, str]
"""Name, help and label of a family of hot counters."""


class HotCounters(Collector):
    """Plain integers of the hot path, read at scrape time: ``add(HOT_ANSWERS, "udp", lambda: listener.hits)``."""

    def __init__(self) -> None:
        self._sources: dict[HotFamily, list[tuple[str, Callable[[], int]]]] = {}
        WORKER.register(self)

    def add(self, family: HotFamily, label: str, read: Callable[[], int]) -> None:
        """One more source; ``label`` is the value of the family's label."""
        self._sources.setdefault(family, []).append((label, read))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """prometheus_client: the values now."""
        for (name, help_, label), sources in self._sources.items():
            family = CounterMetricFamily(name, help_, labels=[label])
            for value, read in sources:
                family.add_metric([value], read())
            yield family


class CaughtUp:
    """Brings a declared counter up to totals that are kept elsewhere as plain integers."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._told: dict[tuple[str, ...], int] = {}

    def tell(self, labels: tuple[str, ...], total: int) -> None:
        """``total`` so far, for these label values."""
        more = total - self._told.get(labels, 0)
        if more > 0:
            self._counter.labels(*labels).inc(more)
            self._told[labels] = total


def scrape(registry: CollectorRegistry) -> bytes:
    """The Prometheus text of one registry."""
    return generate_latest(registry)
