"""A serving worker: one process, one event loop, the parts of ``node/app.py`` on sockets that the supervisor made."""

import asyncio
import gc
import os
import signal
import socket
import sys

import uvloop

from node.app import build
from node.child import BEAT_S, EXIT_CONFIG, Boot, read_boot, report
from node.keys import KeyTrouble
from node.logs import get_log, start_logs
from registry.errors import StoreError

COLLECT_AFTER = (10_000, 10, 100)
"""A hundred thousand remembered records take a full collection a tenth of a second, which every client would wait for;
with the usual numbers it came every 2.5 s while the cache filled. The records have no cycles: counting frees them."""

log = get_log("worker")


async def _serve(boot: Boot) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.add_reader(0, end.set)  # only the end of file can come after the boot line: no parent
    sockets = {
        use: [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for use, descriptors in boot.sockets.items()
    }
    places = [sock.getsockname()[:2] for group in sockets.values() for sock in group]
    app = build(boot, end.set, places)
    await app.start(sockets)
    gc.collect()
    gc.freeze()  # what lives from the start on need not be looked through again
    gc.set_threshold(*COLLECT_AFTER)
    report("ready", pid=os.getpid())
    beating = loop.create_task(_beat())
    await end.wait()
    loop.remove_reader(0)
    log.info("draining")
    await app.stop()
    beating.cancel()


async def _beat() -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        report("beat")


def main() -> int:
    """Exit status: 0 told to stop, 78 the store or the keys cannot be used."""
    boot = read_boot()
    start_logs(boot.config.logs, f"worker-{boot.slot}")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(boot))
    except (StoreError, KeyTrouble, OSError) as trouble:
        log.error("the worker cannot start", extra={"reason": str(trouble)})  # noqa: TRY400
        report("failed", reason=str(trouble))
        return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
