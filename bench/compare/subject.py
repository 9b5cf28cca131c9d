"""Biaojie under test: a real ``biaojie serve`` with as many identifiers as wanted, its limits on but out of reach."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.compare.requests import PREFIX, SUFFIX, VALUES, handle_requests, rows
from bench.cores import SERVER_CORE
from bench.peers.process import Running, ask_datagram, await_answer, started
from node.clock import read_clocks
from node.config import load_config
from node.free_ports import free_port
from node.init_node import SETTINGS_NAME, init_node
from node.lane.extension import load as load_lane
from protocols.handle.codes import ResponseCode

MEASURED: Mapping[str, object] = {
    # Nobody is exempt: every datagram takes a token from its source's bucket, as a stranger's does.
    "access.proven_networks": [],
    "limits.udp_answers_per_s": 1_000_000,
    "limits.udp_burst": 1_000_000,
    # An address that is not proved gets at most so many times what it sent: above any answer asked for here.
    "limits.udp_amplification": 100.0,
    # Room for every answer that is asked for: hits are what is measured.
    "memory.rendered_answers_mib": 512,
    # Connections rest while others are measured.
    "limits.idle_s": 86_400,
    "node.workers": 1,
    # What is measured is answering and registering, as peers do them; docs/search.md says what the index costs.
    "search.enabled": False,
    "logs.level": "warning",
}
"""What differs from the defaults."""
PURE = "BIAOJIE_PURE_PYTHON"
"""Environment variable that leaves the compiled lane out."""
IMPORT_S = 7200.0
"""Longest import: 10^7 rows take minutes."""


ONE_CORE = frozenset({SERVER_CORE})
PROBE_PAUSE_S = 0.005
"""The start is measured, too."""


class ImportFailed(Exception):
    """The node's own import ended badly; ``str()`` has its last words."""


def has_lane() -> bool:
    """Whether this installation has the compiled lane and may use it."""
    return load_lane() is not None


class Made(NamedTuple):
    """A node's settings, and how fast its own import was."""

    settings: Path
    rows_per_s: float


def make_node(directory: Path, count: int) -> Made:
    """A node with ``count`` identifiers, registered in order by its own import. Raises ``ImportFailed``."""
    made = init_node(
        directory, PREFIX, native_port=free_port(), http_port=free_port(), operations_port=free_port(),
        settings=MEASURED,
    )  # fmt: skip
    rows_file = directory / "rows.csv"
    with rows_file.open("w") as file:
        file.writelines(rows(count))
    values = [word for value in VALUES for word in ("--value", value)]
    command = [
        sys.executable, "-m", "node.cli", "import", str(rows_file), "--prefix", PREFIX, "--suffix", SUFFIX,
        *values, "--config", str(made.settings), "--json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_S, check=False)
    rows_file.unlink()
    if done.returncode:
        raise ImportFailed(done.stderr.strip()[-300:])
    return Made(made.settings, float(json.loads(done.stdout)["rows_per_s"]))


def settings_of(directory: Path) -> Path:
    """The settings of a node that was made before."""
    return directory / SETTINGS_NAME


@contextmanager
def serving(
    settings: Path, *, is_pure: bool, cores: frozenset[int] = ONE_CORE
) -> Iterator[Running]:
    """The node on ``cores``, once it answers over UDP. Raises ``PeerFailed``."""
    config = load_config(settings)
    environment = {name: value for name, value in os.environ.items() if name != PURE}
    if is_pure:
        environment[PURE] = "1"
    log = settings.parent / "node.log"
    command = (sys.executable, "-m", "node.cli", "serve", "--config", settings)
    with started(command, log, environment, cores) as process:
        port = config.listen.port
        await_answer(process, log, lambda: ask_datagram(port, question()), PROBE_PAUSE_S)
        yield Running(process.pid, port, config.http.port)


def question(number: int = 0) -> bytes:
    """One plain question."""
    return next(handle_requests([number], read_clocks().wall_s)).data


def count_identifiers(port: int) -> int:
    """How many of ours a running node holds: they are numbered without gaps, so it is a matter of some 40 questions."""

    def holds(number: int) -> bool:
        answer = ask_datagram(port, question(number))
        return int.from_bytes(answer[24:28]) == ResponseCode.SUCCESS

    if not holds(0):
        return 0
    above = 1
    while holds(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        below, above = (middle, above) if holds(middle) else (below, middle)
    return above
