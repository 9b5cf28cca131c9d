"""kill -9 at each named point of a commit: what was acknowledged is there, the rest is there whole or not at all."""

import signal

import pytest

from registry.stores.failpoints import AFTER_SYNC, POINTS
from registry.stores.lmdb import open_writer
from tests.batteries.scribe import Scribe
from tests.registry.stores.settings import SMALL

pytestmark = pytest.mark.process


@pytest.mark.parametrize("at_commit", [1, 2, 7])
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_writer_loses_no_acknowledged_commit_and_leaves_no_half_one(
    directory, start_writer, point, at_commit
):
    writer = start_writer("die_at", point, at_commit)
    receipts = [tuple(map(int, line.split()[1:])) for line in writer.stdout]
    assert writer.wait() == -signal.SIGKILL
    assert len(receipts) == at_commit - 1
    durable = at_commit if point == AFTER_SYNC else at_commit - 1

    store = open_writer(directory, SMALL)
    assert store.head().seq == last_seq(durable)
    assert [seq for _, seq in receipts] == [last_seq(n) for n in range(1, at_commit)]
    listed = {r.key.decode(): r.version for r in store.list_records(b"88.118", with_deleted=True)}
    assert listed == expected_versions(durable)
    assert store.count(b"88.118") == len(listed) - max(durable - 1, 0)
    assert len(store.changes(0, 10_000)) == store.head().seq

    scribe = Scribe(store)
    scribe.put("88.118/AFTERWARDS")
    scribe.commit()
    assert store.stored(b"88.118/AFTERWARDS") is not None
    store.close()


def last_seq(commits):
    """Two changes of the fixture, ten per commit, three more per commit from the second on."""
    return 2 + 10 * commits + 3 * max(commits - 1, 0)


def expected_versions(commits):
    versions = {"88.118/FIRST": 1}
    for commit in range(1, commits + 1):
        versions |= {f"88.118/{commit:04}-{n}": 1 for n in range(10)}
        if commit > 1:
            versions[f"88.118/{commit - 1:04}-1"] = 3
            versions[f"88.118/{commit - 1:04}-2"] = 2
    return versions
