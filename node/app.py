"""App: the parts of one serving worker, made and joined here and nowhere else.

Read ``build`` to see what a worker is made of; ``start`` and ``stop`` to see in which order it lives and dies.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from node.child import Boot
from node.clock import read_clocks
from node.config_sections import MIB, Config
from node.driver import Asker, Driver, OnReply, OnTrouble
from node.follower import Follower
from node.foreign_report import ForeignReport
from node.forwarding import make_setup, trust_digest, unproved_until_s, upstream_settings
from node.health import Health
from node.hot_keys import FILE_NAME, HotKeys, Plan
from node.http.api import Api
from node.http.session_mail import SessionMail
from node.http.sessions import Sessions
from node.keys import KeyTrouble, read_node_key
from node.lane.memo import make_memo
from node.letters import Letters
from node.listeners import http
from node.listeners.limits import ProvenAddresses
from node.listeners.native import NativeSpeaker
from node.listeners.tcp import TcpListener
from node.listeners.udp import UdpListener
from node.logs import get_log
from node.metrics import (
    CACHE_BUDGET_BYTES,
    CACHE_BYTES,
    CACHE_ENTRIES,
    CACHE_EVICTIONS,
    CACHE_HITS,
    CACHE_MISSES,
    FAILED_LOGINS,
    FOLLOWER_SEQ,
    HOT_ANSWERS,
    HOT_REFUSALS,
    IS_WRITABLE,
    LOOP_LAG_SECONDS,
    OVER_RATE,
    OVERLOAD_REFUSED,
    REMEMBERED_ANSWERS,
    WAITING_WRITE_BYTES,
    WORKER,
    HotCounters,
)  # fmt: skip
from node.native.office import make_office
from node.overload import LOOK_EVERY_S, Work
from node.proving.authenticator import Authenticator
from node.proving.far_secrets import FarSecrets, Surroundings
from node.proving.pool import CpuPool
from node.relay import Relay
from node.reports import Reporter
from node.server_keys import ServerKeys
from node.service import Service
from node.site import SiteInfo
from node.sockets import HTTP, TCP, UDP
from node.store import open_view
from node.upstream.client import UpstreamClient
from node.writer import Writer
from protocols.message import Answer, Query
from registry.change import Change
from registry.holdings import Holdings
from registry.sealing import Sealer
from registry.stores.lmdb_reader import LmdbReader
from resolver.forwarding import Forwarder, Setup
from resolver.networks import NetworkSet
from resolver.policies.ratelimit import RateLimit
from resolver.source import Peer

TICK_S = 0.5
"""Site record, snapshot and lag are looked at twice a second."""
LAST_QUESTIONS_S = 5.0
"""After so long every question of a client that was replaced is over: patience with one is three seconds."""
LAGS_KEPT = 10
"""Health speaks of the last five seconds: a probe must not miss what went by between two ticks."""

log = get_log("app")


class App:
    """One worker's parts. Make it with ``build``; ``on_broken`` is called when a part that must live has died."""

    def __init__(
        self,
        config: Config,
        reader: LmdbReader,
        on_broken: Callable[[], None],
        places: Iterable[tuple[str, int]] = (),
        slot: int = 0,
    ) -> None:
        """``places``: where the sockets are bound. ``slot``: which of the node's workers this is."""
        self._config = config
        self._slot = slot
        self._reader = reader
        self._on_broken = on_broken
        self._lags_s: deque[float] = deque(maxlen=LAGS_KEPT)
        self.follower = Follower(reader)
        self.writer = Writer(
            config.socket_path, config.memory.write_queue_mib * MIB, lambda _: self._catch_up()
        )
        sealer = Sealer(read_node_key(config.node.key_file))
        holdings = Holdings(reader, sealer, frozenset(config.node.admins))
        self.pool = CpuPool()
        recursive = NetworkSet(config.access.recursion_networks)
        setup = make_setup(
            config, reader.head().log_id, places,
            recursive, NetworkSet(config.access.unlimited_networks),
        )  # fmt: skip
        self.forwarder = Forwarder(setup, holdings)
        until_s = unproved_until_s(config)
        self._unproved_until_s = until_s if until_s > read_clocks().wall_s else 0.0
        self.driver = Driver(self.forwarder, self._connect, read_clocks)
        self.authenticator = self._make_authenticator(holdings, setup)
        self.follower.listen(self._drop_changed, self._keeps_foreign)
        plan = Plan(
            config.node.data_dir / FILE_NAME, config.memory.kept_keys, slot == 0,
            trust_digest(config), until_s, config.store.min_free_percent,
        )  # fmt: skip
        self.hot_keys = HotKeys(
            plan, self.forwarder, self.follower, reader, setup.limits, read_clocks
        )
        self.service = Service(
            reader, holdings, self.writer, self.follower, self.authenticator,
            self.driver, recursive, setup.node,
        )  # fmt: skip
        self.service.share_misses(config.node.workers)
        self.service.memo = make_memo(config.memory.looked_up_mib * MIB)
        self.site = SiteInfo(reader, config.node.prefix)
        self.server_keys = ServerKeys.load(config, self.site.serial)
        self._office = make_office(self.service, self.site, self.server_keys, slot)
        self.speaker = NativeSpeaker(self.service, self.site, self._office)
        self.proven = ProvenAddresses(
            config.access.proven_networks, config.limits.proven_s, config.memory.proven_addresses
        )
        self.rate = RateLimit(
            config.limits.udp_answers_per_s, config.limits.udp_burst, config.access.proven_networks
        )
        self.tcp = TcpListener(self.service, self.speaker, self.site, self.proven, config)
        self.udp: list[UdpListener] = []
        self.http: http.HttpListener | None = None
        self.session_mail: SessionMail | None = None
        self.health = Health(self.writer, config)
        self._report = ForeignReport(self.driver)
        self.letters: Letters | None = None
        self._counters = HotCounters()
        self._count_hot()
        self._report.count_in(self._counters)
        self._tasks: list[asyncio.Task[Any]] = []

    def _make_authenticator(self, holdings: Holdings, setup: Setup) -> Authenticator:
        """Who logs in may keep his key at another node; that one is asked as for any question."""

        async def resolve(query: Query, peer: Peer) -> Answer:
            return await self.service.resolve(query, peer)

        teller = setup.upstreams[0] if setup.upstreams else None
        around = Surroundings(resolve, self.driver.verify, setup.own_places, teller)
        return Authenticator(
            holdings,
            lambda: read_clocks().monotonic_s,
            pool=self.pool,
            resolve=resolve,
            far_secrets=FarSecrets(around),
        )

    async def start(self, sockets: dict[str, list[socket.socket]]) -> None:
        """Serve on bound sockets."""
        if self._unproved_until_s:
            until = self._config.upstream.trust_unproved_until
            log.warning("upstream answers are believed without proof", extra={"until": until})
        self.hot_keys.load()
        self._keep(self.writer.run())
        self._keep(self._tick())
        self._keep(self.hot_keys.run())
        self._keep(self._watch_lag())
        self.letters = self._correspond(sockets)
        for place, sock in enumerate(sockets.get(UDP, [])):
            listener = UdpListener(
                sock,
                self.service,
                self.speaker.of_socket(place),
                self.site,
                self.proven,
                self.rate,
                self._config.limits,
            )
            listener.start()
            self.udp.append(listener)
        await self.tcp.start(sockets.get(TCP, []))
        if sockets.get(HTTP):
            api = Api(self.service, self._config, self.session_mail, self.server_keys, self.speaker)
            self.http = await http.start(self.service, sockets[HTTP], self._config, api=api)
        self.health.is_serving = True

    def _correspond(self, sockets: dict[str, list[socket.socket]]) -> Letters:
        """Join the worker with its siblings and with the operations process."""
        boxes = dict(enumerate(sockets.get("mailboxes", [])))
        relay = Relay(self._slot, boxes, self.speaker, self.service, sockets.get(UDP, []))
        relay.start()
        if len(boxes) > 1:
            self.speaker.siblings = relay
        place = (self._slot, os.getpid())
        reporter = Reporter(place, self.health, WORKER, self._gauges, self._report.servers)
        mail = self.session_mail = SessionMail(
            self._slot, boxes, Sessions(self._slot), lambda: read_clocks().monotonic_s
        )
        return Letters(
            sockets, relay, reporter, lambda *found: self._keep(self._adopt(*found)), mail.receivers
        )

    async def _adopt(self, use: str, sock: socket.socket) -> None:
        """Go on with a connection of a predecessor."""
        sock.setblocking(False)  # noqa: FBT003
        listener = {TCP: self.tcp, HTTP: self.http}.get(use)
        if listener is None:
            sock.close()  # by the settings of now, it is not served any more
            return
        with suppress(OSError):  # the client has left meanwhile
            await listener.adopt(sock)

    async def stop(self, heir: int | None = None) -> None:
        """Take nothing new, finish what was begun within ``node.drain_s``, close.

        ``heir``: slot of the worker that goes on with the connections; None = the node stops.
        """
        drain_s, letters = self._config.node.drain_s, self.letters
        assert letters is not None, "it was started"
        self.health.is_serving = False
        if heir is not None:
            letters.leave()
        for listener in self.udp:
            listener.stop()
        closing = [
            self.tcp.stop(drain_s, letters.hand_over(TCP, heir)),
            *(listener.drain(drain_s) for listener in self.udp),
        ]
        if self.http is not None:
            closing.append(self.http.close(drain_s, letters.hand_over(HTTP, heir)))
        await asyncio.gather(*closing)
        await self.speaker.drain(drain_s)
        await self.hot_keys.close()
        await self.driver.close()
        self.pool.close()
        await letters.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reader.close()

    def _count_hot(self) -> None:
        """Have the plain integers of the hot paths read at scrape time."""
        add, udp, tcp = self._counters.add, self.udp, self.tcp
        add(HOT_ANSWERS, "udp", lambda: sum(one.hits for one in udp))
        add(HOT_ANSWERS, "tcp", lambda: tcp.all_hits)
        add(HOT_ANSWERS, "http", lambda: self.http.ahead.hits if self.http else 0)
        add(REMEMBERED_ANSWERS, "udp", lambda: sum(one.remembered for one in udp))
        add(REMEMBERED_ANSWERS, "tcp", lambda: tcp.all_remembered)
        add(REMEMBERED_ANSWERS, "http", lambda: self.http.ahead.remembered if self.http else 0)
        add(CACHE_HITS, "rendered", self._rendered_hits)
        add(CACHE_MISSES, "rendered", lambda: self.http.ahead.made if self.http else 0)
        add(
            CACHE_EVICTIONS,
            "rendered",
            lambda: self.http.ahead.rendered.evictions if self.http else 0,
        )
        add(HOT_REFUSALS, "absent", lambda: sum(one.absent for one in udp))
        add(HOT_REFUSALS, "over-budget", lambda: sum(one.over_budget for one in udp))
        add(HOT_REFUSALS, "too-large", lambda: sum(one.too_large for one in udp))
        add(OVER_RATE, "udp", lambda: sum(one.refused for one in udp))
        overload = self.service.overload
        for work in Work:
            add(OVERLOAD_REFUSED, work.value, partial(overload.refused.__getitem__, work))
        add(OVERLOAD_REFUSED, "datagrams", lambda: overload.stale)

    def _rendered_hits(self) -> int:
        if self.http is None:
            return 0
        ahead = self.http.ahead
        return max(0, ahead.hits + ahead.remembered - ahead.made)

    def _catch_up(self) -> None:
        """Somebody committed: hear of it soon, but not inside the registrar's callback."""
        self._keep(self.follower.catch_up())

    def _drop_changed(self, changes: Sequence[Change]) -> None:
        """What other nodes told of these records is no longer theirs to tell, or was told before the change."""
        if not changes:
            self.forwarder.drop_all()
        for change in changes:
            self.forwarder.drop(change.key)

    def _keeps_foreign(self) -> bool:
        forwarder = self.forwarder
        return bool(
            forwarder.cache.used_bytes or forwarder.answers.count or len(forwarder.questions)
        )

    def _connect(self, on_reply: OnReply, on_trouble: OnTrouble) -> Asker:
        settings = upstream_settings(self._config, read_clocks().wall_s)
        return UpstreamClient(settings, on_reply, on_trouble, lambda: read_clocks().wall_s)

    def _ask_for_proof_again(self) -> None:
        """The time in which the operator trusted without proof is over."""
        self._unproved_until_s = 0.0
        log.warning("answers of upstream servers need the signature of a pinned key again")
        former = self.driver.replace(self._connect)

        async def close_later() -> None:
            try:
                await asyncio.sleep(LAST_QUESTIONS_S)
            finally:
                await former.close()

        self._keep(close_later())

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Have it done beside everything else; a worker in which such work dies must not pretend to be well."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._ended)
        self._tasks = [t for t in self._tasks if not t.done()] + [task]

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a part of the worker died; the worker ends and is replaced", exc_info=error)
            self._on_broken()

    async def _watch_lag(self) -> None:
        """Tell how late the loop comes and how long a turn takes: what is refused in overload rests on that."""
        loop, saw = asyncio.get_running_loop(), self.service.overload.saw
        while True:
            expected_s = loop.time() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            woken_s = loop.time()
            await asyncio.sleep(0)  # comes back when everything else that is ready has had its turn
            saw(woken_s - expected_s, loop.time() - woken_s)
            for listener in self.udp:
                listener.look()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        expected_s = loop.time()
        while True:
            expected_s += TICK_S
            await asyncio.sleep(max(0.0, expected_s - loop.time()))
            self._lags_s.append(max(0.0, loop.time() - expected_s))
            self.health.loop_lag_s = max(self._lags_s)
            expected_s = loop.time()
            self._reader.refresh()
            self.site.look()
            self._look_at_keys()
            if self.follower.is_behind:  # the registrar's word of it was lost with its connection
                self._catch_up()
            if 0.0 < self._unproved_until_s <= read_clocks().wall_s:
                self._ask_for_proof_again()
            # An idle worker must not keep pages of old snapshots from being used again.
            self._reader.release()

    def _look_at_keys(self) -> None:
        """Another server key may have taken over."""
        try:
            self.server_keys.look(self.site.serial)
        except KeyTrouble as trouble:
            reason = {"reason": str(trouble)}
            log.error("the server key cannot be read", extra=reason)  # noqa: TRY400

    def _gauges(self) -> None:
        """Bring the gauges up to date; called when somebody scrapes."""
        FAILED_LOGINS.set(self.authenticator.failed_count)
        IS_WRITABLE.set(self.writer.is_connected)
        WAITING_WRITE_BYTES.set(self.writer.waiting_bytes)
        FOLLOWER_SEQ.set(self.follower.seq)
        LOOP_LAG_SECONDS.set(self.health.loop_lag_s)
        if self.http is not None:
            rendered = self.http.ahead.rendered
            CACHE_BYTES.labels("rendered").set(rendered.used_bytes)
            CACHE_BUDGET_BYTES.labels("rendered").set(rendered.most_bytes)
            CACHE_ENTRIES.labels("rendered").set(rendered.count)
        self._report.refresh()
        self._office.refresh_gauges()


def build(boot: Boot, on_broken: Callable[[], None], places: Iterable[tuple[str, int]] = ()) -> App:
    """Open the store and join the parts; ``places`` is where the sockets are bound.

    Raises ``StoreError``, ``KeyTrouble``, ``OSError``.
    """
    return App(boot.config, open_view(boot.config), on_broken, places, boot.slot)
