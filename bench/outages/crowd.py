"""A crowd at the door: connections beyond what the node takes, again and again: ``python -m bench.outages.crowd``.

Arguments: PORT RATE SECONDS. Connects, says nothing, waits for the refusal. Prints how many were refused, how many were
left waiting, and how long a refusal took.
"""

import json
import select
import socket
import sys
import time
from contextlib import suppress

from bench.outages.report import waits

MOST_OPEN = 900
"""Below a shell's usual limit of descriptors."""
TOO_LONG_S = 2.0


def main() -> int:
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    poller = select.epoll()
    began: dict[int, tuple[socket.socket, float]] = {}
    took_s: list[float] = []
    tried = left_waiting = 0
    started_s = now_s = time.monotonic()
    while (now_s := time.monotonic()) - started_s < seconds:
        while tried < (now_s - started_s) * rate and len(began) < MOST_OPEN:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", port))
            poller.register(sock, select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR)
            began[sock.fileno()] = sock, now_s
            tried += 1
        for descriptor, _ in poller.poll(0.002):
            sock, since_s = began.pop(descriptor)
            sock.close()
            took_s.append(time.monotonic() - since_s)
        for descriptor in [d for d, (_, since_s) in began.items() if now_s - since_s > TOO_LONG_S]:
            began.pop(descriptor)[0].close()
            left_waiting += 1
    facts = {"tried_per_s": round(tried / seconds), "refused_per_s": round(len(took_s) / seconds)}
    print(json.dumps({**facts, "left_waiting": left_waiting, "refusal": waits(took_s)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
