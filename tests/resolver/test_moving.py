"""Moving a prefix leaves no moment in which it is nobody's: a real store, a real registrar, a reader that never stops.

The reader does what a serving worker does: refresh, the hot path, then the spine.
"""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from protocols.identifier import read_identifier
from protocols.message import Answer, Outcome, Query
from protocols.record import DELETED
from protocols.values.site import decode_site
from registry.holdings import Holdings
from registry.sealing import Sealer
from registry.stores.lmdb import create_store, open_reader
from resolver.answering import answer_now
from resolver.delegation import Delegated
from resolver.source import Now, Peer
from tests.registry.desk import LOG_ID, NODE_KEY
from tests.registry.stores.settings import SMALL
from tests.resolver.mover import PREFIX

ROOT = Path(__file__).parents[2]
NOW = Now(1000.0, 2_000_000_000.0)
PEER = Peer("192.0.2.7", 4711, "udp", is_loopback=False)
MOVES = 150
ASKED = f"{PREFIX}/x".encode()
FROM_THERE = Answer(Outcome.SUCCESS, is_authoritative=False)


class Elsewhere:
    """Answers for the servers of the delegated prefix."""

    def lookup(self, query, place, peer, now):
        assert isinstance(place, Delegated)
        assert place.sites[0].servers[0].address == "192.0.2.8"
        return FROM_THERE


def ask(reader, holdings, spelling, **more):
    """The outcome of one question as a worker answers it; None when it took the hot path."""
    stored = reader.stored(spelling)
    if stored is not None and not stored[1] & DELETED:
        return None
    query = Query(read_identifier(spelling), **more)
    return answer_now(query, holdings, PEER, NOW, (), Elsewhere())


def look(reader, holdings, seen):
    """One round of questions, each of them in a snapshot of its own."""
    reader.refresh()
    answer = ask(reader, holdings, ASKED)
    if answer is None:
        seen["here"] += 1
    else:
        assert answer.outcome is Outcome.REFERRAL, answer
        assert decode_site(answer.values[0].data).servers[0].address == "192.0.2.8"
        seen["there"] += 1
    reader.refresh()
    answer = ask(reader, holdings, ASKED, may_recurse=True)
    assert answer is None or answer is FROM_THERE, answer
    reader.refresh()
    for spelling in (PREFIX.encode(), b"0.na/" + PREFIX.encode()):
        assert ask(reader, holdings, spelling) is None
    reader.release()


@pytest.fixture
def mover(tmp_path):
    create_store(tmp_path / "data", LOG_ID, SMALL)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.resolver.mover", str(tmp_path / "data")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "3\n"
    yield process, tmp_path / "data"
    process.stdin.close()
    process.stdout.close()
    assert process.wait(timeout=30) == 0


@pytest.mark.process
def test_who_never_stops_asking_always_hears_from_somebody(mover):
    process, directory = mover
    seen, done = {"here": 0, "there": 0}, threading.Event()

    def move():
        try:
            for _ in range(MOVES):
                process.stdin.write("\n")
                process.stdin.flush()
                process.stdout.readline()
        finally:
            done.set()

    moving = threading.Thread(target=move)
    with open_reader(directory, SMALL) as reader:
        holdings = Holdings(reader, Sealer(NODE_KEY))
        moving.start()
        while not done.is_set():
            look(reader, holdings, seen)
        moving.join()
        reader.refresh()
        assert reader.head().seq == 3 + 4 * MOVES
        assert len(reader.authorities(limit=1000)) == MOVES + 2
    assert min(seen.values()) > MOVES / 10, seen


@pytest.mark.process
def test_a_move_is_seen_by_the_next_question_after_its_receipt(mover):
    process, directory = mover
    with open_reader(directory, SMALL) as reader:
        holdings = Holdings(reader, Sealer(NODE_KEY))
        for number in range(10):
            process.stdin.write("\n")
            process.stdin.flush()
            seq = int(process.stdout.readline())
            reader.refresh()
            assert reader.head().seq == seq
            assert (ask(reader, holdings, ASKED) is None) == (number % 2 == 1)
            reader.release()
