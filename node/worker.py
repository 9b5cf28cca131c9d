"""A serving worker: one process, one event loop, the parts of ``node/app.py`` on sockets that the supervisor made."""

import asyncio
import gc
import os
import signal
import socket
import sys

import uvloop

from node.app import build
from node.child import (
    BEAT_S,
    EXIT_CONFIG,
    PLACE,
    RETIRE,
    Boot,
    introduce,
    read_boot,
    read_words,
    report,
)
from node.health import Health
from node.keys import KeyTrouble
from node.lane.extension import is_outdated, load
from node.logs import get_log
from node.sockets import SERVING
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
    heirs: list[int] = []
    sockets = {
        use: [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for use, descriptors in boot.sockets.items()
    }
    places = [sock.getsockname()[:2] for use in SERVING for sock in sockets.get(use, ())]
    app = build(boot, end.set, places)
    await app.start(sockets)
    letters = app.letters
    assert letters is not None, "it was started"

    def hear() -> None:
        words = read_words()
        if words is None:  # no parent
            end.set()
        for word in words or ():
            if word["event"] == PLACE:
                letters.read()
            elif word["event"] == RETIRE:
                heirs.append(word["heir"])
                end.set()

    loop.add_reader(0, hear)
    if not boot.facts.get("is_candidate"):
        letters.read()
    gc.collect()
    gc.freeze()  # what lives from the start on need not be looked through again
    gc.set_threshold(*COLLECT_AFTER)
    report("ready", pid=os.getpid())
    log.info("ready", extra={"compiled": load() is not None})
    if is_outdated():
        log.warning(
            "the compiled part was built for another version and is left out; build it anew and restart"
        )
    beating = loop.create_task(_beat(app.health))
    await end.wait()
    loop.remove_reader(0)
    log.info("draining")
    await app.stop(heirs[0] if heirs else None)
    beating.cancel()


async def _beat(health: Health) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        report("beat", is_well=health.is_serving)


def main() -> int:
    """Exit status: 0 told to stop, 78 the store or the keys cannot be used."""
    boot = read_boot()
    introduce(boot, f"worker-{boot.slot}")
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
