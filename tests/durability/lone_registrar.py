"""A registrar process on its own, as a command starts it on a stopped node, with faults around it if wanted."""

import contextlib
import os
import select
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from node.child import Boot, Child
from node.config import load_config
from node.control_socket import connect_control
from node.init_node import init_node
from node.registrar_client import RegistrarClient
from tests.durability.clients import PREFIX, Place

REAL = "node.registrar_process"
READY_S = 15.0


class Ground:
    """A node's directory, made but not served: store with one prefix, keys, settings."""

    def __init__(self, directory: Path, **settings: object) -> None:
        made = init_node(directory, PREFIX)
        text = made.settings.read_text()
        for name, value in settings.items():
            at = text.index(f"\n{name} = ")
            end = text.index("\n", at + 1)
            text = text[:at] + f"\n{name} = {value}" + text[end:]
        made.settings.write_text(text)
        self.config = load_config(made.settings)
        self.data: Path = self.config.node.data_dir
        self.node_key: Path = self.config.node.key_file
        self.place = Place(self.config.socket_path)


class Ended(Exception):
    """The registrar ended before it was ready; ``status`` None = it was not ready in time."""

    def __init__(self, status: int | None, reports: list[dict[str, Any]]) -> None:
        super().__init__(f"status {status}: {reports}")
        self.status = status


class LoneRegistrar:
    """Use as a context; whatever is left is killed at its end."""

    def __init__(
        self,
        ground: Ground,
        environment: Mapping[str, str] | None = None,
        module: str = REAL,
        **facts: object,
    ) -> None:
        self.ground = ground
        self.reports: list[dict[str, Any]] = []
        self._clients: list[RegistrarClient] = []
        with _environment(environment or {}):
            self.child = Child(module, Boot(ground.config, 0, {}, {"serving": False, **facts}))
        self._await_ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        for client in self._clients:
            client.close()
        self.child.kill()
        self.child.process.wait()
        self.child.close()

    @property
    def pid(self) -> int:
        return self.child.process.pid

    def client(self) -> RegistrarClient:
        """Another connection, closed at the end of the context."""
        client = RegistrarClient(connect_control(self.ground.config.socket_path, READY_S))
        self._clients.append(client)
        return client

    def stop(self) -> int:
        """Have it finish and end; the exit status."""
        self.child.stop()
        return self.wait()

    def wait(self) -> int:
        """The exit status; negative = the signal that ended it."""
        status = self.child.process.wait(READY_S)
        self.reports += self.child.read_reports()
        return status

    def _await_ready(self) -> None:
        deadline_s = time.monotonic() + READY_S
        while not any(said["event"] == "ready" for said in self.reports):
            select.select([self.child.report_fd], [], [], 0.2)
            self.reports += self.child.read_reports()
            status = self.child.process.poll()
            if status is not None or time.monotonic() > deadline_s:
                self.reports += self.child.read_reports()
                self.__exit__(None, None, None)
                raise Ended(status, self.reports)


@contextlib.contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    """What a child started inside inherits."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
