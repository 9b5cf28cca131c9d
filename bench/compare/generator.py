"""The load generator ``load.c`` as a child process: told what to do line by line, held to a time limit."""

import select
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.cores import LOAD_CORE, started_on
from bench.slices import Loaded, LoadFailed

GRACE_S = 15.0
"""Beyond the time it was told to load, before a generator is given up: its own patience is 5 s."""
MOST_WARMING_S = 300.0
"""10^5 requests, three times each, of a slow server on a busy machine take a minute."""
UDP_SOCKETS = 1024
"""Source ports: what a busy gateway asks from, and more than any table of recent senders keeps at hand."""
OUTSTANDING = 128
"""Datagrams in flight: above the 64 that servers take at once, below what a default socket buffer holds (about 270)."""
STREAMS = 32


class GeneratorFailed(LoadFailed):
    """The generator ended or fell silent; ``str()`` has its last words."""


class Paced(NamedTuple):
    """An open-loop slice: waits from the moment a request was due."""

    loaded: Loaded
    waits_us: dict[str, float]
    """``p50``, ``p90``, ``p99``, ``p99.9``, ``max``; empty without answers."""


class Generator(Protocol):
    """What loads one server from one file of requests."""

    def run(self, seconds: float) -> Loaded:
        """As many as it takes, for so long; requests at random, uniformly."""

    def warm(self, times: int) -> Loaded:
        """Every request so many times in a row."""

    def pace(self, seconds: float, rate_per_s: float) -> Paced:
        """On a schedule, whatever the server does; UDP only."""

    def expect_code(self, code: int) -> None:
        """Which Handle response code is right, instead of 1."""

    def close(self) -> None:
        """Close its sockets."""


class Target(NamedTuple):
    """A server's port on loopback, what it speaks, and the file of requests to ask it."""

    kind: str
    """``handle-udp``, ``dns-udp``, ``echo-udp``, ``handle-tcp``, ``http`` or ``redis``."""
    port: int
    requests: Path

    @property
    def sockets(self) -> int:
        """How many to ask from."""
        return UDP_SOCKETS if self.kind.endswith("udp") else STREAMS


class CompiledGenerator:
    """``load.c``, running; see ``Generator``."""

    def __init__(self, program: Path, target: Target) -> None:
        self._target = target
        words: Sequence[object] = (
            program, target.kind, "127.0.0.1", target.port, target.requests, target.sockets, OUTSTANDING,
        )  # fmt: skip
        with started_on(frozenset({LOAD_CORE})):
            self._process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        self._read(GRACE_S)

    def run(self, seconds: float) -> Loaded:
        """See ``Generator``. Raises ``GeneratorFailed``."""
        self._tell(f"run {seconds}")
        return _loaded(self._read(seconds + GRACE_S))

    def warm(self, times: int) -> Loaded:
        """See ``Generator``. Raises ``GeneratorFailed``."""
        self._tell(f"warm {times}")
        return _loaded(self._read(MOST_WARMING_S))

    def pace(self, seconds: float, rate_per_s: float) -> Paced:
        """See ``Generator``. Raises ``GeneratorFailed``."""
        self._tell(f"pace {seconds} {rate_per_s}")
        words = self._read(seconds + GRACE_S)
        names = ("p50", "p90", "p99", "p99.9", "max")
        waits = dict(zip(names, map(float, words[5:]), strict=True)) if words[5:] else {}
        return Paced(_loaded(words), waits)

    def expect_code(self, code: int) -> None:
        """See ``Generator``."""
        self._tell(f"code {code}")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # why it ended is read where its answer is
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _read(self, limit_s: float) -> list[str]:
        assert self._process.stdout is not None
        line = ""
        if select.select([self._process.stdout], [], [], limit_s)[0]:
            line = self._process.stdout.readline()
        if not line:
            self._process.kill()
            _, said = self._process.communicate()
            target = self._target
            raise GeneratorFailed(
                f"{target.kind} on port {target.port}: {said.strip() or 'silence'}"
            )
        return line.split()


def _loaded(words: Sequence[str]) -> Loaded:
    return Loaded(*(int(word) for word in words[:5]))
