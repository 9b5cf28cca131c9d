"""The operations process: serves the operations port for all workers and the registrar, whatever becomes of them.

Started by the supervisor, which replaces it when it ends; the listening socket is the supervisor's, so nobody is
refused meanwhile.
"""

import asyncio
import os
import signal
import socket
import sys

from node.child import BEAT_S, Boot, introduce, read_boot, report
from node.operations import Operations
from node.search.watch import SearchWatch
from node.watch import Watch
from node.writer import Writer


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
    watch = Watch(sockets["mailbox"][0], sockets["mailboxes"])
    writer = Writer(boot.config.socket_path, 0, lambda _: None)
    config = boot.config
    search = SearchWatch(config.node.data_dir, loop.time) if config.search.enabled else None
    operations = Operations(watch, writer, search)
    watch.start()
    await operations.start(sockets["operations"])
    tasks = [loop.create_task(work) for work in (watch.run(), writer.run(), _beat())]
    report("ready", pid=os.getpid())
    ended = loop.create_task(end.wait())
    # Work that must go on and has died ends the process: a successor is better than half a view.
    await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(0)
    await operations.stop()
    for task in tasks:
        task.cancel()


async def _beat() -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        report("beat")


def main() -> int:
    """Exit status: 0 told to stop."""
    boot = read_boot()
    introduce(boot, "operations")
    asyncio.run(_serve(boot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
