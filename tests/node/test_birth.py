"""A forked child is as clean as an executed one: its own descriptors and signals, and a parent that knows its end."""

import json
import signal
import subprocess
import sys

import pytest

from tests.node.newborn import ENDS_WITH, RAISES, STATUS, WAITS

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
