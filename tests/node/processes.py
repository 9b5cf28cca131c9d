"""A real node for tests: made by ``init_node``, run as the processes it is in production, on free loopback ports."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from node.child import name_of
from node.config import Config, load_config
from node.free_ports import free_ports
from node.init_node import init_node
from node.registrar_client import open_registrar
from protocols.handle.codec import Message, decode
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Receipt
from protocols.values.value import Value
from registry.registrar import Submission
from tests.node.parts import ask

ROOT = Path(__file__).parent.parent.parent
PREFIX = "88.118"
PATIENCE_S = 30.0
SERVE = "import sys; from pathlib import Path; from node.serving import serve; sys.exit(serve(Path(sys.argv[1])))"


def make_node(directory: Path) -> Path:
    """Its settings file."""
    native, http, operations = free_ports(3)
    made = init_node(
        directory, PREFIX, native_port=native, http_port=http, operations_port=operations
    )
    return made.settings


class RunningNode:
    """The supervisor and its children; everything is stopped at the end, by process id."""

    def __init__(self, settings: Path, log: Path) -> None:
        self.settings, self.log = settings, log
        self.config: Config = load_config(settings)
        self._file = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=self._file,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            children = list(self.children().values())
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                for pid in (self.process.pid, *children):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                raise
        self._file.close()

    def await_ready(self) -> Self:
        """Return when the worker says it is ready."""
        until(lambda: self.process.poll() is not None or self.get("/ready")[0] == 200)
        assert self.process.poll() is None, self.said()
        return self

    def said(self) -> str:
        """Everything on standard error so far."""
        return self.log.read_text()

    def children(self) -> dict[str, int]:
        """Name -> process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                    if int(parent) == self.process.pid:
                        found[name_of(entry.name) or "?"] = int(entry.name)
        return found

    def get(self, path: str) -> tuple[int, str]:
        """Status and text from the operations port; status 0 = no answer."""
        url = f"http://127.0.0.1:{self.config.operations.port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def udp(self, handle: str, timeout_s: float = 5.0) -> Message | None:
        """One question; None when nobody answers in time."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout_s)
            sock.connect(("127.0.0.1", self.config.listen.port))
            try:
                sock.send(ask(handle))
                return decode(sock.recv(65_536))
            except (TimeoutError, ConnectionRefusedError):
                return None

    def tcp(self, handle: str) -> Message:
        """One question on a connection of its own."""
        address = ("127.0.0.1", self.config.listen.port)
        with socket.create_connection(address, timeout=10) as sock, sock.makefile("rb") as file:
            sock.sendall(ask(handle))
            head = file.read(20)
            return decode(head + file.read(int.from_bytes(head[16:20])))

    def put(self, suffix: str, data: bytes) -> Receipt:
        """Register one URL through the registrar's socket."""
        return put(self.config, suffix, data)


def put(config: Config, suffix: str, data: bytes) -> Receipt:
    """Register one URL, on a running node or a stopped one."""
    command = Command(
        Operation.PUT, parse_identifier(f"{PREFIX}/{suffix}"), (Value(1, "URL", data),)
    )
    with open_registrar(config) as registrar:
        (receipt,) = registrar.submit([Submission(OPERATOR, command, "test")])
    return receipt


def until(condition: object, patience_s: float = PATIENCE_S) -> None:
    """Poll real processes; there is nothing to await in them."""
    assert callable(condition)
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.02)


def descendants(pid: int) -> list[int]:
    """Process ids below ``pid``, children of children included."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
