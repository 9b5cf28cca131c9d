"""The supervisor: makes the sockets, starts registrar and workers, replaces the dead and the hung, reloads and stops.

No event loop and no threads: it sleeps until a signal or a child's report comes, so that nothing here can hang.
TERM or INT drains and stops, HUP reads the settings again and rolls the workers: one first, which is watched for a
while, then the others one by one. Settings that cannot work are reported and the old ones stay. Whoever is rolled hands
its connections to its successor. Children end by themselves when the supervisor is killed.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator

from node.bell import Bell
from node.child import EXIT_CONFIG, EXIT_LOCKED, PLACE, RETIRE, Boot, Child
from node.config import Config, ConfigError, load_config
from node.config_check import check_config
from node.logs import get_log
from node.mailbox import GONE, OPERATIONS_SLOT, WORKERS, make_mailbox, send
from node.notify import notify
from node.posts import (
    FIRST_BACKOFF_S,
    OPERATIONS,
    REGISTRAR,
    SEARCH,
    WORKER,
    Post,
    StartFailed,
    lives_by_other,
    load_all,
)
from node.sockets import PortTaken, Sockets, make_sockets
from node.store import has_store

READY_S = 30.0
"""Longest wait for a child to come up, at start and in a reload."""
KILL_AFTER_S = 5.0
"""Grace beyond ``node.drain_s`` before a child is killed."""
FROZEN_S = 5.0
"""A supervisor that was away for so long was stopped itself (a paused container): silence proves nothing then."""
STEERED_S = 0.1
"""After new clients are led elsewhere, handshakes under way end and a worker empties its queues in so long."""

log = get_log("supervisor")


class _Told(Exception):
    """A signal to stop came while something else was under way."""


class Supervisor:
    """One run of the node, from start to stop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sockets = Sockets()
        self._registrar = Post(REGISTRAR, 0, config, self._sockets)
        self._operations = Post(OPERATIONS, 0, config, self._sockets)
        self._search = Post(SEARCH, 0, config, self._sockets)
        self._is_started = False
        """The workers answer; now there is time for what nobody waits for."""
        self._workers: list[Post] = []
        self._candidates: list[Post] = []
        """Workers of a reload that have no place yet."""
        self._retired: list[tuple[Child, float]] = []
        """Children that drain, and when they are killed."""
        self._is_steered = False
        """New clients are led past the sockets of slots that are given up, until those who had them have ended."""
        self._boxes = {OPERATIONS_SLOT: make_mailbox()}
        self._bell = Bell()

    def start(self) -> dict[str, list[str]]:
        """Start everything and return what is listened on, ``host:port`` by use. Raises ``StartFailed``."""
        self._bell.catch()
        config = self._config
        try:
            self._sockets = make_sockets(config)
        except PortTaken as taken:
            raise StartFailed(str(taken)) from None
        listening = self._sockets.listening()
        self._make_boxes(config.node.workers)
        try:
            self._fill(self._registrar, config)
            if config.operations.enabled:
                self._fill(self._operations, config)
            if not has_store(config):
                self._await_ready(self._registrar)  # it makes the store that workers open
            self._workers = [self._post(slot, config) for slot in range(config.node.workers)]
            for post in self._workers:
                self._fill(post, config)  # their modules are loaded while the registrar begins
            load_all()
            for post in self._posts():
                self._await_ready(post)
        except (StartFailed, _Told) as trouble:
            self.stop()
            if isinstance(trouble, _Told):
                raise StartFailed("stopped while starting", 0) from None  # as it was told to
            raise
        self._is_started = True
        notify("READY=1", f"STATUS=serving {' '.join(listening.get('udp', []))}")
        log.info("serving", extra={"listening": listening, "pid": os.getpid()})
        return listening

    def run(self) -> int:
        """Keep the node going until TERM or INT, then stop it. The exit status."""
        while True:
            self._wait(self._next_look_s())
            for number in self._bell.take():
                if number == signal.SIGHUP:
                    self._reload()
                else:
                    notify("STOPPING=1")
                    log.info("stopping", extra={"signal": signal.Signals(number).name})
                    return 0 if self.stop() else 1
            self._tend()

    def stop(self) -> bool:
        """Drain the workers, then end the others; False when somebody had to be killed."""
        self._sockets.let_nobody_in()
        workers = [*self._workers, *self._candidates]
        children = [post.child for post in workers if post.child is not None]
        for child in children:
            child.stop()
        self._sockets.close()  # the workers have theirs, and empty the queues before they close them
        is_clean = self._end([*children, *(child for child, _ in self._retired)])
        for post in (self._search, self._operations, self._registrar):
            if post.child is not None:
                is_clean &= self._end([post.child])
        return is_clean

    # filling posts

    def _make_boxes(self, workers: int) -> None:
        for slot in range(workers):
            if slot not in self._boxes:
                self._boxes[slot] = make_mailbox()

    def _post(self, slot: int, config: Config) -> Post:
        return Post(WORKER, slot, config, self._sockets)

    def _posts(self) -> Iterator[Post]:
        """All that are to be filled."""
        yield self._registrar
        yield from self._workers
        yield from self._candidates
        if self._config.operations.enabled:
            yield self._operations
        if self._config.search.enabled and self._is_started:
            yield self._search

    def _fill(self, post: Post, config: Config, sockets: Sockets | None = None) -> None:
        """Start a child that lives by these settings."""
        post.config, post.sockets = config, sockets or self._sockets
        post.start(self._boot(post))

    def _boot(self, post: Post) -> Boot:
        """What a child inherits: a registrar nothing, or it would keep a port open that a reload gave up."""
        slots = range(post.config.node.workers)
        inherited: dict[str, list[int]] = {}
        if post.module == WORKER:
            inherited = post.sockets.descriptors(post.slot)
            inherited["mailbox"] = [self._boxes[post.slot][0].fileno()]
            inherited["report"] = [self._boxes[OPERATIONS_SLOT][1].fileno()]
        elif post.module == OPERATIONS:
            inherited["operations"] = [one.fileno() for one in post.sockets.operations]
            inherited["mailbox"] = [self._boxes[OPERATIONS_SLOT][0].fileno()]
        if inherited:
            inherited["mailboxes"] = [self._boxes[n][1].fileno() for n in slots]
        facts = {
            "serving": True,
            "listening": post.sockets.listening(),
            "supervisor_pid": os.getpid(),
            "is_candidate": post in self._candidates,
        }
        return Boot(post.config, post.slot, inherited, facts)

    def _await_ready(self, post: Post) -> None:
        """Raises ``StartFailed`` when the child ends by itself or is not ready in time, ``_Told`` when told to stop.

        One that is killed is replaced like any other: half a second of bad luck must not end the node.
        """
        in_time = self._until(lambda: post.is_ready or post.is_hopeless, READY_S)
        if not in_time:
            raise StartFailed(f"the {post.name} was not ready within {READY_S:g} s")
        if not post.is_ready:
            status = post.last_status
            raise StartFailed(
                f"the {post.name} could not start: {post.failure or f'exit status {status}'}",
                status if status in {EXIT_CONFIG, EXIT_LOCKED} else 1,
            )

    def _until(self, is_done: Callable[[], bool], patience_s: float) -> bool:
        """Look after everybody until ``is_done``; False when time is up. Raises ``_Told``."""
        deadline_s = time.monotonic() + patience_s
        while not is_done():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            self._wait(min(left_s, self._next_look_s()))
            self._tend(is_done)
            if self._bell.says_stop:
                raise _Told
        return True

    def _tend(self, is_done: Callable[[], bool] = lambda: False) -> None:
        """Hear everybody, fill what is empty, unless that is what was waited for."""
        lived = [post for post in self._workers if post.child is not None]
        empty = [post for post in self._posts() if post.look_after()]
        for post in lived:
            if post.child is None:
                self._tell_gone(post.slot)
        self._look_after_retired()
        for post in () if is_done() else empty:
            try:
                self._fill(post, post.config, post.sockets)
            except StartFailed as failed:  # no room for a process now; those that live go on
                log.error("a process cannot be started now", extra={"reason": str(failed)})  # noqa: TRY400

    def _tell_gone(self, slot: int) -> None:
        """Have it known to all that the worker in this slot has ended, with what they expected of it."""
        for other in (OPERATIONS_SLOT, *(post.slot for post in self._workers if post.child)):
            send(self._boxes[other][1], GONE, slot)

    # reloading

    def _reload(self) -> None:
        """Read the settings again and roll the workers; whatever goes wrong, the old settings go on."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            fresh = load_config(self._config.path)
            check_config(fresh)
            # Those given up by the last one have sockets still: leading clients to all would lead some to them.
            self._until(lambda: not self._is_steered, self._most_drain_s)
            self._apply(fresh)
            log.info("settings reloaded")
        except (ConfigError, PortTaken, StartFailed, OSError) as trouble:
            log.error("settings not reloaded, the old ones stay", extra={"reason": str(trouble)})  # noqa: TRY400
        except _Told:
            pass  # whoever waits for a place is stopped with the others
        notify("READY=1")

    def _apply(self, fresh: Config) -> None:
        """Roll onto new settings. Raises ``ConfigError``, ``PortTaken``, ``StartFailed`` with everything as before."""
        old, old_sockets = self._config, self._sockets
        if fresh.node.data_dir != old.node.data_dir:
            raise ConfigError("node.data_dir cannot change while the node runs; stop and start it")
        sockets = make_sockets(fresh, old_sockets)
        self._make_boxes(fresh.node.workers)
        try:
            sockets.spread_over(min(len(self._workers), fresh.node.workers))  # who is there already
            first = self._prove(fresh, sockets)
        except (StartFailed, _Told, OSError):
            sockets.close(but=old_sockets)
            old_sockets.spread_over(None)
            raise
        self._config, self._sockets = fresh, sockets
        self._take_place(first)
        for slot in range(1, fresh.node.workers):
            self._roll(slot, fresh)
        sockets.spread_over(None)
        self._give_up_slots(fresh.node.workers, old_sockets)
        old_sockets.close(but=sockets)
        self._renew_others(old, fresh)

    def _prove(self, fresh: Config, sockets: Sockets) -> Post:
        """The first worker with new settings, ready and watched for a while. Raises ``StartFailed``, ``_Told``."""
        candidate = self._post(0, fresh)
        self._candidates.append(candidate)
        try:
            self._fill(candidate, fresh, sockets)
            self._await_ready(candidate)
            self._watch(candidate, fresh.node.reload_watch_s)
        except StartFailed:
            self._candidates.remove(candidate)
            self._retire(candidate, 0)
            raise
        return candidate

    def _watch(self, candidate: Post, watch_s: float) -> None:
        if self._until(lambda: not candidate.is_ready, watch_s):
            raise StartFailed(f"the new worker ended within {watch_s:g} s")
        if not candidate.is_well:
            raise StartFailed(f"the new worker was not well after {watch_s:g} s")

    def _roll(self, slot: int, fresh: Config) -> None:
        """A successor for one more worker, or the first one of a new slot; one that does not come up keeps the old."""
        candidate = self._post(slot, fresh)
        if slot >= len(self._workers):
            self._workers.append(candidate)
            self._until(lambda: candidate.is_ready, READY_S)  # filled like any empty post
            return
        self._candidates.append(candidate)
        try:
            self._fill(candidate, fresh)
            self._await_ready(candidate)
        except StartFailed as failed:
            log.error("a worker keeps its old settings", extra={"reason": str(failed)})  # noqa: TRY400
            self._candidates.remove(candidate)
            self._retire(candidate, slot)
            self._workers[slot].config, self._workers[slot].sockets = fresh, self._sockets
        else:
            self._take_place(candidate)

    def _take_place(self, candidate: Post) -> None:
        """Of the worker in its slot, which drains."""
        self._candidates.remove(candidate)
        former, self._workers[candidate.slot] = self._workers[candidate.slot], candidate
        if candidate.child is not None:
            candidate.child.tell(PLACE)
        self._retire(former, candidate.slot)

    def _give_up_slots(self, count: int, old_sockets: Sockets) -> None:
        """End the workers from ``count`` on: new clients go elsewhere, who waits is served, and then it is closed."""
        surplus, self._workers = self._workers[count:], self._workers[:count]
        if surplus:
            self._candidates += surplus  # they are looked after until they are told
            old_sockets.spread_over(count)
            try:
                self._until(lambda: False, STEERED_S)
            finally:
                self._candidates = [post for post in self._candidates if post not in surplus]
                for post in surplus:
                    self._retire(post, post.slot % count)
                # Not before: the end of those who were rolled would have it undone.
                self._is_steered = True

    def _renew_others(self, old: Config, fresh: Config) -> None:
        """Registrar and operations process, where what they live by has changed."""
        boxes = [self._boxes[slot][1].fileno() for slot in range(fresh.node.workers)]
        send(self._boxes[OPERATIONS_SLOT][1], WORKERS, len(boxes), boxes)
        registrar, watch, search = self._registrar, self._operations, self._search
        for post in (registrar, watch, search):
            post.config, post.sockets = fresh, self._sockets
            post.backoff_s = FIRST_BACKOFF_S
        for post in (registrar, search):
            if lives_by_other(post.module, old, fresh):
                post.begin_anew()
        if lives_by_other(OPERATIONS, old, fresh) and watch.child is not None:
            watch.child.stop()
            self._retired.append((watch.child, time.monotonic() + KILL_AFTER_S))
            watch.child = None

    def _retire(self, post: Post, heir: int) -> None:
        """Have its child drain while others serve, and hand its connections to the worker in slot ``heir``."""
        if post.child is not None:
            kill_s = time.monotonic() + self._most_drain_s
            post.child.tell(RETIRE, heir=heir)
            self._retired.append((post.child, kill_s))

    def _look_after_retired(self) -> None:
        kept = []
        for child, kill_s in self._retired:
            child.read_reports()
            if child.process.poll() is not None:
                child.close()
                continue
            if time.monotonic() >= kill_s:
                child.kill()
            kept.append((child, kill_s))
        self._retired = kept
        if self._is_steered and not kept:
            self._is_steered = False
            self._sockets.spread_over(None)

    # ending and waiting

    @property
    def _most_drain_s(self) -> float:
        """After so long a child that was told to end is killed."""
        return self._config.node.drain_s + KILL_AFTER_S

    def _end(self, children: list[Child]) -> bool:
        for child in children:
            child.stop()
        deadline_s = time.monotonic() + self._most_drain_s
        is_clean = True
        for child in children:
            while child.process.poll() is None:
                if time.monotonic() >= deadline_s:
                    log.error("a process did not end and is killed", extra={"child": child.module})
                    child.kill()
                    is_clean = False
                self._bell.sleep(0.05, [])
            child.close()
        return is_clean

    def _next_look_s(self) -> float:
        """Until when nothing needs to be looked at unless somebody reports."""
        waiting = [post.next_start_s for post in self._posts() if post.child is None]
        soonest_s = min(waiting, default=float("inf")) - time.monotonic()
        return min(max(0.0, soonest_s), 0.1 if self._retired else 1.0)

    def _wait(self, timeout_s: float) -> None:
        """Until a signal, a report or the end of a child; whoever calls reads the reports afterwards."""
        children = [post.child for post in self._posts() if post.child is not None]
        slept_s = time.monotonic()
        self._bell.sleep(timeout_s, [c.report_fd for c in children if c.process.poll() is None])
        if time.monotonic() - slept_s > FROZEN_S:
            for post in self._posts():
                post.heard_s = time.monotonic()
