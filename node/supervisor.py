"""The supervisor: makes the sockets, starts registrar and workers, replaces the dead and the hung, reloads and stops.

No event loop and no threads: one ``select`` over signals and the children's reports, so that nothing here can hang.
TERM or INT drains and stops, HUP reads the settings again and rolls the workers one by one; settings
that cannot work are reported and the old ones stay. Children end by themselves when the supervisor is killed.
"""

import contextlib
import os
import select
import signal
import time

from node.child import EXIT_CONFIG, EXIT_LOCKED, SILENCE_S, Boot, Child
from node.config import Config, ConfigError, load_config
from node.config_check import check_config
from node.logs import get_log
from node.notify import notify
from node.sockets import PortTaken, Sockets, make_sockets
from node.store import has_store

FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.05, 5.0
"""Pause before a dead child is replaced; doubles while it keeps dying."""
STEADY_S = 30.0
"""A child that lived so long died of something new: the pause starts small again."""
READY_S = 30.0
"""Longest wait for a child to come up, at start and in a reload."""
KILL_AFTER_S = 5.0
"""Grace beyond ``node.drain_s`` before a child is killed."""
FROZEN_S = 5.0
"""A supervisor that was away for so long was stopped itself (a paused container): silence proves nothing then."""
REGISTRAR, WORKER = "node.registrar_process", "node.worker"

log = get_log("supervisor")


class StartFailed(Exception):
    """The node could not start; ``str()`` says why, ``exit_status`` is for the shell."""

    def __init__(self, reason: str, exit_status: int = 1) -> None:
        super().__init__(reason)
        self.exit_status = exit_status


class Post:
    """One place to be filled: the registrar, or worker n; knows its present child and when to fill it again."""

    def __init__(self, module: str, slot: int) -> None:
        self.module, self.slot = module, slot
        self.child: Child | None = None
        self.is_ready = False
        self.failure = ""
        self.started_s = self.heard_s = self.next_start_s = 0.0
        self.backoff_s = FIRST_BACKOFF_S

    @property
    def name(self) -> str:
        """For logs."""
        return "registrar" if self.module == REGISTRAR else f"worker-{self.slot}"

    def start(self, boot: Boot) -> None:
        """Fill the post. Raises ``StartFailed`` when the system has no room for another process."""
        try:
            self.child = Child(self.module, boot)
        except OSError as error:
            self._wait_longer()
            raise StartFailed(f"the {self.name} cannot be started: {error.strerror}") from None
        self.is_ready, self.failure = False, ""
        self.started_s = self.heard_s = time.monotonic()

    def hear(self) -> None:
        """Take in what the child has reported."""
        assert self.child is not None
        for said in self.child.read_reports():
            self.heard_s = time.monotonic()
            self.is_ready = self.is_ready or said.get("event") == "ready"
            if said.get("event") == "failed":
                self.failure = str(said.get("reason"))

    def bury(self) -> int | None:
        """Exit status of a child that has ended, None when it lives or there is none."""
        if self.child is None or (status := self.child.process.poll()) is None:
            return None
        self.hear()
        self.child.close()
        self.child = None
        self.is_ready = False
        if time.monotonic() - self.started_s > STEADY_S:
            self.backoff_s = FIRST_BACKOFF_S
        self._wait_longer()
        return status

    def _wait_longer(self) -> None:
        self.next_start_s = time.monotonic() + self.backoff_s
        self.backoff_s = min(self.backoff_s * 2, MAX_BACKOFF_S)


