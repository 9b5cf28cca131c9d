"""A process that bears one child by fork and says what became of it; the child says what it finds itself with.

``python -m tests.node.newborn`` prints one JSON object. Run as a program: a test's own process has threads, and whoever
has those must not fork.
"""

import contextlib
import gc
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

ENDS_WITH, RAISES, WAITS = "ends", "raises", "waits"
TOLD_AT_ONCE, LOG_FULL, NO_ROOM = "told", "full", "no-room"
STATUS = 78
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


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
        "wakes": signal.set_wakeup_fd(-1),
        "frozen": gc.get_freeze_count(),
    }
    os.write(1, json.dumps(found).encode() + b"\n")
    if what == RAISES:
        raise ValueError("the child's own")
    if what == WAITS:
        os.read(0, 1)  # until its parent closes or is gone
    return STATUS


def _bear_without_room() -> dict[str, object]:
    """As many children as are tried with one descriptor more each time; how many are left open after each failure."""
    from node.birth import forked

    open_before = len(_descriptors())
    first_free = max(_descriptors()) + 1
    leaked, status = [], None
    for room in range(12):
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + room, HARD))
        try:
            child = forked("tests.node.newborn", [])
        except OSError:
            resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))
            leaked.append(len(_descriptors()) - open_before)
        else:
            assert child.stdin is not None
            child.stdin.write(ENDS_WITH.encode() + b"\n")
            child.stdin.flush()
            status = child.wait()
            break
    return {"leaked": leaked, "status": status}


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
    if what == TOLD_AT_ONCE:  # before it can hear
        os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
    if what == LOG_FULL:
        sys.stderr = Path("/dev/full").open("w")  # noqa: SIM115  # it is the log from now on
        sys.stderr.write("a line that cannot be written")
    child = forked("tests.node.newborn", [kept.fileno()])
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(what.encode() + b"\n")
        child.stdin.flush()
    said = json.loads(child.stdout.readline() or "{}")
    if what == WAITS:
        assert child.poll() is None
        child.terminate()
    status = child.wait()
    child.kill()  # nobody is there any more: nothing happens
    if what == LOG_FULL:
        sys.stderr = None
    return {**said, "kept": kept.fileno(), "status": status, "again": child.poll()}


if __name__ == "__main__":
    print(json.dumps(_bear_without_room() if sys.argv[1] == NO_ROOM else _bear(sys.argv[1])))
