"""Posts: the places that the supervisor keeps filled: registrar, operations process, search process, worker n."""

import time
from collections.abc import Callable

from node.birth import load, usual
from node.child import SILENCE_S, Boot, Child
from node.config import Config
from node.logs import get_log
from node.sockets import Sockets

FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.05, 5.0
"""Pause before a dead child is replaced; doubles while it keeps dying."""
STEADY_S = 30.0
"""A child that lived so long died of something new: the pause starts small again."""
MOST_FIRST_DEATHS = 5
"""Children of one post that may be killed before one comes up; by then it is no accident."""
REGISTRAR, WORKER, OPERATIONS, SEARCH = (
    "node.registrar_process", "node.worker", "node.operations_process", "node.search_process"
)  # fmt: skip
_NAMES = {REGISTRAR: "registrar", OPERATIONS: "operations", SEARCH: "search"}

log = get_log("supervisor")


class StartFailed(Exception):
    """The node could not start; ``str()`` says why, ``exit_status`` is for the shell."""

    def __init__(self, reason: str, exit_status: int = 1) -> None:
        super().__init__(reason)
        self.exit_status = exit_status


class Post:
    """One place; knows its present child, and when and how to fill it again."""

    def __init__(self, module: str, slot: int, config: Config, sockets: Sockets) -> None:
        self.module, self.slot = module, slot
        self.config, self.sockets = config, sockets
        """What the next child is to live by."""
        self.child: Child | None = None
        self.is_ready = False
        self.is_well = True
        """What it last said of itself."""
        self.failure = ""
        self.last_status = 0
        """Exit status of the child before; negative = killed by that signal."""
        self.started_s = self.heard_s = self.next_start_s = 0.0
        self.backoff_s = FIRST_BACKOFF_S
        self._first_deaths = 0
        self._is_told_to_end = False

    @property
    def name(self) -> str:
        """For logs."""
        return _NAMES.get(self.module, f"worker-{self.slot}")

    @property
    def is_hopeless(self) -> bool:
        """It never came up, and trying again would not help: it ended by itself, or was killed too often."""
        ended_itself = self._first_deaths > 0 and self.last_status >= 0
        return self.child is None and (ended_itself or self._first_deaths >= MOST_FIRST_DEATHS)

    def start(self, boot: Boot) -> None:
        """Fill the post. Raises ``StartFailed`` when the system has no room for another process."""
        try:
            self.child = Child(self.module, boot, usual(self.last_status))
        except OSError as error:
            self._wait_longer()
            raise StartFailed(f"the {self.name} cannot be started: {error.strerror}") from None
        self.is_ready, self.failure, self._is_told_to_end = False, "", False
        self.started_s = self.heard_s = time.monotonic()

    def begin_anew(self) -> None:
        """Have the child finish what is queued and end: the post is filled again at once, by other settings."""
        if self.child is not None:
            self._is_told_to_end = True
            self.child.stop()

    def hear(self) -> None:
        """Take in what the child has reported."""
        assert self.child is not None
        for said in self.child.read_reports():
            self.heard_s = time.monotonic()
            event = said.get("event")
            if event == "ready":
                self.is_ready = True
                self._first_deaths = 0
            elif event == "beat":
                self.is_well = bool(said.get("is_well", True))
            elif event == "failed":
                self.failure = str(said.get("reason"))

    def look_after(self) -> bool:
        """Hear the child, note its end, kill it when it hangs; True when the post is to be filled now."""
        now_s = time.monotonic()
        if self.child is None:
            return now_s >= self.next_start_s
        self.hear()
        if self._bury():
            facts = {"child": self.name, "status": self.last_status, "reason": self.failure}
            if self._is_told_to_end and self.last_status == 0:
                log.info("a process ended as it was told and is replaced", extra=facts)
            else:
                log.error("a process ended and is replaced", extra=facts)
        elif now_s - self.heard_s > SILENCE_S:
            log.error("a process hangs and is killed", extra={"child": self.name})
            self.heard_s = now_s
            self.child.kill()
        return False

    def _bury(self) -> bool:
        """Give up the child if it has ended."""
        assert self.child is not None
        status = self.child.process.poll()
        if status is None:
            return False
        self.hear()
        self.child.close()
        self.child = None
        self.last_status = status
        self._first_deaths += not self.is_ready
        self.is_ready = False
        if time.monotonic() - self.started_s > STEADY_S:
            self.backoff_s = FIRST_BACKOFF_S
        self._wait_longer()
        return True

    def _wait_longer(self) -> None:
        self.next_start_s = time.monotonic() + self.backoff_s
        self.backoff_s = min(self.backoff_s * 2, MAX_BACKOFF_S)


def load_all() -> None:
    """Also what settings to come may ask for: whoever is born later is of the same version. Raises ``StartFailed``."""
    try:
        for module in (REGISTRAR, OPERATIONS, SEARCH, WORKER):
            load(module)
    except OSError as error:
        raise StartFailed(str(error.strerror)) from error


def lives_by_other(module: str, old: Config, fresh: Config) -> bool:
    """Whether settings that such a child lives by have changed."""
    view = _LIVES_BY[module]
    return view(old) != view(fresh)


_LIVES_BY: dict[str, Callable[[Config], tuple[object, ...]]] = {
    REGISTRAR: lambda it: (it.store, it.node.admins, it.node.key_file, it.logs),
    OPERATIONS: lambda it: (it.operations, it.search, it.logs),
    SEARCH: lambda it: (it.search, it.store, it.logs),
}
