"""A node has the descriptors it may need, whatever shell it was started from."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from node.config import Config
from node.descriptors import worker_descriptors
from tests.node.processes import ROOT, RunningNode, make_node

RAISE = """
import resource, sys
from node.descriptors import raise_limit
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_limit(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "then"),
    [
        (100, 400, 300, "300 300 400"),
        (100, 400, 500, "400 400 400"),
        (300, 400, 200, "200 300 400"),
    ],
)
def test_the_limit_is_raised_as_far_as_needed_and_allowed_and_never_lowered(
    soft: int, hard: int, wanted: int, then: str
) -> None:
    words = [sys.executable, "-c", RAISE, str(soft), str(hard), str(wanted)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == then


def test_a_worker_started_from_a_shell_with_few_descriptors_has_enough(tmp_path: Path) -> None:
    settings = make_node(tmp_path / "node")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < worker_descriptors(Config()):
        pytest.skip(f"this machine allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        node = RunningNode(settings, tmp_path / "log")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with node:
        node.await_ready()
        limits = Path(f"/proc/{node.children()['worker-0']}/limits").read_text()
        (line,) = (line for line in limits.splitlines() if line.startswith("Max open files"))
        assert int(line.split()[3]) >= worker_descriptors(node.config)
