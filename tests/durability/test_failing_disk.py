"""A disk that fails: errors of sync and write. Writes fail clearly, nothing told is lost, no refusal is untrue."""

import errno

import pytest

from protocols.identifier import parse_identifier
from registry.stores.lmdb import open_reader
from tests.durability.judge import SETTINGS
from tests.durability.lone_registrar import Ended, LoneRegistrar
from tests.durability.script import DONE, GONE, Script

pytestmark = pytest.mark.process

STEPS = 5
STOPPED = ("the store failed", "is stopping")


def failing(recorder, **faults):
    return {"LD_PRELOAD": str(recorder), **{name: str(number) for name, number in faults.items()}}


def work(ground, environment, script):
    """What was said, and the registrar's exit status; None = it goes on, 78 = it never opened the store."""
    script.reasons.clear()
    try:
        with LoneRegistrar(ground, environment) as registrar:
            said = script.steps(registrar.client(), STEPS)
            has_stopped = any(words in reason for reason in script.reasons for words in STOPPED)
            return said, registrar.wait() if GONE in said or has_stopped else None
    except Ended as ended:
        return [], ended.status


def untrue(ground, script):
    """Identifiers that are there although "nothing was changed"."""
    with open_reader(ground.data, SETTINGS) as reader:
        return [k for k in script.unchanged if reader.lookup_any(parse_identifier(k))]


@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_failed_sync_stops_the_registrar_and_loses_nothing(ground, journal, faults, recorder, at):
    script = Script(journal)
    said, status = work(ground, failing(recorder, FAIL_SYNC_AT=at), script)
    assert status == (78 if at == 1 else 1)
    done = max(0, at - 2)
    assert said[:done] == [DONE] * done
    assert DONE not in said[done:], "something was told after a sync had failed"
    if said:
        assert script.reasons[0].startswith("the store failed while it was written: ")
        assert "Input/output error" in script.reasons[0]
    assert faults() == ()
    assert work(ground, {}, script) == ([DONE] * STEPS, None)
    assert faults() == ()


@pytest.mark.parametrize(
    "fault",
    [
        {"FAIL_WRITE_AT": 4},
        {"FAIL_WRITE_AT": 9},
        {"FAIL_DIRECT_AT": 1},  # the page that makes a transaction count
        {"FAIL_DIRECT_AT": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_failed_write_loses_nothing_and_no_refusal_is_untrue(
    ground, journal, faults, recorder, fault, number
):
    script = Script(journal)
    said, _ = work(ground, failing(recorder, FAIL_ERRNO=number, **fault), script)
    assert said.count(DONE) < STEPS, "the fault never came"
    assert untrue(ground, script) == []
    assert faults() == ()
    assert work(ground, {}, script) == ([DONE] * STEPS, None)
    assert faults() == ()
