"""The real registrar process over a store with failpoints: composed of ``node/registrar_process.py``.

The boot line's facts say what to do: ``die_at`` a point of ``registry/stores/failpoints.py`` in commit number
``at_commit`` (from 1), and ``acknowledge_early`` to use a store that tells clients before it has synced, which a
durability test must catch.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from node.child import Boot, read_boot
from node.logs import start_logs
from node.registrar_process import Process
from node.store import store_settings
from registry.stores.failpoints import Failpoints
from registry.stores.lmdb import LmdbStore, open_writer
from registry.stores.lmdb_environment import LmdbSettings, open_environment
from registry.stores.store import Head, Note, RequestMark, Write
from registry.stores.writer_lock import WriterLock

ANSWERED_S = 0.5
"""Long enough for an answer that was given too early to reach its client."""


class EarlyStore(LmdbStore):
    """The defect to be caught: ``commit`` returns at once, the transaction follows at the next look at the head."""

    _later: tuple[Sequence[Write], Sequence[RequestMark], Sequence[Note]] | None = None

    def commit(
        self, writes: Sequence[Write], marks: Sequence[RequestMark] = (), notes: Sequence[Note] = ()
    ) -> None:  # fmt: skip
        self._later = (writes, marks, notes)

    def head(self) -> Head:
        later, self._later = self._later, None
        if later:
            super().commit(*later)
        return super().head()


def open_early(directory: Path, settings: LmdbSettings, failpoints: Failpoints) -> LmdbStore:
    lock = WriterLock(directory)
    return EarlyStore(open_environment(directory, settings, is_writer=True), lock, failpoints)


class Dying:
    """Counts commits at one point and dies there; not before the store is open."""

    def __init__(self, at_commit: int, *, let_answers_go: bool) -> None:
        self.left = at_commit
        self.is_armed = False
        self._let_answers_go = let_answers_go

    def __call__(self) -> None:
        self.left -= self.is_armed
        if self.is_armed and self.left == 0:
            if self._let_answers_go:
                threading.Event().wait(ANSWERED_S)
            os.kill(os.getpid(), signal.SIGKILL)


async def _run(boot: Boot, store: LmdbStore) -> int:
    return await Process(boot, store).run()


def main() -> int:
    boot = read_boot()
    start_logs(boot.config.logs, "registrar")
    is_early = bool(boot.facts.get("acknowledge_early"))
    dying = Dying(boot.facts["at_commit"], let_answers_go=is_early)
    opened = open_early if is_early else open_writer
    store = opened(
        boot.config.node.data_dir, store_settings(boot.config), {boot.facts["die_at"]: dying}
    )
    dying.is_armed = True
    return asyncio.run(_run(boot, store))


if __name__ == "__main__":
    sys.exit(main())
