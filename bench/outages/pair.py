"""Node and upstream, as processes of their own on loopback, for as long as a measurement takes."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bench.cpu import tree
from node.demo.node_process import NodeProcess

PREFIX = "88.118"
ROOMY: Mapping[str, object] = {
    # The measurements ask more from one address than a client would, but where a bound is what is measured.
    "limits.misses_per_prefix_s": 100_000,
    "access.unlimited_networks": ["127.0.0.0/8"],
    "memory.foreign_cache_mib": 512,
    "memory.encoded_answers_mib": 256,
}


class Upstream:
    """``bench/outages/upstream.py`` in its own process."""

    def __init__(self, keys: int, ttl_s: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.outages.upstream", str(keys), str(ttl_s)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.port = int(self._read()["port"])

    def behave(self, **change: object) -> dict[str, int]:
        """Change how it behaves; returns how many questions it has been asked so far."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(change) + "\n")
        self.process.stdin.flush()
        return self._read()

    def stop(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)

    def _read(self) -> dict[str, int]:
        assert self.process.stdout is not None
        line: dict[str, int] = json.loads(self.process.stdout.readline())
        return line


class Pair(NamedTuple):
    """A node that forwards to an upstream."""

    node: NodeProcess
    upstream: Upstream

    @property
    def port(self) -> int:
        """The node's native port."""
        return self.node.native.port

    def pids(self) -> list[int]:
        """Every process of the node."""
        return list(tree(self.node.pid))


@contextlib.contextmanager
def running_pair(
    keys: int, ttl_s: int, settings: Mapping[str, object] = ROOMY, scheme: str = "tcp"
) -> Iterator[Pair]:
    """Both, started; both are stopped at the end."""
    with contextlib.ExitStack() as stack:
        upstream = Upstream(keys, ttl_s)
        stack.callback(upstream.stop)
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-bench-"))
        servers = {"upstream.servers": [f"{scheme}://127.0.0.1:{upstream.port}"]}
        node = NodeProcess(Path(directory) / "node", PREFIX, {**settings, **servers})
        stack.callback(node.stop)
        node.start()
        yield Pair(node, upstream)
