"""The search process: keeps the index of reverse look-up in step with the store (``node/search/``); nobody asks it.

Started by the supervisor when the first workers answer, and replaced when it ends. It stands back behind everybody
else: the kernel gives it what processor others leave, and a tenth beside them.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import BinaryIO

from node.child import BEAT_S, Boot, introduce, read_boot, report
from node.clock import read_clocks
from node.config import Config
from node.disk import free_percent
from node.logs import get_log
from node.search.cells import scope_of
from node.search.indexer import Indexer
from node.store import open_view
from node.writer import Writer
from registry.errors import StoreError

NICENESS = 10
"""A tenth of what a process of usual priority gets beside it (sched(7))."""
LOOK_EVERY_S = 1.0
"""How often the feed is looked at when the registrar says nothing."""
LOCK_NAME = "search.lock"
LOCK_EVERY_S = 0.1
RETRY_S = 5.0
"""Pause after what may pass by itself: a full disk."""

log = get_log("search")


class _Beat:
    """Reports once a second, also in the middle of long work."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self) -> None:
        now_s = read_clocks().monotonic_s
        if now_s >= self._next_s:
            self._next_s = now_s + BEAT_S
            report("beat")


async def _serve(boot: Boot) -> None:
    loop = asyncio.get_running_loop()
    end, news = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.add_reader(0, end.set)  # only the end of file can come after the boot line: no parent
    config, beat = boot.config, _Beat()
    reader = open_view(config)
    indexer = Indexer(config.node.data_dir, reader, scope_of(config.search), beat)
    writer = Writer(config.socket_path, 0, lambda _: news.set())
    writing = loop.create_task(writer.run())
    report("ready", pid=os.getpid())
    try:
        lock = await _lock(config.node.data_dir / LOCK_NAME, end, beat)
        while lock is not None and not end.is_set():
            beat()
            pause_s = _work(indexer, config)
            if pause_s:
                news.clear()
                waits = [loop.create_task(event.wait()) for event in (end, news)]
                await asyncio.wait(waits, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            else:
                await asyncio.sleep(0)
        indexer.close()
    finally:
        loop.remove_reader(0)
        writing.cancel()
        reader.close()


async def _lock(path: Path, end: asyncio.Event, beat: _Beat) -> BinaryIO | None:
    """Held as long as the file is open: a predecessor may not have ended yet. None when told to stop before."""
    file = _open(path)
    while not end.is_set():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            beat()
            await asyncio.sleep(LOCK_EVERY_S)
        else:
            return file
    return None


def _open(path: Path) -> BinaryIO:
    path.touch(mode=0o600)
    return path.open("ab")


def _work(indexer: Indexer, config: Config) -> float:
    """One slice; how long to wait for more."""
    if free_percent(config.node.data_dir) < config.store.min_free_percent:
        return RETRY_S  # what is left is for the store; why writes are stopped is told by others
    try:
        return 0.0 if indexer.step() else LOOK_EVERY_S
    except (OSError, sqlite3.Error) as trouble:
        log.warning("the search index waits", extra={"reason": str(trouble)})
        return RETRY_S


def main() -> int:
    """Exit status: 0 told to stop, 1 the store cannot be read."""
    boot = read_boot()
    introduce(boot, "search")
    with contextlib.suppress(PermissionError):  # a hardened service may not even step back
        os.nice(NICENESS)
    try:
        asyncio.run(_serve(boot))
    except (StoreError, OSError) as trouble:
        log.error("the search index cannot be kept", extra={"reason": str(trouble)})  # noqa: TRY400
        report("failed", reason=str(trouble))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
