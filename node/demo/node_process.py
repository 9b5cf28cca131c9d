"""A node of the demo: made in a directory, started as an operator would, killed without warning, started again.

A node ends with the process that started it, however that ends: the kernel tells its supervisor (``prctl(2)``,
PR_SET_PDEATHSIG), and registrar and workers end with their supervisor.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from node.asking.native import Server
from node.asking.web import Login, WebServer
from node.free_ports import free_ports
from node.init_node import NO_SETTINGS, Made, init_node
from protocols.values.value import parse_reference

READY_S = 30.0
"""Longest wait for a node to serve; two seconds are usual, a busy machine takes longer."""
STOP_S = 20.0
LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class NotReady(Exception):
    """The node did not come up; ``str()`` has the end of its log."""


class NodeProcess:
    """One node on free loopback ports. ``made`` says where its files are."""

    def __init__(
        self, directory: Path, prefix: str, settings: Mapping[str, object] = NO_SETTINGS
    ) -> None:
        """``settings``: what shall differ from the defaults, ``section.key`` -> value."""
        native, web, operations = free_ports(3)
        self.made: Made = init_node(
            directory, prefix, native_port=native, http_port=web, operations_port=operations,
            settings=settings,
        )  # fmt: skip
        self.prefix = prefix
        self.native = Server(LOOPBACK, native)
        self.url = f"http://{LOOPBACK}:{web}"
        self.operations_url = f"http://{LOOPBACK}:{operations}"
        self.log = directory / "node.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ending = self._is_frozen = False

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped or killed since."""
        return self._process is not None

    @property
    def web(self) -> WebServer:
        """Its HTTP API, for its administrator."""
        administrator = parse_reference(self.made.administrator)
        secret = self.made.secret.read_text().strip()
        return WebServer(self.url, Login(administrator.index, administrator.handle, secret))

    def start(self) -> float:
        """Start it and wait until it is ready; returns how many seconds that took. Raises ``NotReady``."""
        self.launch()
        return self.await_ready()

    def launch(self) -> None:
        """Start it without waiting. Only from the main thread: the node ends with the thread that started it."""
        self._is_ending = False
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # our own interpreter and our own module
                [sys.executable, "-m", "node.cli", "serve", "--config", str(self.made.settings)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  one system call, no locks
            )  # fmt: skip

    def await_ready(self) -> float:
        """Wait until it serves; returns how many seconds that took. Raises ``NotReady``."""
        assert self._process is not None
        started_s = time.monotonic()
        while time.monotonic() - started_s < READY_S:
            if self._process.poll() is not None:
                break
            if self._is_ready():
                return time.monotonic() - started_s
            time.sleep(0.02)
        raise NotReady("\n".join(self.log.read_text(errors="replace").splitlines()[-5:]))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A ``biaojie`` command on this node, as its operator would type it, with ``--json``."""
        command = [sys.executable, "-m", "node.cli", *words]
        command += ["--config", str(self.made.settings), "--json"]
        return subprocess.run(
            command, capture_output=True, text=True, check=False
        )  # our own command

    def kill(self) -> int:
        """kill -9 to every process of the node at once; returns how many there were."""
        assert self._process is not None
        pids = [self._process.pid, *_children(self._process.pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process, self._is_frozen = None, False
        return len(pids)

    def freeze(self) -> int:
        """Stop its registrar and workers where they are, sockets open; returns how many. Only ``kill`` helps then."""
        assert self._process is not None
        pids = _children(self._process.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self._is_frozen = True
        return len(pids)

    def terminate(self) -> None:
        """Ask it to end, or make it when it cannot hear; ``stop`` waits for it."""
        if self._is_frozen:
            self.kill()
        elif self._process is not None and not self._is_ending:
            self._is_ending = True
            self._process.terminate()

    def stop(self) -> None:
        """Let it finish and end."""
        self.terminate()
        if self._process is None:
            return
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.operations_url + "/ready", timeout=1) as answer:  # noqa: S310  our own port
                return bool(json.loads(answer.read()))
        except OSError:
            return False


def stop_all(nodes: Sequence[NodeProcess]) -> None:
    """Let them finish, all at the same time."""
    for node in nodes:
        node.terminate()
    for node in nodes:
        node.stop()


def _end_with_parent() -> None:
    """In the new process: TERM when its parent is gone."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []
