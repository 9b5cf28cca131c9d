"""Redis: as many keys as we hold identifiers, each with a value as long as our answer; nothing is saved."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.peers.process import (
    LOOPBACK,
    PeerFailed,
    Running,
    ask_stream,
    await_answer,
    need_program,
    started,
    version_of,
)
from node.free_ports import free_port

FILL_S = 60.0
_SETS_AT_ONCE = 1000


def redis_version() -> str | None:
    """None when it is not installed."""
    return version_of("redis-server", "--version")


@contextmanager
def redis(place: Path, keys: Sequence[bytes], value_bytes: int) -> Iterator[Running]:
    """Filled and answering."""
    place.mkdir(parents=True)
    port, log = free_port(), place / "log"
    command = (
        need_program("redis-server"), "--bind", LOOPBACK, "--port", port, "--dir", place, "--save", "",
        "--appendonly", "no", "--maxclients", "256",
    )  # fmt: skip
    with started(command, log) as process:
        await_answer(process, log, lambda: ask_stream(port, b"PING\r\n", lambda data: len(data) and 7))  # fmt: skip
        _fill(port, keys, value_bytes)
        yield Running(process.pid, port)


def _fill(port: int, keys: Sequence[bytes], value_bytes: int) -> None:
    with socket.create_connection((LOOPBACK, port), FILL_S) as sock, sock.makefile("rb") as answers:
        for first in range(0, len(keys), _SETS_AT_ONCE):
            some = keys[first : first + _SETS_AT_ONCE]
            sock.sendall(b"".join(_set(key, value_bytes) for key in some))
            for _ in some:
                said = answers.readline()
                if said != b"+OK\r\n":
                    raise PeerFailed(f"redis refused a value: {said!r}")


def _set(key: bytes, value_bytes: int) -> bytes:
    value = key + b"x" * max(0, value_bytes - len(key))
    return b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value)
