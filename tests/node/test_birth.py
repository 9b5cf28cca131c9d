"""A forked child is as clean as an executed one: its own descriptors and signals, and a parent that knows its end."""

import json
import signal
import subprocess
import sys

import pytest

from node.birth import executed, forked, load, usual
from tests.node.newborn import ENDS_WITH, LOG_FULL, NO_ROOM, RAISES, STATUS, TOLD_AT_ONCE, WAITS

pytestmark = pytest.mark.process


def born(what: str) -> tuple[dict, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.node.newborn", what],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(done.stdout), done.stderr


def test_it_holds_no_descriptor_but_its_own() -> None:
    found, _ = born(ENDS_WITH)
    assert found["descriptors"] == [0, 1, 2, found["kept"]]


def test_signals_mean_what_they_mean_to_any_program() -> None:
    found, _ = born(ENDS_WITH)
    assert found["blocked"] == []
    assert all(found["handlers"])
    assert found["leads_its_group"]
    assert found["wakes"] == -1, "nobody else is woken by them"


def test_what_its_parent_left_is_never_collected() -> None:
    assert born(ENDS_WITH)[0]["frozen"] > 0


def test_one_that_is_told_to_stop_before_it_can_hear_is_stopped() -> None:
    found, _ = born(TOLD_AT_ONCE)
    assert found["status"] == -signal.SIGTERM


def test_a_log_that_takes_no_more_keeps_nobody_from_being_born() -> None:
    found, _ = born(LOG_FULL)
    assert found["status"] == STATUS


def test_a_birth_that_fails_costs_no_descriptor_and_one_that_begins_ends_well() -> None:
    found, _ = born(NO_ROOM)
    assert found["leaked"], "it failed at least once"
    assert set(found["leaked"]) == {0}
    assert found["status"] == STATUS


def test_a_module_that_cannot_be_loaded_is_an_error_of_the_system_for_whoever_asks() -> None:
    with pytest.raises(OSError, match=r"node\.no_such_process cannot be loaded"):
        load("node.no_such_process")


@pytest.mark.parametrize(
    ("last_status", "birth"),
    [
        (0, forked), (1, forked), (-signal.SIGKILL, forked), (-signal.SIGTERM, forked),
        (-signal.SIGSEGV, executed), (-signal.SIGABRT, executed), (-signal.SIGBUS, executed),
    ],
)  # fmt: skip
def test_who_died_of_a_fault_of_memory_is_followed_by_one_with_a_layout_of_its_own(
    last_status: int, birth: object
) -> None:
    assert usual(last_status) is birth


def test_its_parent_knows_how_it_ended_and_knows_it_again() -> None:
    found, errors = born(ENDS_WITH)
    assert found["status"] == found["again"] == STATUS
    assert errors == ""


def test_one_that_is_told_to_stop_is_stopped() -> None:
    found, _ = born(WAITS)
    assert found["status"] == -signal.SIGTERM


def test_what_it_raises_is_its_own_end_with_a_trace_for_the_log() -> None:
    found, errors = born(RAISES)
    assert found["status"] == 1
    assert "the child's own" in errors
    assert errors.count("Traceback") == 1
