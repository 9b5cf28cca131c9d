"""The switch between the two hot paths is what the tests over both of them rest on."""

import os
import subprocess
import sys

from node.lane.extension import load
from tests.both_ways import COMPILED, SWITCH
from tests.house.tree import ROOT


def test_what_is_loaded_is_what_is_under_test(hot_path):
    assert (load() is not None) == (hot_path == COMPILED)


def test_a_program_that_is_started_uses_what_is_under_test(hot_path):
    run = subprocess.run(
        [sys.executable, "-m", "node.cli", "version", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip
    assert f'"lane": {str(hot_path == COMPILED).lower()}' in run.stdout, run.stdout


def test_an_empty_switch_is_no_switch(hot_path, monkeypatch):
    if hot_path == COMPILED:
        monkeypatch.setenv(SWITCH, "")
        assert load() is not None
