"""dnsperf, the load generator DNS servers are usually measured with: run for one slice, its report read."""

import re
import resource
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bench.compare.generator import OUTSTANDING
from bench.cores import LOAD_CORE, started_on
from bench.peers.process import need_program
from bench.slices import Loaded, LoadFailed

CLIENTS = 64
"""Sockets. It looks at each in turn, found ready or not, so that more would only keep it busy."""
GRACE_S = 15.0
_COUNTS = {
    "completed": r"Queries completed:\s+(\d+)",
    "lost": r"Queries lost:\s+(\d+)",
    "right": r"NOERROR (\d+)",
}
_SECONDS = re.compile(r"Run time \(s\):\s+([\d.]+)")


class DnsperfFailed(LoadFailed):
    """It said nothing that could be understood; ``str()`` has its last words."""


class DnsperfLoad:
    """Asks a DNS server the questions of a file, with as many in flight as the other load generator."""

    def __init__(self, port: int, questions: Path) -> None:
        self._command = [
            need_program("dnsperf"), "-s", "127.0.0.1", "-p", str(port), "-d", str(questions), "-f", "inet",
            "-q", str(OUTSTANDING), "-c", str(CLIENTS), "-T", "1", "-l",
        ]  # fmt: skip

    def run(self, seconds: float) -> Loaded:
        """One slice. Raises ``DnsperfFailed``."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with started_on(frozenset({LOAD_CORE})):
            done = subprocess.run(
                [*self._command, str(seconds)], capture_output=True, text=True,
                timeout=seconds + GRACE_S, check=False,
            )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return read_report(done.stdout, int(cpu_s * 1e9))

    def warm(self, times: int) -> Loaded:  # noqa: ARG002  # a generator's signature
        """A short slice: its file is read from the beginning each time."""
        return self.run(1)

    def close(self) -> None:
        """Nothing is left open between slices."""


def read_report(text: str, client_cpu_ns: int) -> Loaded:
    """What dnsperf printed at its end. Raises ``DnsperfFailed``."""
    found = {name: re.search(pattern, text) for name, pattern in _COUNTS.items()}
    seconds = _SECONDS.search(text)
    if found["completed"] is None or seconds is None:
        raise DnsperfFailed(f"dnsperf: {text.strip()[-200:] or 'silence'}")
    counts = {name: int(match[1]) if match else 0 for name, match in found.items()}
    wrong = counts["completed"] - counts["right"]
    return Loaded(counts["right"], counts["lost"], wrong, client_cpu_ns, int(float(seconds[1]) * 1e9))  # fmt: skip


def write_questions(path: Path, names: Iterable[str]) -> Path:
    """Its input: a name and a type a line."""
    with path.open("w") as file:
        file.writelines(f"{name} TXT\n" for name in names)
    return path
