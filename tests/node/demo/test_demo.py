"""``biaojie demo`` as CI sees it: every line as it should be, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from node.demo.steps import STEPS
from tests.node.processes import PATIENCE_S, descendants, is_alive, until

ROOT = Path(__file__).parents[3]
NODES, PROCESSES_OF_A_NODE = 3, 3
"""Top-level, secondary, enterprise; supervisor, registrar, worker."""


@pytest.mark.process
def test_every_line_of_the_demo_is_right_and_it_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "node.cli", "demo", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    wrong = [line for line in told["lines"] if not line["is_right"]]
    assert (done.returncode, wrong) == (0, []), done.stderr
    assert len(told["lines"]) == len(STEPS)
    assert list(tmp_path.iterdir()) == []
    assert tempfile.gettempdir() != str(tmp_path)


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_demo_that_is_ended_in_the_middle_takes_its_nodes_with_it(tmp_path, number):
    """Not even kill -9, after which it can do nothing itself, leaves a process behind."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "node.cli", "demo"],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: len(descendants(demo.pid)) >= NODES * PROCESSES_OF_A_NODE)
        nodes = descendants(demo.pid)
        demo.send_signal(number)
        demo.wait(PATIENCE_S)
        until(lambda: not any(map(is_alive, nodes)))
    finally:
        demo.kill()
        demo.wait()
    if number != signal.SIGKILL:
        assert list(tmp_path.iterdir()) == []
