"""A registrar in a process of its own that moves a prefix away and back: ``python -m tests.resolver.mover DIR``.

For every line on standard input it makes one move, and prints the number of the change when that is durable.
"""

import sys
from pathlib import Path

from registry.stores.lmdb import open_writer
from tests.registry.desk import DELEGATE, HOST, PUT, Desk, command, site_value, url
from tests.registry.stores.settings import SMALL

PREFIX = "88.118.7"
HERE, THERE = site_value("192.0.2.1"), site_value("192.0.2.8")


def main(directory: Path) -> None:
    desk = Desk(open_writer(directory, SMALL))
    desk.commit(command(HOST, PREFIX, HERE), command(PUT, f"{PREFIX}/x", url()))
    print(desk.store.head().seq, flush=True)
    is_here = True
    for _ in sys.stdin:
        move = command(DELEGATE, PREFIX, THERE) if is_here else command(HOST, PREFIX, HERE)
        # Beside it, what a busy registrar does: other prefixes are made and moved, records come below the moving one.
        seq = desk.store.head().seq
        receipts = desk.commit(
            command(HOST, f"89.{seq}"),
            command(PUT, f"{PREFIX}/n{seq}", url()),
            move,
            command(DELEGATE, f"89.{seq}", THERE),
        )
        assert not any(receipt.reason for receipt in receipts), receipts
        is_here = not is_here
        print(receipts[-1].seq, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
