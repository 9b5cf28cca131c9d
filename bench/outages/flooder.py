"""Random suffixes at a rate, from many addresses: ``python -m bench.outages.flooder PORT RATE SECONDS SOURCES``.

Closed loop with RATE 0: as many as are answered, from one address; prints answers a second. That is the capacity.
"""

import json
import random
import select
import socket
import sys
import time
from contextlib import suppress

from bench.outages.asker import question
from bench.outages.upstream import FOREIGN_PREFIX

WINDOW = 32
SUFFIX_BYTES = 12
MOST_IN_A_BURST = 400


def main() -> int:
    port, rate = int(sys.argv[1]), float(sys.argv[2])
    seconds, sources = float(sys.argv[3]), int(sys.argv[4])
    sockets = []
    for n in range(sources):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((f"127.{2 if rate else 9}.{n // 250}.{n % 250 + 1}", 0))
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        if rate:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # nobody reads these answers
        sockets.append(sock)
    template = bytearray(question(f"{FOREIGN_PREFIX}/{'x' * SUFFIX_BYTES}", 0))
    at = template.index(b"x" * SUFFIX_BYTES)
    if rate:
        print(json.dumps({"sent": _flood(sockets, template, at, rate, seconds)}))
    else:
        print(json.dumps({"per_s": _closed_loop(sockets[0], template, at, seconds) / seconds}))
    return 0


def _flood(
    sockets: list[socket.socket], template: bytearray, at: int, rate: float, seconds: float
) -> int:
    started_s, sent = time.monotonic(), 0
    while (now_s := time.monotonic() - started_s) < seconds:
        due = min(int(now_s * rate) - sent, MOST_IN_A_BURST)
        for _ in range(max(due, 0)):
            with suppress(OSError):
                sockets[sent % len(sockets)].send(_fresh(template, at))
            sent += 1
        if due <= 0:
            time.sleep(0.0005)
    return sent


def _closed_loop(sock: socket.socket, template: bytearray, at: int, seconds: float) -> int:
    answers, deadline_s = 0, time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        for _ in range(WINDOW):
            sock.send(_fresh(template, at))
        waiting = WINDOW
        while waiting:
            if not select.select([sock], [], [], 0.5)[0]:
                break
            sock.recv(2048)
            waiting -= 1
            answers += 1
    return answers


def _fresh(template: bytearray, at: int) -> bytearray:
    chance = random.randbytes(3 + SUFFIX_BYTES // 2)
    template[9:12] = chance[:3]
    template[at : at + SUFFIX_BYTES] = chance[3:].hex().encode()
    return template


if __name__ == "__main__":
    sys.exit(main())