class Supervisor:
    """One run of the node, from start to stop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sockets = Sockets()
        self._registrar = Post(REGISTRAR, 0)
        self._workers: list[Post] = []
        self._retired: list[tuple[Child, float]] = []
        """Children that drain, and when they are killed."""
        self._signals: list[int] = []
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def start(self) -> dict[str, list[str]]:
        """Start everything and return what is listened on, ``host:port`` by use. Raises ``StartFailed``."""
        self._catch_signals()
        try:
            self._sockets = make_sockets(self._config)
        except PortTaken as taken:
            raise StartFailed(str(taken)) from None
        listening = self._sockets.listening()
        try:
            self._start_post(self._registrar)
            if not has_store(self._config):
                self._await_ready(self._registrar)  # it makes the store that workers open
            self._workers = [Post(WORKER, slot) for slot in range(self._config.node.workers)]
            for post in self._workers:
                self._start_post(post)  # beside the registrar: half of a start is loading modules
            for post in (self._registrar, *self._workers):
                self._await_ready(post)
        except StartFailed:
            self.stop()
            raise
        notify("READY=1", f"STATUS=serving {' '.join(listening.get('udp', []))}")
        log.info("serving", extra={"listening": listening, "pid": os.getpid()})
        return listening

    def run(self) -> int:
        """Keep the node going until TERM or INT, then stop it. The exit status."""
        while True:
            slept_s = time.monotonic()
            self._wait(self._next_look_s())
            if time.monotonic() - slept_s > FROZEN_S:
                for post in (self._registrar, *self._workers):
                    post.heard_s = time.monotonic()
            for number in self._take_signals():
                if number == signal.SIGHUP:
                    self._reload()
                else:
                    notify("STOPPING=1")
                    log.info("stopping", extra={"signal": signal.Signals(number).name})
                    return 0 if self.stop() else 1
            self._look_after(self._registrar)
            for post in self._workers:
                self._look_after(post)
            self._look_after_retired()

    def stop(self) -> bool:
        """Drain the workers, then end the registrar; False when somebody had to be killed."""
        self._sockets.close()  # refused at once is better than accepted by the kernel and never served
        is_clean = self._end([post.child for post in self._workers if post.child is not None])
        is_clean &= self._end([child for child, _ in self._retired])
        if self._registrar.child is not None:
            is_clean &= self._end([self._registrar.child])
        return is_clean

    def _start_post(self, post: Post) -> None:
        # Only workers inherit sockets: a registrar that held one would keep a port open that a reload gave up.
        sockets = self._sockets.descriptors(post.slot) if post.module == WORKER else {}
        facts = {
            "serving": True,
            "listening": self._sockets.listening(),
            "supervisor_pid": os.getpid(),
        }
        post.start(Boot(self._config, post.slot, sockets, facts))

    def _await_ready(self, post: Post) -> None:
        """Raises ``StartFailed`` when the child ends, or is not ready in time, or a stop is asked for."""
        deadline_s = time.monotonic() + READY_S
        while not post.is_ready:
            self._wait(min(1.0, max(0.0, deadline_s - time.monotonic())))
            for one in (self._registrar, *self._workers):
                if one.child is not None:
                    one.hear()
            status = post.bury()
            if status is not None:
                raise StartFailed(
                    f"the {post.name} could not start: {post.failure or f'exit status {status}'}",
                    status if status in {EXIT_CONFIG, EXIT_LOCKED} else 1,
                )
            if time.monotonic() >= deadline_s:
                raise StartFailed(f"the {post.name} was not ready within {READY_S:g} s")
            if any(number != signal.SIGHUP for number in self._signals):
                raise StartFailed("stopped while starting", 0)  # as it was told to

    def _look_after(self, post: Post) -> None:
        """Hear it, replace it when it is dead, kill it when it hangs."""
        now_s = time.monotonic()
        if post.child is not None:
            post.hear()
            status = post.bury()
            if status is not None:
                log.error(
                    "a process ended and is replaced",
                    extra={"name_": post.name, "status": status, "reason": post.failure},
                )
            elif now_s - post.heard_s > SILENCE_S and post.child is not None:
                log.error("a process hangs and is killed", extra={"name_": post.name})
                post.heard_s = now_s
                post.child.kill()
        elif now_s >= post.next_start_s:
            try:
                self._start_post(post)
            except StartFailed as failed:  # no room for a process now; those that live go on
                log.error("a process cannot be started now", extra={"reason": str(failed)})  # noqa: TRY400

    def _reload(self) -> None:
        """Read the settings again and roll the workers; whatever goes wrong, the old settings go on."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            fresh = load_config(self._config.path)
            check_config(fresh)
            self._apply(fresh)
            log.info("settings reloaded")
        except (ConfigError, PortTaken, StartFailed) as trouble:
            log.error("settings not reloaded, the old ones stay", extra={"reason": str(trouble)})  # noqa: TRY400
        notify("READY=1")

    def _apply(self, fresh: Config) -> None:
        """Roll onto new settings. Raises ``ConfigError``, ``PortTaken``, ``StartFailed`` with everything as before."""
        old, old_sockets, old_workers = self._config, self._sockets, self._workers
        for name in ("data_dir", "workers"):
            if getattr(fresh.node, name) != getattr(old.node, name):
                raise ConfigError(
                    f"node.{name} cannot change while the node runs; stop and start it"
                )
        sockets = make_sockets(fresh, old_sockets)
        self._config, self._sockets = fresh, sockets
        self._workers = [Post(WORKER, slot) for slot in range(fresh.node.workers)]
        try:
            for post in self._workers:
                self._start_post(post)
                self._await_ready(post)
        except StartFailed:
            self._retire(self._workers)
            self._config, self._sockets, self._workers = old, old_sockets, old_workers
            sockets.close(but=old_sockets)
            raise
        self._retire(old_workers)
        old_sockets.close(but=sockets)
        if _registrar_view(fresh) != _registrar_view(old) and self._registrar.child is not None:
            self._registrar.child.stop()  # it finishes what is queued; its post is filled again at once
            self._registrar.backoff_s = FIRST_BACKOFF_S

    def _retire(self, posts: list[Post]) -> None:
        """Have the children of these posts drain while others serve."""
        kill_s = time.monotonic() + self._config.node.drain_s + KILL_AFTER_S
        for post in posts:
            if post.child is not None:
                post.child.stop()
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

    def _end(self, children: list[Child]) -> bool:
        for child in children:
            child.stop()
        deadline_s = time.monotonic() + self._config.node.drain_s + KILL_AFTER_S
        is_clean = True
        for child in children:
            while child.process.poll() is None:
                if time.monotonic() >= deadline_s:
                    log.error(
                        "a process did not end and is killed", extra={"module_": child.module}
                    )
                    child.kill()
                    is_clean = False
                self._sleep(0.05, [])
            child.close()
        return is_clean

    def _next_look_s(self) -> float:
        """Until when nothing needs to be looked at unless somebody reports."""
        waiting = [p.next_start_s for p in (self._registrar, *self._workers) if p.child is None]
        soonest_s = min(waiting, default=float("inf")) - time.monotonic()
        return min(max(0.0, soonest_s), 0.1 if self._retired else 1.0)

    def _wait(self, timeout_s: float) -> None:
        """Until a signal, a report or the end of a child; whoever calls reads the reports afterwards."""
        children = [p.child for p in (self._registrar, *self._workers) if p.child is not None]
        living = [child.report_fd for child in children if child.process.poll() is None]
        self._sleep(timeout_s, living)

    def _sleep(self, timeout_s: float, reports: list[int]) -> None:
        ready, _, _ = select.select([self._wake_read, *reports], [], [], timeout_s)
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._wake_read, 512):
                    pass

    def _catch_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _: self._signals.append(got))
        # A child's end must wake the select; there is nothing else to do about it here.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _take_signals(self) -> list[int]:
        taken, self._signals = self._signals, []
        return taken


def _registrar_view(config: Config) -> tuple[object, ...]:
    """The settings the registrar lives by."""
    return (config.store, config.node.admins, config.node.key_file, config.logs)
