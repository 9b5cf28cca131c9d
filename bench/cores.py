"""Cores: servers run on one, the load on another, so that a busy load takes no time from what is measured.

They are the first two this process may use. With one core both share it, which the results say.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cpu import tree
from node.child import name_of
from node.demo.node_process import NodeProcess

_ALLOWED = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _ALLOWED[0], _ALLOWED[min(1, len(_ALLOWED) - 1)]
ALL_CORES = frozenset(_ALLOWED)
IS_SHARED = SERVER_CORE == LOAD_CORE
"""Servers and load have one core between them: CPU per answer still holds, throughput does not."""


def pin_load() -> None:
    """This process makes the load: keep it off the servers' core."""
    os.sched_setaffinity(0, {LOAD_CORE})


@contextmanager
def started_on(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside, and all its children, run on ``cores``."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin_server(pid: int) -> None:
    """Keep a server, its children and all their threads on the servers' core: some choose cores of their own."""
    for each in tree(pid):
        try:
            for task in Path(f"/proc/{each}/task").iterdir():
                os.sched_setaffinity(int(task.name), {SERVER_CORE})
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile


def worker_of(node: NodeProcess) -> int:
    """Process id of the node's first worker, pinned to the servers' core like the rest of the node."""
    pin_server(node.pid)
    return next(pid for pid in tree(node.pid) if name_of(pid).startswith("worker-"))
