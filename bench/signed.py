"""Signed answers beside plain ones: how many a second over one kept TCP connection, in turns of a second each.

Usage: ``python -m bench.signed PORT IDENTIFIER [ROUNDS]`` against a running node on this machine. Three kinds in
turn: a plain question, which the hot path answers; one that wants the request digest, which takes the way of every
signed answer but for the signature; and one that wants a signature (op flag CERT). Every signature is another one: it
is over the ids of its question. Four questions are under way at a time. The medians of the ratios of each round are
told.
"""

import socket
import statistics
import sys

from node.clock import read_clocks
from protocols.handle.codec import Message, encode
from protocols.handle.codes import CERT, DEFAULT_REQUEST_FLAGS, RRDG, OpCode
from protocols.handle.envelope import Envelope
from protocols.handle.header import Header
from protocols.handle.resolution import ResolveRequest
from protocols.handle.stream import MessageStream

SECONDS = 1.0
UNDER_WAY = 4
KINDS = {
    "plain": DEFAULT_REQUEST_FLAGS,
    "with digest": DEFAULT_REQUEST_FLAGS | RRDG,
    "signed": DEFAULT_REQUEST_FLAGS | CERT,
}


def rate(port: int, question: bytes) -> float:
    """Answers a second."""
    stream, count = MessageStream({}), 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(question * UNDER_WAY)
        began = read_clocks().monotonic_s
        while (took := read_clocks().monotonic_s - began) < SECONDS:
            answers = stream.receive(sock.recv(65_536))
            assert all(answer[24:28] == b"\0\0\0\1" for answer in answers), "every answer is right"
            count += len(answers)
            sock.sendall(question * len(answers))
    return count / took


def main() -> None:
    port, identifier, *more = sys.argv[1:]
    rounds: list[dict[str, float]] = []
    for _ in range(int(more[0]) if more else 9):
        turn = {}
        for kind, flags in KINDS.items():
            expires_s = int(read_clocks().wall_s) + 3600
            header = Header(OpCode.RESOLVE, op_flags=flags, expiration_s=expires_s)
            body = ResolveRequest(identifier.encode())
            turn[kind] = rate(int(port), encode(Message(Envelope(request_id=1), header, body)))
        rounds.append(turn)
    for kind in ("with digest", "plain"):
        ratios = [turn["signed"] / turn[kind] for turn in rounds]
        spread = f"{min(ratios):.3f}-{max(ratios):.3f}"
        print(f"signed / {kind}: {statistics.median(ratios):.3f} ({spread}, {len(rounds)} rounds)")


if __name__ == "__main__":
    main()
