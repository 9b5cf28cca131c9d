"""Every scenario is replayed: no network, no sleeping, on the node's real brain."""

from pathlib import Path

import pytest

from tests.scenarios.play import play
from tests.scenarios.script import read_script

HERE = Path(__file__).parent
MAP = HERE / "promises.toml"
SCENARIOS = sorted(path for path in HERE.glob("*.toml") if path != MAP)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path):
    play(read_script(path))


def test_there_are_as_many_scenarios_as_the_project_promises():
    assert len(SCENARIOS) >= 60


def test_no_two_scenarios_promise_the_same():
    promises = [read_script(path).promise for path in SCENARIOS]
    assert len(set(promises)) == len(promises)
