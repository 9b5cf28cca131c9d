"""A faulty peer as a process of its own, for measurements: ``python -m tests.faulty_peer --mode answer --any 3``.

Prints ``{"port": …, "http_port": …}``, then reads commands from standard input, one JSON object a line, and answers
each with one line: ``{"mode": "silent", "delay_s": 0.1, "loss": 0.5, "flap_s": 1, "closes_after": 1}`` changes the
behaviour, ``{}`` only tells the counts. Ends at the end of input.
"""

import argparse
import json
import sys

from protocols.values.value import Value
from tests.faulty_peer.behaviour import ABSENT, Behaviour, Canned, Mode
from tests.faulty_peer.peer import FaultyPeer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", choices=[mode.value for mode in Mode], default="answer")
    parser.add_argument("--any", type=int, default=0, help="answer every identifier with N values")
    parser.add_argument("--ttl", type=int, default=86_400)
    chosen = parser.parse_args()
    values = tuple(
        Value(at, "URL", f"https://example.com/{at}".encode(), ttl=chosen.ttl, timestamp=1)
        for at in range(1, chosen.any + 1)
    )
    default = Canned(values=values) if values else ABSENT
    behaviour = Behaviour(Mode(chosen.mode))
    with FaultyPeer({}, behaviour, default=default, port=chosen.port) as peer:
        print(json.dumps({"port": peer.port, "http_port": peer.http_port}), flush=True)
        for line in sys.stdin:
            change = json.loads(line)
            if "mode" in change:
                change["mode"] = Mode(change["mode"])
            peer.behaviour = peer.behaviour._replace(**change)
            told = dict(peer.counts) | {"open_connections": peer.open_connections}
            print(json.dumps(told | {"identifiers": len(peer.by_identifier)}), flush=True)


if __name__ == "__main__":
    main()
