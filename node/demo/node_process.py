"""A node of the demo: made in a directory, started as an operator would, killed without warning, started again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from node.asking.native import Server
from node.asking.web import Login, WebServer
from node.init_node import Made, init_node

READY_S = 30.0
"""Longest wait for a node to serve; two seconds are usual, a busy machine takes longer."""
STOP_S = 20.0
LOOPBACK = "127.0.0.1"


class NotReady(Exception):
    """The node did not come up; ``str()`` has the end of its log."""


class NodeProcess:
    """One node on free loopback ports. ``made`` says where its files are."""

    def __init__(self, directory: Path, prefix: str) -> None:
        native, web, operations = _free_port(), _free_port(), _free_port()
        self.made: Made = init_node(
            directory, prefix, native_port=native, http_port=web, operations_port=operations
        )
        self.native = Server(LOOPBACK, native)
        self.url = f"http://{LOOPBACK}:{web}"
        self.operations_url = f"http://{LOOPBACK}:{operations}"
        self.log = directory / "node.log"
        self._process: subprocess.Popen[bytes] | None = None

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
        index, _, handle = self.made.administrator.partition(":")
        return WebServer(self.url, Login(int(index), handle, self.made.secret.read_text().strip()))

    def start(self) -> float:
        """Start it and wait until it is ready; returns how many seconds that took. Raises ``NotReady``."""
        started_s = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # our own interpreter and our own module
                [sys.executable, "-m", "node.cli", "serve", "--config", str(self.made.settings)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        while time.monotonic() - started_s < READY_S:
            if self._process.poll() is not None:
                break
            if self._is_ready():
                return time.monotonic() - started_s
            time.sleep(0.02)
        raise NotReady("\n".join(self.log.read_text(errors="replace").splitlines()[-5:]))

    def kill(self) -> int:
        """kill -9 to every process of the node at once; returns how many there were."""
        assert self._process is not None
        pids = [self._process.pid, *_children(self._process.pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        return len(pids)

    def stop(self) -> None:
        """Let it finish and end."""
        if self._process is None:
            return
        self._process.terminate()
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


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def _free_port() -> int:
    """A port that is free for UDP and TCP now; somebody else may take it before we do, which start() then reports."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((LOOPBACK, 0))
            port: int = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind((LOOPBACK, port))
                except OSError:
                    continue
                return port
