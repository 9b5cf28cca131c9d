"""Cores: servers run on one, the load on another, so that a busy load takes no time from what is measured."""

import os
from pathlib import Path

from bench.cpu import tree
from node.demo.node_process import NodeProcess

SERVER_CORE, LOAD_CORE = 0, 1


def pin_load() -> None:
    """This process makes the load: keep it off the servers' core."""
    _pin(os.getpid(), LOAD_CORE)


def pin_server(pid: int) -> None:
    """Keep a server on its core."""
    _pin(pid, SERVER_CORE)


def worker_of(node: NodeProcess) -> int:
    """Process id of the node's worker, pinned to the servers' core."""
    pids = [
        pid for pid in tree(node.pid) if b"node.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    for pid in pids:
        pin_server(pid)
    return pids[0]


def _pin(pid: int, core: int) -> None:
    if core in os.sched_getaffinity(0) or os.cpu_count() != 1:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})
