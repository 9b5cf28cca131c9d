"""A process that bears one child by fork and says what became of it; the child says what it finds itself with.

``python -m tests.node.newborn`` prints one JSON object. Run as a program: a test's own process has threads, and whoever
has those must not fork.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

ENDS_WITH, RAISES, WAITS = "ends", "raises", "waits"
STATUS = 78


def main() -> int:
    """The child's whole program; what it is to do comes on its stdin, as the boot line would."""
    what = os.read(0, 100).decode().strip()
    found = {
        "descriptors": _descriptors(),
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "handlers": [
            signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        ],
        "leads_its_group": os.getpgid(0) == os.getpid(),
    }
    os.write(1, json.dumps(found).encode() + b"\n")
    if what == RAISES:
        raise ValueError("the child's own")
    if what == WAITS:
        os.read(0, 1)  # until its parent closes or is gone
    return STATUS


def _descriptors() -> list[int]:
    listed = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return sorted(
        number for number in listed if Path(f"/proc/self/fd/{number}").exists()
    )  # not the listing's own


def _bear(what: str) -> dict[str, object]:
    from node.bell import Bell
    from node.birth import forked

    Bell().catch()
    kept, _given_up = socket.socketpair()
    child = forked("tests.node.newborn", [kept.fileno()])
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(what.encode() + b"\n")
    child.stdin.flush()
    said = json.loads(child.stdout.readline())
    if what == WAITS:
        assert child.poll() is None
        child.terminate()
    status = child.wait()
    child.kill()  # nobody is there any more: nothing happens
    return {**said, "kept": kept.fileno(), "status": status, "again": child.poll()}


if __name__ == "__main__":
    print(json.dumps(_bear(sys.argv[1])))
