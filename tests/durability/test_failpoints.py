"""kill -9 exactly at a point of a commit, or at a call to the disk: nothing told is lost, nothing halved."""

import signal

import pytest

from protocols.identifier import parse_identifier
from registry.stores.failpoints import AFTER_SYNC, BEFORE_SYNC, POINTS
from registry.stores.lmdb import open_reader
from tests.durability.judge import SETTINGS
from tests.durability.lone_registrar import Ended, LoneRegistrar
from tests.durability.script import DONE, GONE, Script

pytestmark = pytest.mark.process

FAILING = "tests.durability.failing_registrar"
STEPS = 4


def is_there(ground, name):
    with open_reader(ground.data, SETTINGS) as reader:
        return reader.lookup(parse_identifier(f"88.118/{name}")) is not None


@pytest.mark.parametrize("at_commit", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_what_was_told_is_there_after_a_kill_at_each_point_of_a_commit(
    ground, journal, faults, point, at_commit
):
    script = Script(journal)
    with LoneRegistrar(ground, module=FAILING, die_at=point, at_commit=at_commit) as registrar:
        said = script.steps(registrar.client(), STEPS)
        assert registrar.wait() == -signal.SIGKILL
    assert said == [DONE] * (at_commit - 1) + [GONE]
    last = "load-3-0" if at_commit == 3 else f"frame-{at_commit}-0"
    assert is_there(ground, last) == (point == AFTER_SYNC)
    assert faults() == ()
    with LoneRegistrar(ground) as registrar:
        assert script.steps(registrar.client(), 3) == [DONE] * 3
        assert registrar.stop() == 0
    assert faults() == ()


def test_an_acknowledgement_before_the_sync_is_caught(ground, journal, faults):
    facts = {"die_at": BEFORE_SYNC, "at_commit": 2, "acknowledge_early": True}
    script = Script(journal)
    with LoneRegistrar(ground, module=FAILING, **facts) as registrar:
        script.steps(registrar.client(), STEPS)
        assert registrar.wait() == -signal.SIGKILL
    assert any("LOST" in fault for fault in faults()), "an early acknowledgement went unnoticed"


@pytest.mark.parametrize("when", ["KILL_BEFORE_CALL", "KILL_AFTER_CALL"])
@pytest.mark.parametrize("call", [2, 5, 14])
def test_what_was_told_is_there_after_a_kill_around_a_call_to_the_disk(
    ground, journal, faults, recorder, when, call
):
    script = Script(journal)
    status = None
    try:
        with LoneRegistrar(ground, {"LD_PRELOAD": str(recorder), when: str(call)}) as registrar:
            assert script.steps(registrar.client(), STEPS)[-1] == GONE
            status = registrar.wait()
    except Ended as ended:  # while it opened the store
        status = ended.status
    assert status == -signal.SIGKILL
    assert faults() == ()
