"""The upstream of the measurements: every key of a foreign prefix, told truly, or as badly as it is commanded.

``python -m bench.outages.upstream KEYS TTL_S`` prints ``{"port": …}``, then takes one JSON object a line: the fields of
``tests.faulty_peer.behaviour.Behaviour`` to change, or none to be told the counts.
"""

import json
import sys

from bench.outages.asker import truth_of
from protocols.values.value import Value
from tests.faulty_peer.behaviour import ABSENT, Canned, Mode
from tests.faulty_peer.peer import FaultyPeer

FOREIGN_PREFIX = "88.200"
"""Of what the upstream holds and the node does not."""


def key_of(number: int) -> str:
    """The n-th identifier below the foreign prefix."""
    return f"{FOREIGN_PREFIX}/SN-{number:06d}"


def main() -> int:
    keys, ttl_s = int(sys.argv[1]), int(sys.argv[2])
    records = {
        key_of(n).encode(): Canned(
            values=(Value(1, "URL", truth_of(key_of(n)).encode(), ttl=ttl_s, timestamp=1),)
        )
        for n in range(keys)
    }
    # A prefix record without servers: whoever keeps it keeps what is below the prefix, too.
    named = Value(1, "DESC", b"a foreign prefix", ttl=86_400, timestamp=1)
    records[f"0.NA/{FOREIGN_PREFIX}".encode()] = Canned(values=(named,))
    with FaultyPeer(records, default=ABSENT) as peer:
        print(json.dumps({"port": peer.port}), flush=True)
        for line in sys.stdin:
            change = json.loads(line)
            if "mode" in change:
                change["mode"] = Mode(change["mode"])
            peer.behaviour = peer.behaviour._replace(**change)
            most_asked = max(peer.by_identifier.values(), default=0)
            questions = sum(peer.by_identifier.values())
            print(json.dumps({"questions": questions, "most_for_one": most_asked}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
