"""A writer in a process of its own, for tests that stop or kill it: ``python writer.py DIR SCRIPT ARGUMENTS…``

It prints one line per thing that is certain (flushed at once), so that the parent is the judge of what was promised.
"""

import os
import signal
import sys
from pathlib import Path

from registry.errors import StoreError
from registry.stores.lmdb import open_writer
from tests.batteries.scribe import Scribe
from tests.registry.stores.settings import SMALL


def say(*words: object) -> None:
    print(*words, flush=True)


def hold(directory: Path) -> None:
    """Become the writer, say so, and commit one record for each line on standard input."""
    try:
        store = open_writer(directory, SMALL)
    except StoreError as error:
        say(type(error).__name__, error)
        return
    say("open", os.getpid())
    for line in sys.stdin:
        scribe = Scribe(store)
        scribe.put(f"88.118/{line.strip()}")
        try:
            scribe.commit()
            say("done", store.head().seq)
        except StoreError as error:
            say(type(error).__name__, error)


def die_at(directory: Path, point: str, at_commit: str) -> None:
    """Commit batches of 10 new records, two updates and a tombstone; kill -9 at ``point`` of the n-th commit."""
    left = int(at_commit)
    commits = 0

    def stop() -> None:
        if commits == left:
            os.kill(os.getpid(), signal.SIGKILL)

    store = open_writer(directory, SMALL, {point: stop})
    scribe = Scribe(store)
    while True:
        commits += 1
        for n in range(10):
            scribe.put(f"88.118/{commits:04}-{n}")
        if commits > 1:
            scribe.put(f"88.118/{commits - 1:04}-1")
            scribe.put(f"88.118/{commits - 1:04}-1")
            scribe.delete(f"88.118/{commits - 1:04}-2")
        scribe.commit()
        say("receipt", commits, store.head().seq)


if __name__ == "__main__":
    {"hold": hold, "die_at": die_at}[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
