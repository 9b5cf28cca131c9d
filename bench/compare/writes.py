"""Durable registrations in batches: the node's streaming batch endpoint beside PostgreSQL's ``COPY`` of the same rows.

A batch is one request or one transaction, durable when it is answered; the next one waits for that. Ours checks every
row against its rules and gives each a receipt, which is read here; ``COPY`` says only that it is done.
"""

import http.client
import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.compare.requests import PREFIX
from bench.compare.rows import make_row
from bench.copying import CopyPeer, CopyRow, find_postgres, running_postgres
from bench.cores import pin_server
from bench.peers.process import LOOPBACK, Running
from bench.report.result import CompareRow
from bench.slices import Contest, Loaded, LoadFailed, Peer, alternate
from node.asking.web import Login
from node.init_node import SECRET_INDEX, SECRET_NAME
from node.version import VERSION
from protocols.values.value import Value
from protocols.values.value_list import encode_values

ROWS = 1000
"""Of a batch."""
FIRST = 50_000_000
"""Numbers from here on are registered; those below are there to be asked for."""
PATIENCE_S = 30.0
_DIGITS = b"########"
OURS, COPY = "Biaojie, batches of 1,000", "PostgreSQL COPY, 1,000 rows"
TITLE = "durable registrations in batches of 1,000, by row"
AIM = 0.15


class Batch(NamedTuple):
    """The same rows as either side wants them."""

    first: int
    lines: bytes
    """NDJSON."""
    rows: list[CopyRow]


def batches() -> Iterator[Batch]:
    """One after the other, without end; no number comes twice."""
    line, handle, public = _patterns()
    for first in itertools.count(FIRST, ROWS):
        numbers = [b"%08d" % number for number in range(first, first + ROWS)]
        yield Batch(
            first,
            b"".join(line.replace(_DIGITS, number) for number in numbers),
            [
                CopyRow(handle.replace(_DIGITS, number), public.replace(_DIGITS, number))
                for number in numbers
            ],
        )


def _patterns() -> tuple[bytes, bytes, bytes]:
    """One row as a line of NDJSON, its handle and its values on the wire, to be filled in at little cost."""
    digits = _DIGITS.decode()
    handle = f"{PREFIX}/SN-{digits}"
    texts = {"URL": f"https://static.example.org/products/{digits}.html", "NAME": f"Pump {digits}"}
    values = [Value(index, type_, text.encode()) for index, (type_, text) in enumerate(texts.items(), 1)]  # fmt: skip
    told = [{"index": one.index, "type": one.type, "data": texts[one.type]} for one in values]
    line = json.dumps({"handle": handle, "values": told}) + "\n"
    return line.encode(), handle.encode(), encode_values(values)


class BatchLoad:
    """Registers batches over one HTTP connection."""

    def __init__(self, running: Running, directory: Path) -> None:
        secret = (directory / SECRET_NAME).read_text().strip()
        self._login = Login(SECRET_INDEX, f"0.NA/{PREFIX}", secret).header
        self._batches = batches()
        self._connection = http.client.HTTPConnection(
            LOOPBACK, running.http_port, timeout=PATIENCE_S
        )

    def run(self, seconds: float) -> Loaded:
        """As many as are answered in that time. Raises ``LoadFailed``."""
        return _timed(seconds, self._register)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _register(self) -> int:
        """One batch; how many rows have a receipt that says so."""
        batch = next(self._batches)
        headers = {"Content-Type": "application/x-ndjson", "Authorization": self._login}
        try:
            self._connection.request("POST", "/api/batch", batch.lines, headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise LoadFailed(f"a batch was not answered: {error!r}") from None
        if answer.status != 200:
            raise LoadFailed(f"a batch was refused: {answer.status} {said[:200]!r}")
        return count_registered(said)


class CopyLoad:
    """Copies batches into PostgreSQL."""

    def __init__(self, peer: CopyPeer) -> None:
        self._peer, self._batches = peer, batches()

    def run(self, seconds: float) -> Loaded:
        """As many as are committed in that time. Raises ``LoadFailed``."""
        return _timed(seconds, self._copy)

    def _copy(self) -> int:
        batch = next(self._batches)
        try:
            self._peer.copy(batch.rows, batch.first)
        except (OSError, RuntimeError) as error:
            raise LoadFailed(f"COPY failed: {error}") from None
        return ROWS


def count_registered(receipts: bytes) -> int:
    """Receipts of rows that were registered, the sum at the end left aside."""
    told = [json.loads(line) for line in receipts.splitlines()]
    return sum(one.get("status") == "registered" for one in told)


def compare_writes(
    running: Running, directory: Path, turns: tuple[int, float], on_slice: Callable[[str], None]
) -> list[CompareRow]:
    """The running node in ``directory`` beside PostgreSQL, if that is installed."""
    postgres = find_postgres()
    failures = {}
    with ExitStack() as stack:
        ours = BatchLoad(running, directory)
        stack.callback(ours.close)
        peers = [Peer(OURS, running.pid, ours.run)]
        if postgres is not None:
            on_slice(f"starting {postgres.version}")
            try:
                copying = stack.enter_context(running_postgres(postgres))
                pin_server(copying.pid)
                peers.append(Peer(COPY, copying.pid, CopyLoad(copying).run))
            except (OSError, RuntimeError, LookupError, subprocess.SubprocessError) as error:
                failures[COPY] = str(error)
        found = alternate(peers, *turns, on_slice)
    contest = Contest(found.slices, {**failures, **found.failures})
    own = found.slices.get(OURS, [])
    return [
        make_row(TITLE, OURS, VERSION, contest, own),
        make_row(TITLE, COPY, postgres.version if postgres else None, contest, own, AIM),
    ]


def _timed(seconds: float, act: Callable[[], int]) -> Loaded:
    cpu, wall, rows, wrong = time.process_time_ns(), time.monotonic_ns(), 0, 0
    while time.monotonic_ns() - wall < seconds * 1e9:
        right = act()
        rows, wrong = rows + right, wrong + ROWS - right
    return Loaded(rows, 0, wrong, time.process_time_ns() - cpu, time.monotonic_ns() - wall)
