"""A wall clock that jumps: order is the number of the change, never the time."""

import itertools

import pytest

from registry.change import encode_change, entry_digest
from tests.registry.desk import Desk, name, url

DAY_S = 86_400
Y2038_S = 1 << 31


@pytest.mark.parametrize("step_s", [-3600, -DAY_S, -900_000, 3600, DAY_S, Y2038_S])
def test_numbers_versions_and_chain_go_on_when_the_clock_is_set(step_s):
    desk = Desk()
    for turn in range(3):
        assert desk.put("88.118/A", url(f"https://example.org/{turn}")).version == turn + 1
    desk.now_s += step_s
    receipts = [
        desk.put("88.118/A", url(f"https://example.org/after/{turn}"), name()) for turn in range(3)
    ]
    assert [receipt.version for receipt in receipts] == [4, 5, 6]
    changes = desk.store.changes(0, 100)
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert receipts[-1].seq == desk.store.head().seq == len(changes)
    for before, after in itertools.pairwise(changes):
        assert after.previous == entry_digest(encode_change(before))
    times = [change.time_ms for change in changes]
    assert (times != sorted(times)) == (step_s < 0), "the feed tells the time as it was shown"


def test_a_request_repeated_after_a_clock_step_gives_the_first_receipt():
    desk = Desk()
    first = desk.put("88.118/A", url(), request_id="r1")
    desk.now_s -= 500_000
    assert desk.put("88.118/A", url(), request_id="r1") == first
    assert desk.record("88.118/A").version == 1
