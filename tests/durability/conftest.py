"""Fixtures for the durability tests: a node's directory, a journal, a judge, the recording library."""

import pytest

from tests.durability.journal import Journal
from tests.durability.judge import Judge
from tests.durability.lone_registrar import Ground
from tests.durability.power import build_recorder, compiler


@pytest.fixture(scope="session")
def recorder(tmp_path_factory):
    """Path of the preloaded library."""
    if compiler() is None:
        pytest.skip("no C compiler: the recorder of disk writes cannot be built (install cc)")
    return build_recorder(tmp_path_factory.mktemp("recorder"))


@pytest.fixture
def ground(tmp_path):
    return Ground(tmp_path / "node", min_free_percent=0.0)


@pytest.fixture
def journal(tmp_path):
    with_file = Journal(tmp_path / "journal.ndjson")
    yield with_file
    with_file.close()


@pytest.fixture(scope="module")
def judge():
    with Judge() as one:
        yield one


@pytest.fixture
def faults(ground, journal, judge):
    """What the judge finds in the store that nobody writes any more."""

    def examine():
        verdict = judge.examine(ground.data, journal.path, ground.node_key, as_writer=True)
        assert verdict.acknowledged == journal.acknowledged
        return verdict.faults

    return examine
