"""``biaojie demo`` as CI sees it: every line as it should be, nothing left behind."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from node.demo.steps import STEPS

ROOT = Path(__file__).parents[3]


@pytest.mark.process
def test_every_line_of_the_demo_is_right_and_it_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "node.cli", "demo", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)
    wrong = [line for line in told["lines"] if not line["is_right"]]
    assert (done.returncode, wrong) == (0, []), done.stderr
    assert len(told["lines"]) == len(STEPS)
    assert list(tmp_path.iterdir()) == []
    assert tempfile.gettempdir() != str(tmp_path)
