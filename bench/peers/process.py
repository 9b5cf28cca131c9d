"""A peer as a process: started on the servers' core, waited for with a limit, always ended, by its own process id."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.cores import SERVER_CORE, started_on

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where servers are installed; not in everybody's PATH."""
READY_S = 30.0
"""Longest start of a peer; a zone of 10^5 names takes a second."""
STOP_S = 20.0
"""A node drains for 10 s at most; the others end at once."""
VERSION_S = 10.0
PROBE_S = 1.0
PAUSE_S = 0.05
"""Between two probes of a peer that starts."""
LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class PeerFailed(Exception):
    """A peer did not start, or does not answer as it should; ``str()`` has the end of its log."""


class Running(NamedTuple):
    """A peer that answers."""

    pid: int
    """Of the process that was started; its children are charged with it."""
    port: int
    http_port: int = 0
    """Where it answers HTTP, when it answers something else on ``port``."""


def find_program(name: str) -> str | None:
    """Where a program is installed; None when it is not. Without a PATH nothing is."""
    path = os.environ.get("PATH", "")
    return shutil.which(name, path=f"{path}:{SYSTEM_FOLDERS}") if path else None


def need_program(name: str) -> str:
    """Where a program is installed. Raises ``PeerFailed``."""
    found = find_program(name)
    if found is None:
        raise PeerFailed(f"{name} is not installed")
    return found


def version_of(program: str, *words: str) -> str | None:
    """The first line of what ``program`` says of itself that holds a digit; None when it is not installed."""
    found = find_program(program)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *words], capture_output=True, text=True, timeout=VERSION_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in lines if any(map(str.isdigit, line))), "unknown")


@contextmanager
def started(
    command: Sequence[object],
    log: Path,
    environment: Mapping[str, str] | None = None,
    cores: frozenset[int] = frozenset({SERVER_CORE}),
) -> Iterator[subprocess.Popen[bytes]]:
    """The process on ``cores``, its output in ``log``; ended when the block is left, however it is."""
    words = [str(word) for word in command]
    with log.open("ab") as output, started_on(cores):
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  one system call, no locks
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    """In the new process: TERM when whoever measures is gone, however that ended."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def await_answer(
    process: subprocess.Popen[bytes],
    log: Path,
    probe: Callable[[], bytes],
    pause_s: float = PAUSE_S,
) -> bytes:
    """Probe until an answer comes. Raises ``PeerFailed``."""
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with suppress(OSError):
            return probe()
        time.sleep(pause_s)
    state = "is silent" if process.poll() is None else f"ended with {process.returncode}"
    said = "; ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise PeerFailed(f"{Path(str(process.args[0])).name} {state}: {said}")  # type: ignore[index]


def read_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that our own small peers print first. Raises ``PeerFailed``."""

    def printed() -> bytes:
        line, end, _ = log.read_bytes().partition(b"\n")
        if not end:
            raise BlockingIOError
        return line

    said = await_answer(process, log, printed)
    if not said.isdigit():
        raise PeerFailed(said.decode(errors="replace"))
    return int(said)


def ask_datagram(port: int, question: bytes) -> bytes:
    """One question over UDP. Raises ``OSError`` when no answer comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PROBE_S)
        sock.connect((LOOPBACK, port))
        sock.send(question)
        return sock.recv(4096)


def ask_stream(port: int, question: bytes, whole: Callable[[bytes], int]) -> bytes:
    """One question over TCP; ``whole`` says how long the answer is once its head is there, 0 before."""
    with socket.create_connection((LOOPBACK, port), PROBE_S) as sock:
        sock.sendall(question)
        data = b""
        while not (size := whole(data)) or len(data) < size:
            more = sock.recv(65536)
            if not more:
                raise ConnectionError("closed in the middle of an answer")
            data += more
        return data
