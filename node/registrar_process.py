"""The registrar process: holds the writer lock and answers its 0600 socket; the only one that ever writes the store.

Started by the supervisor or, on a stopped node, by a command (node/child.py). It stops when its parent is gone, when
told to (what is queued is finished), and when the store fails (the supervisor starts another one, which opens it anew).
"""

import asyncio
import gc
import os
import signal
import sys
from typing import Any

from node.child import BEAT_S, EXIT_CONFIG, EXIT_LOCKED, Boot, introduce, read_boot, report
from node.clock import StepWatch, read_clocks
from node.control_socket import listen_control
from node.disk import DiskWatch
from node.keys import KeyTrouble, read_node_key
from node.logs import get_log
from node.metrics import (
    CLOCK_STEPS,
    FREE_PERCENT,
    HEAD_SEQ,
    IS_READ_ONLY,
    READER_SLOTS,
    STALE_READERS,
    STORE_BYTES,
    STORE_RECORDS,
)  # fmt: skip
from node.registrar_desk import Desk
from node.registrar_server import Server
from node.store import open_store
from node.warming import room_bytes, warm
from registry.errors import StoreError, StoreLocked
from registry.registrar import Registrar
from registry.sealing import Sealer
from registry.stores.lmdb import LmdbStore
from registry.stores.lmdb_environment import DATA_FILE
from registry.stores.store import Store

COLLECT_AFTER = 10_000
"""Objects made and not freed: rows of bulk work hang together in no cycle, and looking for some took a tenth of it."""
UPKEEP_S = 60.0
"""Dead readers' slots are freed and old feed entries cut once a minute."""
CUT_AT_ONCE = 10_000
"""Feed entries cut in one transaction: some 50 ms."""

log = get_log("registrar")


class Process:
    """One life of the registrar."""

    def __init__(self, boot: Boot, store: LmdbStore) -> None:
        self._config, self._store = boot.config, store
        self._view = store.reader()
        """For figures asked on the loop: the store's own snapshot belongs to the desk's thread."""
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._failure = ""
        sealer = Sealer(read_node_key(boot.config.node.key_file))
        self._disk = DiskWatch(boot.config.node.data_dir, boot.config.store.min_free_percent)
        self._is_serving = bool(boot.facts.get("serving"))
        self._desk = Desk(
            store,
            Registrar(store, sealer, frozenset(boot.config.node.admins)),
            self._disk,
            lambda: self._is_serving,
            lambda seq: self._soon(self._server.push_head, seq),
            lambda failure: self._soon(self._fail, failure),
            boot.config.store.bulk_rows_per_s,
        )
        self._facts = boot.facts
        self._server = Server(self._desk, self._loop, self._status)
        self._clock = StepWatch(read_clocks())

    async def run(self) -> int:
        """Serve until the end; the exit status."""
        listener = listen_control(self._config.socket_path)
        server = await self._loop.create_unix_server(self._server.connect, sock=listener)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end.set)
        self._loop.add_reader(0, self._end.set)  # only the end of file can come after the boot line
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        self._desk.start()
        ticking = self._loop.create_task(self._tick())
        report("ready", pid=os.getpid())
        warming = self._loop.create_task(self._warm())
        await self._end.wait()
        await warming  # at most a step: it looks whether the end has come
        server.close()
        self._server.refuse_more()
        await asyncio.to_thread(self._desk.stop)
        await asyncio.sleep(0)  # answers of the last jobs are on their way to the sockets
        await self._server.close()
        ticking.cancel()
        return 1 if self._failure else 0

    async def _warm(self) -> None:
        """Have the store read into memory, where there is room for it."""
        room = room_bytes(self._config.store.warm_percent)
        if not room or not self._is_serving:
            return
        began_s = read_clocks().monotonic_s
        file = self._config.node.data_dir / DATA_FILE
        try:
            done = await asyncio.to_thread(warm, file, room, self._end.is_set)
        except OSError as trouble:
            log.warning("the store was not read ahead", extra={"reason": str(trouble)})
            return
        seconds = read_clocks().monotonic_s - began_s
        log.info("store read ahead", extra={"bytes": done, "seconds": round(seconds, 3)})

    def _soon(self, call: Any, *arguments: object) -> None:
        self._loop.call_soon_threadsafe(call, *arguments)

    def _fail(self, failure: str) -> None:
        self._failure = failure
        report("failed", reason=failure)
        self._end.set()

    async def _tick(self) -> None:
        upkeep_s = read_clocks().monotonic_s + UPKEEP_S
        while True:
            await asyncio.sleep(BEAT_S)
            report("beat")
            now = read_clocks()
            step_s = self._clock.step_s(now)
            if step_s:
                CLOCK_STEPS.inc()
                log.warning("the wall clock was set", extra={"step_s": round(step_s, 3)})
            if now.monotonic_s >= upkeep_s:
                upkeep_s = now.monotonic_s + UPKEEP_S
                self._desk.call(self._upkeep, lambda _: None)

    def _upkeep(self, store: Store) -> object:
        freed = self._store.check_readers()
        STALE_READERS.inc(freed)
        if freed:
            log.warning("slots of dead readers were freed", extra={"slots": freed})
        keep = self._config.store.keep_changes
        head = store.head()
        if keep and head.seq - keep >= head.oldest_available:
            return store.truncate_changes(head.seq - keep + 1, CUT_AT_ONCE)
        return 0

    def _status(self) -> dict[str, object]:
        """Facts for clients and metrics; read on the loop, so only what the desk left behind."""
        head = self._desk.head
        self._view.refresh()
        statistics = self._view.statistics()
        self._view.release()
        HEAD_SEQ.set(head.seq)
        FREE_PERCENT.set(self._disk.free_percent)
        IS_READ_ONLY.set(bool(self._desk.trouble))
        STORE_BYTES.set(statistics.used_bytes)
        STORE_RECORDS.set(statistics.records)
        READER_SLOTS.set(statistics.readers)
        return {
            "pid": os.getpid(),
            "serving": self._is_serving,
            "listening": self._facts.get("listening", {}),
            "supervisor_pid": self._facts.get("supervisor_pid", 0),
            "head": head.seq,
            "log_id": head.log_id.hex(),
            "free_percent": round(self._disk.free_percent, 2),
            "trouble": self._desk.trouble,
            "records": statistics.records,
            "store_bytes": statistics.used_bytes,
        }


def main() -> int:
    """Exit status: 0 told to stop, 1 the store failed, 75 another writer, 78 settings or keys cannot work."""
    boot = read_boot()
    introduce(boot, "registrar")
    try:
        store = open_store(boot.config)
    except StoreLocked as locked:
        report("failed", reason=str(locked))
        return EXIT_LOCKED
    except (StoreError, OSError) as trouble:
        log.error("the store cannot be opened", extra={"reason": str(trouble)})  # noqa: TRY400  # a reason, not a bug
        report("failed", reason=str(trouble))
        return EXIT_CONFIG
    try:
        return asyncio.run(_run(boot, store))
    except (KeyTrouble, OSError) as trouble:
        log.error("the registrar cannot start", extra={"reason": str(trouble)})  # noqa: TRY400  # a reason, not a bug
        report("failed", reason=str(trouble))
        return EXIT_CONFIG
    finally:
        store.close()


async def _run(boot: Boot, store: LmdbStore) -> int:
    return await Process(boot, store).run()


if __name__ == "__main__":
    sys.exit(main())
