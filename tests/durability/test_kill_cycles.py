"""kill -9 of every kind of process while four clients write: one cycle each (more: ``python -m tests.durability``)."""

import random

import pytest

from tests.durability.cycles import VICTIMS, Trial, victims

pytestmark = pytest.mark.process


def test_nothing_told_is_lost_by_kill_9_of_any_process(tmp_path):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    with Trial(tmp_path, seed, records=500) as trial:
        cycles = [
            trial.cycle(n, v) for n, v in enumerate(victims(random.Random(seed), len(VICTIMS)), 1)
        ]
    assert [str(cycle) for cycle in cycles if cycle.faults] == []
    assert {cycle.victim for cycle in cycles} == set(VICTIMS)
    assert cycles[-1].acknowledged > 100
