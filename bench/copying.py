"""PostgreSQL as a peer for registrations: ``COPY`` of the same rows into an indexed table, every batch durable.

The server is the one installed on this machine, started in a directory of its own, on a socket of its own, as a user
without rights (it refuses to run as root), and stopped again. Where none is installed, ``find_postgres`` says so.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

READY_S = 30.0
PLACES = (Path("/usr/local/bin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
NOBODY = "nobody"
SETTINGS = (
    "listen_addresses=",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "fsync=on",
    "synchronous_commit=on",
)
"""Durable as delivered; memory as its documentation recommends, so that it is not measured while starved."""
TABLE = """create table rec (handle bytea primary key, seq bigint not null, version int not null,
 modified int not null, public bytea not null)"""
"""What a record of ours holds: its key, the fields of its head, and the values as they go on the wire."""


class Postgres(NamedTuple):
    """An installed server."""

    directory: Path
    version: str


class CopyRow(NamedTuple):
    """One record."""

    handle: bytes
    public: bytes


def find_postgres() -> Postgres | None:
    """The installed server, None when there is none (or no user to run it as)."""
    for directory in PLACES:
        if all((directory / name).exists() for name in ("postgres", "initdb")):
            said = subprocess.run(
                [directory / "postgres", "--version"], capture_output=True, text=True, check=True
            )
            return Postgres(directory, said.stdout.strip())
    return None


class CopyPeer:
    """A running server with an empty table; ``copy`` is what is measured."""

    def __init__(self, directory: Path, postgres: Postgres, pid: int) -> None:
        self._directory, self._postgres, self.pid = directory, postgres, pid
        psql = shutil.which("psql", path=f"{postgres.directory}:{os.environ.get('PATH', '')}")
        assert psql is not None, "a server without its client"
        self._client = subprocess.Popen(
            [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(directory), "-U", NOBODY, "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._say(f"set bytea_output = 'hex'; {TABLE};")

    def copy(self, rows: Sequence[CopyRow], first: int) -> None:
        """Add ``rows`` in one transaction; durable on return."""
        lines = b"".join(
            b"\\\\x%b\t%d\t1\t1700000000\t\\\\x%b\n"
            % (row.handle.hex().encode(), at, row.public.hex().encode())
            for at, row in enumerate(rows, first)
        )
        self._say("copy rec from stdin;\n", lines + b"\\.\n")

    def close(self) -> None:
        """End the client."""
        assert self._client.stdin is not None
        self._client.stdin.close()
        self._client.wait()

    def _say(self, command: str, data: bytes = b"") -> None:
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        self._client.stdin.write(command.encode() + data + b"\n\\echo done\n")
        self._client.stdin.flush()
        while (line := self._client.stdout.readline()) != b"done\n":
            if not line:
                raise RuntimeError("psql ended")


@contextlib.contextmanager
def running_postgres(postgres: Postgres) -> Iterator[CopyPeer]:
    """A server of its own for the duration of the block."""
    user = pwd.getpwnam(NOBODY)
    is_root = os.geteuid() == 0
    uid, gid = (user.pw_uid, user.pw_gid) if is_root else (None, None)
    groups: list[int] | None = [] if is_root else None
    with tempfile.TemporaryDirectory(prefix="biaojie-pg-") as name:
        directory = Path(name)
        if is_root:
            os.chown(directory, user.pw_uid, user.pw_gid)
        data = directory / "data"
        subprocess.run(
            [postgres.directory / "initdb", "-D", data, "-U", NOBODY, "-A", "trust", "-E", "UTF8", "--locale=C"],
            check=True, capture_output=True, cwd=directory, user=uid, group=gid, extra_groups=groups,
        )  # fmt: skip
        words = [word for setting in SETTINGS for word in ("-c", setting)]
        with (directory / "log").open("wb") as log:
            server = subprocess.Popen(
                [postgres.directory / "postgres", "-D", data, "-k", directory, *words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=directory,
                user=uid, group=gid, extra_groups=groups,
            )  # fmt: skip
        try:
            _await_ready(directory, server)
            peer = CopyPeer(directory, postgres, server.pid)
            try:
                yield peer
            finally:
                peer.close()
        finally:
            server.terminate()
            server.wait()


def _await_ready(directory: Path, server: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + READY_S
    while b"ready to accept connections" not in (directory / "log").read_bytes():
        if server.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError((directory / "log").read_text(errors="replace")[-500:])
        time.sleep(0.05)
